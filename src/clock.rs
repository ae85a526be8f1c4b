//! The only place that asks what time it is.
//!
//! Invariant: leases are timed on a clock that counts through suspend. A clock that stops while the machine
//! sleeps would let a holder wake up and believe that its permit still runs.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::instant::{Instant, WallTime};

/// A source of time. Production uses [`SystemClock`]; tests bring their own.
pub trait Clock: Send + Sync + 'static {
    /// Now, on the boot clock.
    fn now(&self) -> Instant;
    /// Now, on the wall clock.
    fn wall(&self) -> WallTime;
}

/// A clock that can be shared by every task.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's own clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(target_os = "linux")]
const BOOT_CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
// Elsewhere (macOS) the monotonic clock is the one that counts through sleep.
#[cfg(not(target_os = "linux"))]
const BOOT_CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        let time = rustix::time::clock_gettime(BOOT_CLOCK);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Instant::from_origin(Duration::new(seconds, nanos))
    }

    fn wall(&self) -> WallTime {
        #[allow(clippy::disallowed_methods, reason = "this is the one place that may")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        WallTime::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock that follows tokio's time, so that a paused runtime gives virtual time.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    origin: tokio::time::Instant,
    wall_at_origin: WallTime,
}

impl TokioClock {
    /// A clock that starts now. Its instants begin one hour after the origin, so that subtraction has room.
    pub fn starting_at(wall_at_origin: WallTime) -> Self {
        Self { origin: tokio::time::Instant::now(), wall_at_origin }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::from_origin(Duration::from_secs(3600) + self.origin.elapsed())
    }

    fn wall(&self) -> WallTime {
        let elapsed_ms = u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX);
        WallTime::from_unix_ms(self.wall_at_origin.unix_ms().saturating_add(elapsed_ms))
    }
}
