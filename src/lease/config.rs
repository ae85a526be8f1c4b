//! The durations of the protocol and the order that they must keep.

use std::time::Duration;

/// No lease lasts longer, ours or another's: a figure beyond it is taken for garbage.
pub const MAX_LEASE_DURATION: Duration = Duration::from_secs(3600);

/// Two clocks whose rates differ by more than this many parts per million are broken, not drifting.
const MAX_DRIFT_PPM: u32 = 200_000;

/// The durations as configured, unchecked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Timings {
    /// How long a lease holds after its last renewal was sent.
    pub lease_duration: Duration,
    /// Time between two renewals.
    pub renew_interval: Duration,
    /// Time between two looks of a passive.
    pub poll_interval: Duration,
    /// How long one request to the table may take.
    pub request_timeout: Duration,
    /// Bound on the difference of two hosts' clock rates, in parts per million (assumption A2).
    pub drift_ppm: u32,
    /// The safety margin is never smaller than this.
    pub min_margin: Duration,
    /// How long an item written by a Go Admiral must stay unchanged before it counts as abandoned.
    pub foreign_threshold: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            lease_duration: Duration::from_secs(10),
            renew_interval: Duration::from_secs(2),
            poll_interval: Duration::from_secs(1),
            request_timeout: Duration::from_millis(1500),
            drift_ppm: 10_000,
            min_margin: Duration::from_millis(200),
            foreign_threshold: Duration::from_secs(45),
        }
    }
}

/// A rule that the durations break.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Renewals could not succeed twice within one lease.
    #[error(
        "lease duration {lease_duration:?} is too short: it must be at least 2 x (renew interval {renew_interval:?} + \
         request timeout {request_timeout:?}) + safety margin {margin:?} = {least:?}, so that one lost renewal does \
         not lose the lease; raise --lease-duration or lower the others"
    )]
    TooShort {
        /// As configured.
        lease_duration: Duration,
        /// As configured.
        renew_interval: Duration,
        /// As configured.
        request_timeout: Duration,
        /// Computed from drift bound and minimum.
        margin: Duration,
        /// The least lease duration that keeps the rule.
        least: Duration,
    },
    /// A duration is zero, or longer than makes sense.
    #[error("{field} is {value:?}; it must be between {min:?} and {max:?}")]
    OutOfRange {
        /// The flag's name.
        field: &'static str,
        /// As configured.
        value: Duration,
        /// Least.
        min: Duration,
        /// Most.
        max: Duration,
    },
    /// The drift bound is not a drift.
    #[error(
        "--drift-bound is {0} ppm; it must be at most {MAX_DRIFT_PPM} ppm (20%): clocks that differ by more are broken"
    )]
    Drift(u32),
}

/// Durations whose order was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LeaseConfig {
    timings: Timings,
}

impl LeaseConfig {
    /// Checks the ranges, and that two renewals fit into one lease (design section 8).
    ///
    /// # Errors
    /// The first rule that is broken, with the figures and the remedy.
    pub fn new(timings: Timings) -> Result<Self, ConfigError> {
        let ms = Duration::from_millis;
        in_range("--lease-duration", timings.lease_duration, ms(100), MAX_LEASE_DURATION)?;
        in_range("--renew-interval", timings.renew_interval, ms(10), timings.lease_duration)?;
        in_range("--poll-interval", timings.poll_interval, ms(10), MAX_LEASE_DURATION)?;
        in_range("--request-timeout", timings.request_timeout, ms(10), timings.lease_duration)?;
        in_range("--min-margin", timings.min_margin, ms(1), timings.lease_duration)?;
        in_range("--foreign-threshold", timings.foreign_threshold, ms(100), 24 * MAX_LEASE_DURATION)?;
        if timings.drift_ppm > MAX_DRIFT_PPM {
            return Err(ConfigError::Drift(timings.drift_ppm));
        }
        let config = Self { timings };
        let margin = config.margin(timings.lease_duration);
        let least = 2 * (timings.renew_interval + timings.request_timeout) + margin;
        if timings.lease_duration < least {
            return Err(ConfigError::TooShort {
                lease_duration: timings.lease_duration,
                renew_interval: timings.renew_interval,
                request_timeout: timings.request_timeout,
                margin,
                least,
            });
        }
        Ok(config)
    }

    /// The durations as configured.
    pub const fn timings(&self) -> &Timings {
        &self.timings
    }

    /// The safety margin for a lease of `duration`: the drift bound's share of it, at least the minimum.
    ///
    /// A holder stops `margin` before its lease ends and an observer waits `margin` longer. With m >= r x D the
    /// slower clock's D - m still ends before the faster clock's D + m for rates that differ by up to r.
    pub fn margin(&self, duration: Duration) -> Duration {
        let drift = duration.saturating_mul(self.timings.drift_ppm) / 1_000_000;
        drift.max(self.timings.min_margin)
    }

    /// How long a permit lasts, counted from before its request was sent.
    pub fn permit_duration(&self) -> Duration {
        self.timings.lease_duration.saturating_sub(self.margin(self.timings.lease_duration))
    }

    /// Pause after a failed renewal: shorter than the interval, since the lease is running out.
    pub fn retry_delay(&self) -> Duration {
        (self.timings.renew_interval / 4).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }
}

fn in_range(field: &'static str, value: Duration, min: Duration, max: Duration) -> Result<(), ConfigError> {
    if value < min || value > max {
        return Err(ConfigError::OutOfRange { field, value, min, max });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_keep_the_rules() {
        let config = LeaseConfig::new(Timings::default()).unwrap();
        assert_eq!(config.margin(Duration::from_secs(10)), Duration::from_millis(200));
        assert_eq!(config.margin(Duration::from_secs(100)), Duration::from_secs(1));
        assert_eq!(config.permit_duration(), Duration::from_millis(9800));
    }

    #[test]
    fn two_renewals_must_fit_into_a_lease() {
        let least = Duration::from_millis(2 * (2000 + 1500) + 200);
        let at = |lease_duration| LeaseConfig::new(Timings { lease_duration, ..Timings::default() });
        assert!(at(least).is_ok());
        let error = at(least - Duration::from_millis(1)).unwrap_err();
        assert!(matches!(error, ConfigError::TooShort { .. }));
        assert!(error.to_string().contains("raise --lease-duration"), "{error}");
    }

    #[test]
    fn the_ends_of_the_ranges_are_within() {
        let ms = Duration::from_millis;
        let shortest = Timings {
            lease_duration: ms(100),
            renew_interval: ms(10),
            poll_interval: ms(10),
            request_timeout: ms(10),
            drift_ppm: 0,
            min_margin: ms(1),
            foreign_threshold: ms(100),
        };
        assert!(LeaseConfig::new(shortest).is_ok());
        let longest = Timings {
            lease_duration: MAX_LEASE_DURATION,
            poll_interval: MAX_LEASE_DURATION,
            drift_ppm: MAX_DRIFT_PPM,
            foreign_threshold: 24 * MAX_LEASE_DURATION,
            ..Timings::default()
        };
        assert!(LeaseConfig::new(longest).is_ok());
        assert!(LeaseConfig::new(Timings { drift_ppm: MAX_DRIFT_PPM + 1, ..longest }).is_err());
    }

    #[test]
    fn zero_and_absurd_figures_are_refused_by_name() {
        let zero = LeaseConfig::new(Timings { poll_interval: Duration::ZERO, ..Timings::default() }).unwrap_err();
        assert!(zero.to_string().contains("--poll-interval"), "{zero}");
        let drift = LeaseConfig::new(Timings { drift_ppm: 900_000, ..Timings::default() }).unwrap_err();
        assert!(drift.to_string().contains("--drift-bound"), "{drift}");
        let long = Timings { lease_duration: Duration::from_secs(3601), ..Timings::default() };
        assert!(LeaseConfig::new(long).unwrap_err().to_string().contains("--lease-duration"));
    }
}
