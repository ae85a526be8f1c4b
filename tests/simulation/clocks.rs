//! The clocks of one machine: a boot clock whose rate drifts within the bound (assumption A2), and a wall clock
//! that is off by any amount and may be stepped.
//!
//! Real time is microseconds since the start of the run. Only the world and the judge know it.

use std::time::Duration;

use flagship::instant::{Instant, WallTime};
use flagship::lease::Now;

use super::rng::Rng;

const PPM: u64 = 1_000_000;
/// Some day in 2027, in ms since the Unix epoch.
const WALL_BASE_MS: u64 = 1_800_000_000_000;

#[derive(Clone)]
pub struct Clocks {
    /// The boot clock is linear from here on.
    base_real: u64,
    base_local: u64,
    /// Local microseconds per second of real time.
    rate: u64,
    wall_offset_ms: i64,
    /// Half the drift bound: two clocks differ by the bound at most.
    spread: u64,
}

impl Clocks {
    pub fn new(rng: &mut Rng, drift_ppm: u32) -> Self {
        let origin = rng.between(1_000_000, 90_000_000_000);
        let spread = u64::from(drift_ppm) / 2;
        let mut clocks = Self { base_real: 0, base_local: origin, rate: PPM, wall_offset_ms: 0, spread };
        clocks.drift(rng, 0);
        clocks.step_wall(rng);
        clocks
    }

    /// Another rate from now on, often at one of the two bounds.
    pub fn drift(&mut self, rng: &mut Rng, real: u64) {
        self.base_local = self.local(real);
        self.base_real = real;
        let (slowest, fastest) = (PPM - self.spread, PPM + self.spread);
        let any = rng.between(slowest, fastest);
        self.rate = rng.pick(&[slowest, fastest, any]);
    }

    /// The wall clock is set to another time.
    pub fn step_wall(&mut self, rng: &mut Rng) {
        let by = rng.pick(&[100, 900, 5_000, 60_000, 86_400_000]);
        self.wall_offset_ms += if rng.chance(50) { by } else { -by };
    }

    /// The machine is started anew: the boot clock begins at zero.
    pub fn reboot(&mut self, real: u64) {
        (self.base_real, self.base_local) = (real, 0);
    }

    pub fn local(&self, real: u64) -> u64 {
        self.base_local + (real - self.base_real) * self.rate / PPM
    }

    pub fn boot(&self, real: u64) -> Instant {
        Instant::from_origin(Duration::from_micros(self.local(real)))
    }

    pub fn now(&self, real: u64) -> Now {
        let wall = i64::try_from(WALL_BASE_MS + real / 1000).unwrap() + self.wall_offset_ms;
        Now { boot: self.boot(real), wall: WallTime::from_unix_ms(u64::try_from(wall).unwrap()) }
    }

    /// The first moment of real time at which the boot clock shows `at`, if its rate stays; not before `real`.
    pub fn real_of(&self, at: Instant, real: u64) -> u64 {
        let local = u64::try_from(at.since_origin().as_micros()).unwrap_or(u64::MAX / PPM / 2);
        let ahead = local.saturating_sub(self.base_local);
        (self.base_real + (ahead * PPM).div_ceil(self.rate)).max(real)
    }

    /// Real time that is surely not longer than `span` on this clock, whatever its rate becomes.
    pub fn shortest(&self, span: Duration) -> u64 {
        u64::try_from(span.as_micros()).unwrap() * PPM / (PPM + self.spread)
    }
}
