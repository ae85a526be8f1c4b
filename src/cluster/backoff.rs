//! Waits between attempts: exponential, bounded, spread.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// Longest wait.
const MAX: Duration = Duration::from_secs(30);
/// The first wait, before it is spread.
const FIRST: Duration = Duration::from_millis(500);

/// The waits of one retrying task. Tasks with different names spread over time; one task always waits the same.
#[derive(Clone, Debug)]
pub struct Backoff {
    seed: u64,
    attempt: u32,
}

impl Backoff {
    /// A fresh back-off for the task with this name.
    pub fn new(name: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        Self { seed: hasher.finish(), attempt: 0 }
    }

    /// How long to wait before the next attempt: 50 to 100 % of 0.5 s, 1 s, 2 s, ... 30 s.
    pub fn next_wait(&mut self) -> Duration {
        let full = doubled(FIRST, self.attempt, MAX);
        let mut hasher = DefaultHasher::new();
        (self.seed, self.attempt).hash(&mut hasher);
        self.attempt = self.attempt.saturating_add(1);
        let percent = 50 + u32::try_from(hasher.finish() % 51).unwrap_or(0);
        full * percent / 100
    }

    /// Starts again with the first wait, after a success.
    pub fn reset(&mut self) {
        self.attempt = 0;
    }
}

/// `first`, doubled `times` times, at most `most`.
pub(super) fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_stay_within_bounds() {
        let mut backoff = Backoff::new(&"east ServiceEntry");
        let waits: Vec<_> = (0..40).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST);
        assert!(waits.iter().all(|w| *w <= MAX) && waits[39] >= MAX / 2);
        backoff.reset();
        assert_eq!(backoff.next_wait(), waits[0]);
    }
}
