//! Two instances that share a lease, each behind a network of its own.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::instance::Instance;
use super::poll::{ACTIVE, PASSIVE, Poller};
use super::proxy::Proxy;
use super::world::World;

/// The default timings.
pub const LEASE: Duration = Duration::from_secs(10);
pub const MARGIN: Duration = Duration::from_millis(200);
pub const POLL: Duration = Duration::from_secs(1);
/// One write of the lease and whatever a busy machine adds.
pub const SLACK: Duration = Duration::from_secs(1);

/// Bound of the start of an instance on a busy machine.
pub const STARTS_WITHIN: Duration = Duration::from_secs(30);

pub struct Seat {
    pub proxy: Proxy,
    pub instance: Instance,
    pub poller: Poller,
}

pub struct Pair {
    world: Arc<World>,
    pub seats: [Seat; 2],
    /// Which seat is active.
    pub active: usize,
}

impl Seat {
    async fn start(world: &World, name: &str) -> Self {
        let proxy = Proxy::start(&world.dynamodb).await;
        let instance = Instance::start(world, name, &proxy.endpoint, &[]);
        let poller = Poller::start(&instance.url);
        Self { proxy, instance, poller }
    }
}

impl Pair {
    /// The first becomes active, the second a warm standby.
    pub async fn start(world: &Arc<World>) -> Self {
        let first = Seat::start(world, "east").await;
        first.poller.until(ACTIVE, first.instance.started, STARTS_WITHIN).await;
        let second = Seat::start(world, "west").await;
        let pair = Self { world: Arc::clone(world), seats: [first, second], active: 0 };
        pair.standby().instance.ready(STARTS_WITHIN).await;
        pair
    }

    pub fn active(&self) -> &Seat {
        &self.seats[self.active]
    }

    pub fn standby(&self) -> &Seat {
        &self.seats[1 - self.active]
    }

    /// Waits until the standby has taken over, and returns how long after `fault` it said so. Fails if one of the
    /// two promises is broken: at most `bound`, and never two at a time.
    pub async fn takeover(&self, fault: Instant, bound: Duration) -> Duration {
        let first = self.standby().poller.until(ACTIVE, fault, 2 * bound + SLACK).await;
        let took = first.received - fault;
        println!("  {} took over after {:.3} s", self.standby().instance.name, took.as_secs_f64());
        for sample in self.standby().poller.between(fault, first.sent) {
            assert!([PASSIVE, None].contains(&sample.answer), "before it is active it must say 502: {sample:?}");
        }
        // Long enough to see an old one that goes on.
        sleep(Duration::from_millis(500)).await;
        if let Some(last) = self.active().poller.last_active() {
            // The old one was active at some moment after `last.sent`, the new one at some moment before
            // `first.received`.
            assert!(last.sent <= first.received, "two were active for {:?}", last.sent - first.received);
        }
        assert!(took <= bound, "the takeover took {took:?}, more than {bound:?}");
        took
    }

    /// The standby has become the active.
    pub fn swap(&mut self) {
        self.active = 1 - self.active;
    }

    /// A new process in the seat that is not active.
    pub async fn replace_standby(&mut self) {
        let at = 1 - self.active;
        let name = self.seats[at].instance.name.clone();
        self.seats[at] = Seat::start(&self.world, &name).await;
        self.seats[at].instance.ready(STARTS_WITHIN).await;
    }
}
