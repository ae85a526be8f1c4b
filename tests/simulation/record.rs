//! What can be seen in the clusters at a time.

use super::judge::{Foreign, Recorded};
use super::rng::Rng;

/// The highest epoch on any object, without going through all writes each time.
#[derive(Default)]
pub struct Settled {
    /// Up to here every write has taken effect, at most with `highest`.
    count: usize,
    highest: u64,
    /// Epochs that none of the instances wrote.
    pub foreign: Vec<Foreign>,
}

impl Settled {
    pub fn highest(&mut self, record: &[Recorded], now: u64) -> u64 {
        while let Some(write) = record.get(self.count).filter(|write| write.effect <= now) {
            self.highest = self.highest.max(write.epoch);
            self.count += 1;
        }
        let recent = record[self.count..].iter().filter(|write| write.effect <= now);
        recent.map(|write| write.epoch).fold(self.highest, u64::max)
    }

    /// A cluster joins in which another mesh wrote before, with a higher epoch.
    pub fn join(&mut self, record: &[Recorded], now: u64, rng: &mut Rng) {
        self.highest = self.highest(record, now) + rng.between(1, 5);
        self.foreign.push(Foreign { epoch: self.highest, since: now });
    }
}
