//! What one process reads from its machine's clocks, and the stops that strike where it reads them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flagship::clock::Clock;
use flagship::instant::{Instant, WallTime};
use tokio::sync::Notify;

use super::super::clocks::Clocks;
use super::instance::Outgoing;

/// What a process and the world share.
pub struct Machine {
    pub clocks: Mutex<Clocks>,
    /// Local microseconds at the runtime's beginning.
    pub origin: u64,
    begun: tokio::time::Instant,
    /// The process was stopped for so long and the runtime's clock has not been told yet.
    pub debt: AtomicU64,
    pub outbox: Mutex<Vec<Outgoing>>,
    /// Something was sent, or the process stops: the world is to look.
    pub look: Notify,
    /// Whether this process has ever seen the clusters.
    pub synced: AtomicBool,
    /// The driver has returned.
    pub ended: AtomicBool,
    pub stops: Stops,
}

/// Stops that are armed: local microseconds, 0 for none.
#[derive(Default)]
pub struct Stops {
    /// Right after the checker has read its clock, at the how-manieth look.
    pub checker: AtomicU64,
    pub checker_looks: AtomicU64,
    /// Right after the gate has asked, or has looked whether the write is lost: before the transport asks again.
    pub gate: AtomicU64,
    /// After how many looks of the gate; set while a write is handed to it.
    pub gate_looks: AtomicU64,
    pub at_the_gate: AtomicU64,
    /// Right after the last check, before the packet leaves: the residual.
    pub packet: AtomicU64,
    /// Right after a request to the table has left.
    pub sent: AtomicU64,
}

impl Machine {
    /// To be called inside the runtime.
    pub fn new(clocks: Clocks, real: u64) -> Self {
        Self {
            origin: clocks.local(real),
            clocks: Mutex::new(clocks),
            begun: tokio::time::Instant::now(),
            debt: AtomicU64::new(0),
            outbox: Mutex::default(),
            look: Notify::new(),
            synced: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            stops: Stops::default(),
        }
    }

    /// The boot clock, in microseconds.
    pub fn local(&self) -> u64 {
        self.timers() + self.debt.load(Ordering::Relaxed)
    }

    /// What the runtime's timers go by: behind [`Self::local`] while a stop is not paid for.
    pub fn timers(&self) -> u64 {
        self.origin + u64::try_from(self.begun.elapsed().as_micros()).unwrap()
    }

    pub fn boot(&self) -> Instant {
        Instant::from_origin(Duration::from_micros(self.local()))
    }

    /// Real time, which only the world knows.
    pub fn real(&self) -> u64 {
        self.clocks.lock().unwrap().real_of(self.boot(), 0)
    }

    /// The runtime's instant at which the boot clock shows `local`.
    pub fn timer(&self, local: u64) -> tokio::time::Instant {
        self.begun + Duration::from_micros(local.saturating_sub(self.origin))
    }

    /// The process stops here for `span`, in the middle of what it does.
    pub fn stop(&self, span: u64) {
        self.debt.fetch_add(span, Ordering::Relaxed);
        self.look.notify_one();
    }

    pub fn send(&self, message: Outgoing) {
        self.outbox.lock().unwrap().push(message);
        self.look.notify_one();
    }
}

/// Who reads the clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Checker,
    Gate,
}

pub struct InstanceClock {
    pub machine: Arc<Machine>,
    pub reader: Reader,
}

impl Clock for InstanceClock {
    fn now(&self) -> Instant {
        let now = self.machine.boot();
        let stops = &self.machine.stops;
        let span = match self.reader {
            Reader::Checker if is_last(&stops.checker_looks) => stops.checker.swap(0, Ordering::Relaxed),
            Reader::Gate if is_last(&stops.at_the_gate) => stops.gate.swap(0, Ordering::Relaxed),
            _ => 0,
        };
        if span > 0 {
            self.machine.stop(span);
        }
        now
    }

    fn wall(&self) -> WallTime {
        let real = self.machine.real();
        self.machine.clocks.lock().unwrap().now(real).wall
    }
}

/// Counts a look down, if looks are counted.
fn is_last(looks: &AtomicU64) -> bool {
    looks.load(Ordering::Relaxed) > 0 && looks.fetch_sub(1, Ordering::Relaxed) == 1
}
