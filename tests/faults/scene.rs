//! A pair under load, what its judges recorded, and what is done to it.

use std::sync::Arc;
use std::time::Duration;

use flagship::clock::{Clock, SystemClock};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::firewall::Dropping;
use super::kinds::{Fault, Kind, On};
use super::requests::Requests;
use super::seat::Seat;
use super::table::{Item, Table};
use super::wall_clock;
use crate::process::epochs::Recorder;
use crate::process::figures::any_phase;
use crate::process::load::Load;
use crate::process::pair::STARTS_WITHIN;
use crate::process::poll::{ACTIVE, PASSIVE};
use crate::process::proxy::Way;
use crate::process::world::World;

/// One change in each of two clusters: a change every 200 ms.
const EVERY: Duration = Duration::from_millis(400);
/// How long a state must last to count.
const LASTS: Duration = Duration::from_millis(1000);

pub struct Scene {
    pub world: Arc<World>,
    pub seats: [Seat; 2],
    /// Which seat is active.
    pub active: usize,
    pub recorder: Recorder,
    pub requests: Requests,
    /// How many late requests were refused so far.
    pub late_refused: usize,
    pub load: Load,
    table: Table,
    /// The item as it was once; the oldest first.
    copies: Vec<Item>,
    /// Where the wall clocks stand, in seconds from the true time.
    offsets: [i64; 2],
}

impl Scene {
    /// The first becomes active, the second a warm standby.
    pub async fn set(world: &Arc<World>, with_clocks: bool) -> Self {
        let (recorder, requests) = (Recorder::start(world).await, Requests::start(world));
        let load = Load::start_every(world, EVERY).await;
        let first = Seat::start(world, "east", with_clocks).await;
        first.poller.until(ACTIVE, first.instance.started, 2 * STARTS_WITHIN).await;
        let second = Seat::start(world, "west", with_clocks).await;
        second.instance.ready(2 * STARTS_WITHIN).await;
        let (world, table) = (Arc::clone(world), Table::of(world));
        Self {
            world,
            seats: [first, second],
            active: 0,
            recorder,
            requests,
            late_refused: 0,
            load,
            table,
            copies: vec![],
            offsets: [0, 0],
        }
    }

    pub fn active(&self) -> &Seat {
        &self.seats[self.active]
    }

    pub fn other(&self) -> &Seat {
        &self.seats[1 - self.active]
    }

    /// Keeps a copy of the item for later.
    pub async fn copy_item(&mut self) {
        self.copies.extend(self.table.item().await);
    }

    fn struck(&self, on: On) -> &'static [usize] {
        match (on, self.active) {
            (On::All, _) => &[0, 1],
            (On::Active, 0) | (On::Passive, 1) => &[0],
            (On::Active | On::Passive, _) => &[1],
        }
    }

    /// Lets the fault begin.
    pub async fn strike(&mut self, kind: &Kind) {
        if matches!(kind.fault, Fault::Sleeps) {
            Load::burst(&self.world);
            sleep(any_phase() / 13).await;
        }
        for at in self.struck(kind.on).iter().copied() {
            self.strike_one(at, kind.fault);
        }
        match kind.fault {
            Fault::TableGone { .. } => self.table.delete().await,
            Fault::ItemGone => self.table.delete_item().await,
            Fault::ItemOlder => self.table.put(self.copies[0].clone()).await,
            Fault::ItemForeign => self.table.put(Table::admirals(SystemClock.wall().unix_s())).await,
            _ => {}
        }
    }

    fn strike_one(&mut self, at: usize, fault: Fault) {
        let seat = &mut self.seats[at];
        match fault {
            Fault::Ends(signal) => {
                seat.instance.signal(signal);
                seat.alive = false;
            }
            Fault::Sleeps => seat.instance.signal(Signal::STOP),
            Fault::Network(way) => seat.network.set(way),
            Fault::Packets => seat.dropping = Some(Dropping::at(&seat.network.endpoint)),
            Fault::Answers(refusal) => seat.injector.set(Some(refusal)),
            Fault::ApiServer(way) => seat.beta.set(way),
            Fault::Clock(by) => {
                self.offsets[at] = if self.offsets[at] == 0 { by } else { 0 };
                wall_clock::set(&seat.clock, self.offsets[at]);
            }
            Fault::TableGone { .. } | Fault::ItemGone | Fault::ItemOlder | Fault::ItemForeign => {}
        }
    }

    /// Ends whatever fault there is. Returns when.
    pub async fn heal(&mut self, kind: &Kind, kept: Option<Item>) -> Instant {
        let healed = Instant::now();
        if let Fault::TableGone { keeps_item } = kind.fault {
            self.table.make().await;
            if let Some(item) = kept.filter(|_| keeps_item) {
                self.table.put(item).await;
            }
        }
        for seat in &mut self.seats {
            seat.network.set(Way::Pass);
            seat.dropping = None;
            seat.injector.set(None);
            seat.beta.set(Way::Pass);
            if matches!(kind.fault, Fault::Sleeps) {
                seat.instance.signal(Signal::CONT);
            }
            if !seat.alive {
                seat.restart(&self.world);
                seat.instance.ready(2 * STARTS_WITHIN).await;
            }
        }
        healed
    }

    /// The item as it is, if the fault is one that needs it back.
    pub async fn keep(&self, kind: &Kind) -> Option<Item> {
        match kind.fault {
            Fault::TableGone { .. } => self.table.item().await,
            _ => None,
        }
    }

    /// Waits until exactly one has been active for a second, and returns which, and since when.
    pub async fn one_active(&self, from: Instant, within: Duration) -> Result<(usize, Instant), String> {
        let mut current: Option<(usize, Instant)> = None;
        loop {
            let says = self.seats.each_ref().map(|seat| {
                let last = if seat.alive { seat.poller.last_answer(from) } else { None };
                last.and_then(|sample| sample.answer)
            });
            let one = match says {
                [ACTIVE, PASSIVE | None] => Some(0),
                [PASSIVE | None, ACTIVE] => Some(1),
                _ => None,
            };
            current = match (one, current) {
                (Some(one), Some((before, since))) if one == before => Some((one, since)),
                (Some(one), _) => Some((one, Instant::now())),
                (None, _) => None,
            };
            if let Some((one, since)) = current
                && since.elapsed() >= LASTS
            {
                return Ok((one, since));
            }
            if from.elapsed() > within + LASTS {
                return Err(format!("not exactly one active {within:?} after healing: the two say {says:?}"));
            }
            sleep(Duration::from_millis(5)).await;
        }
    }
}
