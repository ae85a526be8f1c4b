//! What a load balancer sees: `/health/ready?checkifreadonly=true`, asked every 20 ms.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

const EVERY: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_millis(300);

pub const ACTIVE: Option<u16> = Some(200);
pub const PASSIVE: Option<u16> = Some(502);

/// One question. The state that it reports was true at some moment between the two instants.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub sent: Instant,
    pub received: Instant,
    /// `None` when nobody answered.
    pub answer: Option<u16>,
}

pub struct Poller {
    samples: Arc<Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Poller {
    pub fn start(url: &str) -> Self {
        Self::start_every(url, EVERY)
    }

    /// At another pace.
    pub fn start_every(url: &str, every: Duration) -> Self {
        let samples = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(poll(format!("{url}/health/ready?checkifreadonly=true"), every, Arc::clone(&samples)));
        Self { samples, task }
    }

    /// The first sample sent after `from` with this answer; fails if there is none within `within` of `from`.
    pub async fn until(&self, answer: Option<u16>, from: Instant, within: Duration) -> Sample {
        loop {
            if let Some(sample) = self.first(answer, from) {
                return sample;
            }
            if from.elapsed() >= within {
                let last = self.samples().last().map(|sample| sample.answer);
                panic!("no {answer:?} within {within:?}; the last answer was {last:?}");
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// The samples sent after `from` and answered before `to`.
    pub fn between(&self, from: Instant, to: Instant) -> Vec<Sample> {
        let samples = self.samples();
        samples[since(&samples, from)..].iter().filter(|sample| sample.received < to).copied().collect()
    }

    /// The last sample sent after `from` that was answered.
    pub fn last_answer(&self, from: Instant) -> Option<Sample> {
        self.samples().iter().rfind(|sample| sample.answer.is_some()).filter(|sample| sample.sent >= from).copied()
    }

    /// The first sample sent after `from` with this answer.
    pub fn first(&self, answer: Option<u16>, from: Instant) -> Option<Sample> {
        let samples = self.samples();
        samples[since(&samples, from)..].iter().find(|sample| sample.answer == answer).copied()
    }

    /// The last sample with the answer 200.
    pub fn last_active(&self) -> Option<Sample> {
        self.samples().iter().rfind(|sample| sample.answer == ACTIVE).copied()
    }

    fn samples(&self) -> MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Poller {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The place of the first sample sent at `from` or later: there are many before in a long run.
fn since(samples: &[Sample], from: Instant) -> usize {
    samples.partition_point(|sample| sample.sent < from)
}

async fn poll(url: String, every: Duration, samples: Arc<Mutex<Vec<Sample>>>) {
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let sent = Instant::now();
        let answer = client.get(&url).send().await.ok().map(|answer| answer.status().as_u16());
        let sample = Sample { sent, received: Instant::now(), answer };
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }
}
