//! Points in time as plain values. Nothing here reads a clock; [`crate::clock`] does.
//!
//! Invariant: an [`Instant`] counts from an origin that one process shares and that never jumps; a
//! [`WallTime`] is for people and for tables, and no decision between two instances compares two of them.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

/// A point on the boot clock (`CLOCK_BOOTTIME`), which keeps counting while the machine sleeps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The instant that lies `since_origin` after the clock's origin.
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// Time since the clock's origin.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies in the future.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// `self - span`, not earlier than the origin.
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{:.3}s", self.0.as_secs_f64())
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    /// Saturates instead of overflowing: a deadline that cannot be represented never comes.
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

/// Wall-clock time as milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(u64);

impl WallTime {
    /// From milliseconds since the Unix epoch.
    pub const fn from_unix_ms(unix_ms: u64) -> Self {
        Self(unix_ms)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, the unit of Admiral's `updatedTime`.
    pub const fn unix_s(self) -> u64 {
        self.0 / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sum_and_no_difference_leaves_the_range() {
        let (second, minute) = (Duration::from_secs(1), Duration::from_secs(60));
        let at = Instant::from_origin(minute);
        assert_eq!(at.saturating_sub(second).since_origin(), Duration::from_secs(59));
        assert_eq!(at.saturating_sub(2 * minute), Instant::default());
        assert_eq!(Instant::default() - at, Duration::ZERO);
        assert_eq!((at + Duration::MAX).since_origin(), Duration::MAX);
    }

    #[test]
    fn an_instant_is_shown_as_seconds_since_the_origin() {
        assert_eq!(format!("{:?}", Instant::from_origin(Duration::from_millis(1_500))), "@1.500s");
    }
}
