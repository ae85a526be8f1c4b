//! What one seed decides in advance: the timings, the number of instances, which faults there are, and which of
//! the environment's own promises is broken on purpose.

use std::time::Duration;

use flagship::lease::{LeaseConfig, Timings};

use super::faults::Kind;
use super::rng::Rng;

/// A promise of the environment that is broken to see whether the judge notices (mutants without a rebuild).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Nothing is: assumptions hold.
    Nothing,
    /// The table is a global one with eventual consistency.
    EventualTable,
    /// The permit is checked when a write is planned, and not again when it is sent.
    StalePermit,
    /// The lease is released while writes are under way.
    ReleaseBeforeDrain,
    /// The gate asks only whether there is time left, not whether there is time for the whole write.
    NoWriteBound,
    /// The clocks' rates differ by five times the configured bound.
    WildClocks,
    /// A restored item: assumption A1 does not hold.
    Restore,
    /// A restored item that says that nobody holds the lease.
    RestoreReleased,
    /// Objects with epochs that none of the instances wrote appear in the clusters.
    ForeignEpochs,
}

/// Everything that is fixed before the run begins.
pub struct Plan {
    pub nodes: usize,
    pub config: LeaseConfig,
    /// How long a write to a cluster may take.
    pub write_timeout: Duration,
    pub faults: Vec<Kind>,
    /// Average real time between two faults, in microseconds.
    pub fault_gap: u64,
    /// When the faults end.
    pub heal_at: u64,
    pub broken: Broken,
    /// The item at the start: released at this epoch with this version, or none.
    pub first_item: Option<(u64, &'static str)>,
    /// Real drift, which is the configured bound unless broken.
    pub real_drift_ppm: u32,
}

impl Plan {
    pub fn new(broken: Broken, rng: &mut Rng) -> Self {
        let lease_ms = rng.pick(&[2_000, 3_000, 5_000, 10_000]);
        let drift_ppm = rng.pick(&[10_000, 30_000, 100_000]);
        let ms = |share: u64| Duration::from_millis(lease_ms * share / 100);
        let timings = Timings {
            lease_duration: ms(100),
            renew_interval: ms(rng.between(10, 24)),
            poll_interval: ms(rng.between(1, 12)),
            request_timeout: ms(rng.between(5, 18)),
            drift_ppm,
            min_margin: ms(2),
            foreign_threshold: ms(rng.between(110, 250)),
        };
        // Some seeds have many kinds, which hide each other; some have few, whose effects can unfold.
        let share = rng.pick(&[10, 10, 40]);
        let mut faults: Vec<Kind> = Kind::ALL.iter().copied().filter(|_| rng.chance(share)).collect();
        if share == 10 && rng.chance(60) {
            faults.push(Kind::Network);
        }
        if broken == Broken::Restore {
            faults.push(Kind::Restore);
        }
        if broken == Broken::RestoreReleased {
            // Somebody must give up before there is such a copy.
            faults.extend([Kind::RestoreReleased, Kind::RestoreReleased, Kind::Shutdown]);
        }
        if broken == Broken::ForeignEpochs {
            faults.extend([Kind::ForeignEpoch, Kind::ForeignEpoch]);
        }
        if broken == Broken::ReleaseBeforeDrain {
            faults.push(Kind::Shutdown);
        }
        Self {
            nodes: rng.pick(&[2, 2, 3]),
            config: LeaseConfig::new(timings).unwrap(),
            write_timeout: ms(rng.between(3, 30)),
            faults,
            fault_gap: lease_ms * 1000 * rng.pick(&[20, 60, 150, 250]) / 100,
            heal_at: lease_ms * 1000 * 14,
            broken,
            first_item: rng.pick(&[
                Some((0, "initial")),
                Some((0, "by lease init")),
                Some((7, "r-7")),
                Some((1_799_000_000, "r")),
                None,
            ]),
            real_drift_ppm: if broken == Broken::WildClocks { drift_ppm * 5 } else { drift_ppm },
        }
    }

    pub fn lease(&self) -> Duration {
        self.config.timings().lease_duration
    }

    /// The longest that a request or an answer may be held up before it still arrives.
    pub fn latest(&self) -> u64 {
        micros(self.lease()) * 3 / 2
    }

    /// A foreign epoch is outrun within this time: whoever is stopped does not see it, and its next renewals may take
    /// all that a permit lasts.
    pub fn outrun_within(&self) -> u64 {
        micros(self.lease()) * 4
    }

    /// After healing there is exactly one active within this time (L1, L3): the last late request arrives, the
    /// longest wait that any item can ask for begins then, a reluctant instance waits a lease more, and a poll
    /// and two round trips go by.
    pub fn settle(&self) -> u64 {
        let timings = self.config.timings();
        let wait = timings.lease_duration.max(timings.foreign_threshold);
        let longest = wait + self.config.margin(wait) + timings.lease_duration;
        let trips = 2 * (timings.poll_interval + timings.renew_interval) + 4 * timings.request_timeout;
        self.latest() + micros(longest + trips) * 6 / 5
    }
}

pub fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap()
}
