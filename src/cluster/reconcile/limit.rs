//! How many writes may be under way in one cluster.
//!
//! Invariant: between one and [`MOST`]. It grows while the cluster answers at once and there is more to write, and
//! halves when the cluster says that it is busy: API servers differ by two orders of magnitude in what they take, and
//! each says itself what is too much.

use std::time::Duration;

/// Where a cluster begins.
const FIRST: usize = 8;
/// What no cluster exceeds: with 100 ms to an API server, some 300 writes a second.
const MOST: usize = 32;
/// An answer within this time says that there is room for more.
const QUICK: Duration = Duration::from_millis(150);
/// An answer after this time says that there is not.
const SLOW: Duration = Duration::from_secs(1);

/// The limit of one cluster.
#[derive(Debug)]
pub struct Limit {
    most: usize,
    /// Quick answers since the limit last changed.
    quick: usize,
}

impl Default for Limit {
    fn default() -> Self {
        Self { most: FIRST, quick: 0 }
    }
}

impl Limit {
    /// How many writes may be in flight together.
    pub fn most(&self) -> usize {
        self.most
    }

    /// A write was answered after `took`. One more is allowed for as many quick answers as are allowed now.
    pub fn answered(&mut self, took: Duration) {
        if took > SLOW {
            self.set(self.most - 1);
        } else if took <= QUICK {
            self.quick += 1;
            if self.quick >= self.most {
                self.set(self.most + 1);
            }
        }
    }

    /// The cluster asked to wait, or did not answer.
    pub fn too_much(&mut self) {
        self.set(self.most / 2);
    }

    fn set(&mut self, most: usize) {
        self.most = most.clamp(1, MOST);
        self.quick = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_slowly_shrinks_fast_and_stays_within_bounds() {
        let mut limit = Limit::default();
        for _ in 0..FIRST {
            limit.answered(QUICK);
        }
        assert_eq!(limit.most(), FIRST + 1);
        for _ in 0..2_000 {
            limit.answered(Duration::from_millis(5));
        }
        assert_eq!(limit.most(), MOST);
        limit.answered(QUICK * 2);
        assert_eq!(limit.most(), MOST, "neither quick nor slow");
        limit.too_much();
        assert_eq!(limit.most(), MOST / 2);
        for _ in 0..100 {
            limit.answered(SLOW * 2);
        }
        assert_eq!(limit.most(), 1);
        limit.too_much();
        assert_eq!(limit.most(), 1);
    }
}
