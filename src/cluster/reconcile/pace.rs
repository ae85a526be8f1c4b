//! How often everything is planned anew: when a cluster's first lists are complete, when it joins or leaves, when its
//! region becomes known. With 50 clusters that start together it would be 50 times in a row.

use std::time::Duration;

use crate::instant::Instant;

/// The longest pause, whatever a plan took: a process may have been stopped amid one.
const MOST: Duration = Duration::from_secs(10);

/// Lets at most half of the time go into planning everything.
#[derive(Debug, Default)]
pub struct Pace {
    next: Instant,
}

impl Pace {
    /// When everything may be planned anew.
    pub fn next(&self) -> Instant {
        self.next
    }

    /// Everything was planned.
    pub fn planned(&mut self, began: Instant, ended: Instant) {
        self.next = ended + (ended - began).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_is_as_long_as_the_plan_and_bounded() {
        let at = |ms| Instant::from_origin(Duration::from_millis(ms));
        let mut pace = Pace::default();
        assert!(pace.next() <= at(0));
        pace.planned(at(1_000), at(1_400));
        assert_eq!(pace.next(), at(1_800));
        pace.planned(at(2_000), at(60_000));
        assert_eq!(pace.next(), at(70_000));
    }
}
