//! The right to write, as a value.

use std::time::Duration;

use crate::instant::Instant;

/// Proof that the lease was held: good for writes that end before `deadline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Permit {
    /// The fencing token of the lease. Zero means that no lease is involved (the `noop` checker).
    pub epoch: u64,
    /// The instant from which the permit is void.
    pub deadline: Instant,
}

impl Permit {
    /// A permit that never ends, for a checker without a lease.
    pub const fn unlimited() -> Self {
        Self { epoch: 0, deadline: Instant::from_origin(Duration::MAX) }
    }

    /// Whether something that starts at `now` and may take `span` ends before the deadline.
    pub fn covers(&self, now: Instant, span: Duration) -> bool {
        now + span <= self.deadline && now < self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn a_permit_covers_only_what_ends_before_its_deadline() {
        let permit = Permit { epoch: 1, deadline: at(10) };
        assert!(permit.covers(at(7), Duration::from_secs(3)));
        assert!(!permit.covers(at(7), Duration::from_millis(3001)));
        assert!(!permit.covers(at(10), Duration::ZERO));
        assert!(Permit::unlimited().covers(at(u64::MAX / 2), Duration::from_secs(3600)));
    }
}
