//! The loop: looks at the table again and again and tells what is new.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Answer, READ_WITHIN, RETRY_AFTER, Reading, Source};
use crate::cluster::event::{ClusterEvent, EventSender};
use crate::mesh::Suspension;
use crate::metrics::Metrics;

/// Follows `source` until nobody listens any more.
pub async fn follow(source: impl Source, interval: Duration, events: EventSender, metrics: Arc<Metrics>) {
    let mut follower = Follower { told: BTreeMap::new(), last: None, is_out: false };
    loop {
        let looked = tokio::time::timeout(READ_WITHIN, source.read()).await;
        let looked = looked.unwrap_or_else(|_| Err(format!("no answer within {} s", READ_WITHIN.as_secs())));
        metrics.suspension_read(looked.is_ok());
        let pause = if looked.is_ok() { interval } else { interval.min(RETRY_AFTER) };
        for event in follower.news(&source.describe(), looked) {
            if events.send(event).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(pause).await;
    }
}

/// What has been told.
struct Follower {
    /// Problems of the item, by subject.
    told: BTreeMap<String, String>,
    last: Option<Suspension>,
    is_out: bool,
}

impl Follower {
    /// What the reconciler does not know yet.
    fn news(&mut self, source: &str, looked: Result<Reading, String>) -> Vec<ClusterEvent> {
        let outage = format!("{source}, reading it");
        let Reading { answer, problems } = match looked {
            Ok(reading) => reading,
            // Once for each outage, whatever its reason becomes.
            Err(_) if self.is_out => return Vec::new(),
            Err(error) => {
                self.is_out = true;
                let meanwhile = match self.last {
                    Some(_) => "its last answer stays in force",
                    None => "nothing is written before it has answered once, so that nobody suspended is touched",
                };
                return vec![ClusterEvent::Refused { subject: outage, message: format!("{error}; {meanwhile}") }];
            }
        };
        let mut news = Vec::new();
        if std::mem::take(&mut self.is_out) {
            news.push(ClusterEvent::Accepted { subject: outage });
        }
        for subject in self.told.keys().filter(|subject| !problems.contains_key(*subject)) {
            news.push(ClusterEvent::Accepted { subject: subject.clone() });
        }
        for (subject, message) in problems.iter().filter(|(subject, message)| self.told.get(*subject) != Some(*message))
        {
            news.push(ClusterEvent::Refused { subject: subject.clone(), message: message.clone() });
        }
        self.told = problems;
        let now = match answer {
            Answer::Item(suspension) => Some(suspension),
            Answer::Absent if self.last.is_none() => Some(Suspension::new(source, false, BTreeMap::new())),
            Answer::Absent | Answer::Unusable => None,
        };
        if let Some(now) = now.filter(|now| self.last.as_ref() != Some(now)) {
            self.last = Some(now.clone());
            news.push(ClusterEvent::Suspended(now));
        }
        news
    }
}

#[cfg(test)]
mod tests;
