//! The second judge: the API servers' audit logs. They name the author and the epoch of every request, of deletes and
//! of refused ones too, and when it came and was answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::process::audit::{self, Attempt};
use crate::process::epochs::Recorder;
use crate::process::world::World;

/// Every request of the instances of one world so far.
pub struct Requests {
    world: Arc<World>,
    /// Up to where the logs were read.
    ends: Vec<u64>,
    attempts: Vec<Attempt>,
}

impl Requests {
    /// From now on.
    pub fn start(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world), ends: audit::ends(world), attempts: Vec::new() }
    }

    /// Takes in what was logged since.
    pub fn read(&mut self) {
        for (cluster, end) in self.world.clusters.iter().zip(&mut self.ends) {
            // Nobody else comes under the name of an instance.
            let theirs = audit::attempts(&self.world, cluster, end).into_iter().filter(|one| !one.who.is_empty());
            self.attempts.extend(theirs);
        }
    }

    pub fn total(&self) -> usize {
        self.attempts.len()
    }

    pub fn deletes(&self) -> usize {
        self.attempts.iter().filter(|one| one.verb == "delete").count()
    }

    /// How long two epochs wrote side by side, in ms, rounded up: from the arrival of the first request of an epoch
    /// to the last answer to one of a lower epoch that was not refused, over all clusters, by the one wall clock of
    /// their servers.
    pub fn overlap_ms(&self) -> u64 {
        let late = self.late();
        let overlap_us = late.iter().filter(|(one, _)| !is_refused(one)).map(|(_, by_us)| *by_us).max();
        overlap_us.unwrap_or_default().div_ceil(1000)
    }

    /// Late requests that changed nothing, since the server refused them.
    pub fn late_refused(&self) -> usize {
        self.late().iter().filter(|(one, _)| is_refused(one)).count()
    }

    /// Requests that were answered after one of a higher epoch had come, and by how many µs; the last to come last.
    pub fn late(&self) -> Vec<(&Attempt, u64)> {
        let mut first_us = BTreeMap::<u64, i64>::new();
        for attempt in &self.attempts {
            let first = first_us.entry(epoch(attempt)).or_insert(i64::MAX);
            *first = attempt.unix_us[0].min(*first);
        }
        // The earliest of all higher epochs, by epoch.
        let (mut next_us, mut earliest) = (BTreeMap::new(), i64::MAX);
        for (epoch, first) in first_us.iter().rev() {
            next_us.insert(*epoch, earliest);
            earliest = earliest.min(*first);
        }
        let late = self.attempts.iter().filter_map(|one| {
            let by_us = one.unix_us[1].checked_sub(next_us[&epoch(one)]).filter(|by_us| *by_us > 0)?;
            Some((one, u64::try_from(by_us).unwrap()))
        });
        late.collect()
    }

    /// What else is wrong: two authors of one epoch, or writes that the other judge saw and no log has.
    pub async fn complaints(&mut self, recorder: &Recorder) -> Vec<String> {
        let seen = recorder.total();
        // The log may be a moment behind the watch.
        tokio::time::sleep(Duration::from_millis(100)).await;
        self.read();
        let mut complaints = Vec::new();
        let mut authors = BTreeMap::<u64, &str>::new();
        for one in &self.attempts {
            let author = authors.entry(epoch(one)).or_insert(&one.who);
            if *author != one.who {
                complaints.push(format!("{author} and {} both asked under epoch {}", one.who, epoch(one)));
            }
        }
        complaints.dedup();
        // Whatever code was logged: a write can take effect though its author did not wait for the answer.
        let logged = self.attempts.iter().filter(|one| one.verb != "delete").count();
        if logged < seen {
            complaints.push(format!("the watches saw {seen} writes, the audit logs have {logged}"));
        }
        complaints
    }
}

/// A version that is gone, a name that is taken, an object that is not there. Other errors may hide a write.
fn is_refused(attempt: &Attempt) -> bool {
    [404, 409].contains(&attempt.code)
}

fn epoch(attempt: &Attempt) -> u64 {
    attempt.epoch.unwrap_or_else(|| panic!("a request that names no epoch: {attempt:?}"))
}
