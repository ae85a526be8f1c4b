//! One machine, and the process on it with everything of production between the protocol and the packet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flagship::checker::driver::LeaseDriver;
use flagship::checker::permit::mode;
use flagship::checker::status::StatusBoard;
use flagship::checker::{CheckerContext, Drain};
use flagship::clock::SharedClock;
use flagship::cluster::gate::Gate;
use flagship::lease::{Eligibility, Identity, Outcome, RequestKind};
use futures::future::BoxFuture;
use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::super::clocks::Clocks;
use super::super::judge::Author;
use super::super::node::Link;
use super::super::plan::{Broken, Plan};
use super::clock::{InstanceClock, Machine, Reader};
use super::cluster;
use super::store::WorldStore;
use super::writers::Writers;

/// What leaves a process.
pub enum Outgoing {
    Request { at: u64, kind: RequestKind, reply: oneshot::Sender<Outcome> },
    Write { at: u64, packet: Packet, reply: oneshot::Sender<()> },
}

/// A write that has left.
pub struct Packet {
    pub epoch: u64,
    pub number: u64,
    /// What is left of the time that it may take.
    pub left: Duration,
    pub residual: bool,
    pub synced: bool,
}

/// What arrives in a process.
pub enum Incoming {
    Answer(oneshot::Sender<Outcome>, Outcome),
    Written(oneshot::Sender<()>),
    /// How much of the clusters it sees, and the highest epoch on their objects.
    Sees(Eligibility, u64),
    Terminate,
}

pub struct Process {
    runtime: Runtime,
    /// What the runtime's timers go by.
    timers: u64,
    pub machine: Arc<Machine>,
    eligibility: watch::Sender<Eligibility>,
    shutdown: CancellationToken,
    floor: Arc<AtomicU64>,
}

pub struct Instance {
    pub index: usize,
    pub clocks: Clocks,
    pub link: Link,
    pub process: Option<Process>,
    pub incarnation: u32,
    /// In real time, with what arrives meanwhile.
    pub stopped_until: Option<u64>,
    pub backlog: Vec<Incoming>,
    /// Requests that its processes have made.
    pub requests: u64,
}

/// The gate says at once that nothing is under way.
struct NoDrain;

impl Drain for NoDrain {
    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Instance {
    pub fn new(index: usize, clocks: Clocks) -> Self {
        let link = Link { slowest_us: 20_000, ..Link::default() };
        Self {
            index,
            clocks,
            link,
            process: None,
            incarnation: 0,
            stopped_until: None,
            backlog: Vec::new(),
            requests: 0,
        }
    }

    pub fn author(&self) -> Author {
        (self.index, self.incarnation)
    }

    /// A process begins.
    pub fn start(&mut self, plan: &Plan, seed: u64, real: u64) {
        self.incarnation += 1;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let identity = Identity {
            owner: format!("node-{}", self.index),
            instance_id: format!("uuid-{}-{}", self.index, self.incarnation),
            endpoint: String::new(),
            region: String::new(),
        };
        let seed = seed.wrapping_mul(1_000_003) + (self.index as u64 * 1000 + u64::from(self.incarnation));
        let clocks = self.clocks.clone();
        self.process = Some(Process::start(runtime, plan, clocks, identity, seed, real));
    }

    /// The process is gone, without a word.
    pub fn die(&mut self) {
        self.process = None;
        self.backlog.clear();
        self.stopped_until = None;
    }

    /// Runs the process up to `real`, or until something leaves it or it stops. Returns what left.
    pub fn run(&mut self, real: u64) -> Vec<Outgoing> {
        let to = self.clocks.local(real);
        match &mut self.process {
            Some(process) if self.stopped_until.is_none() => process.run(to),
            _ => Vec::new(),
        }
    }

    /// Until when it has run, in real time, if it is to run now.
    pub fn is_behind(&self, real: u64) -> bool {
        let to = self.clocks.local(real);
        self.stopped_until.is_none() && self.process.as_ref().is_some_and(|process| process.timers < to)
    }

    /// The process stood still until `real`, and everything that was due meanwhile is due now.
    pub fn go_on(&mut self, real: u64) {
        self.stopped_until = None;
        let to = self.clocks.local(real);
        let backlog = std::mem::take(&mut self.backlog);
        if let Some(process) = &mut self.process {
            for incoming in backlog {
                process.deliver(incoming);
            }
            process.jump(to);
        }
    }

    pub fn deliver(&mut self, incoming: Incoming) {
        match &mut self.process {
            Some(_) if self.stopped_until.is_some() => self.backlog.push(incoming),
            Some(process) => process.deliver(incoming),
            None => {}
        }
    }

    /// The clocks were changed from outside.
    pub fn reclock(&mut self) {
        if let Some(process) = &self.process {
            *process.machine.clocks.lock().unwrap() = self.clocks.clone();
        }
    }
}

impl Process {
    fn start(runtime: Runtime, plan: &Plan, clocks: Clocks, identity: Identity, seed: u64, real: u64) -> Self {
        let entered = runtime.enter();
        let machine = Arc::new(runtime.block_on(async { Machine::new(clocks, real) }));
        let clock = |reader| -> SharedClock { Arc::new(InstanceClock { machine: Arc::clone(&machine), reader }) };
        let (writer, reader) = mode();
        let bound = if plan.broken == Broken::NoWriteBound { Duration::from_millis(1) } else { plan.write_timeout };
        let gate = Arc::new(Gate::new(reader.clone(), clock(Reader::Gate), bound));
        let (eligibility, sees) = watch::channel(Eligibility::No);
        let shutdown = CancellationToken::new();
        let floor = Arc::new(AtomicU64::new(0));
        let context = CheckerContext {
            mode: writer,
            board: StatusBoard::new("dynamodb", clock(Reader::Checker)),
            clock: clock(Reader::Checker),
            shutdown: shutdown.clone(),
            eligibility: sees,
            epoch_floor: Arc::clone(&floor),
            drain: if plan.broken == Broken::ReleaseBeforeDrain { Arc::new(NoDrain) } else { gate.clone() },
        };
        let store = Arc::new(WorldStore { machine: Arc::clone(&machine) });
        let driver = LeaseDriver::new(plan.config, identity, store);
        let ending = Arc::clone(&machine);
        runtime.spawn(async move {
            driver.run(context).await.expect("the store is never refused");
            ending.ended.store(true, Ordering::Relaxed);
            ending.look.notify_one();
        });
        let target = cluster::target(&machine, plan.write_timeout);
        let writers = Writers {
            gate,
            target,
            machine: Arc::clone(&machine),
            mode: reader,
            lease: plan.lease(),
            write_timeout: plan.write_timeout,
            seed,
            numbers: Arc::default(),
        };
        writers.start();
        drop(entered);
        Self { runtime, timers: machine.origin, machine, eligibility, shutdown, floor }
    }

    fn run(&mut self, to: u64) -> Vec<Outgoing> {
        let machine = Arc::clone(&self.machine);
        self.timers = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = machine.look.notified() => {}
                () = tokio::time::sleep_until(machine.timer(to)) => {}
            }
            machine.timers()
        });
        std::mem::take(&mut *self.machine.outbox.lock().unwrap())
    }

    /// Time goes on without the process: all timers that were due in between are due at once.
    fn jump(&mut self, to: u64) {
        let machine = Arc::clone(&self.machine);
        self.timers = self.runtime.block_on(async {
            let behind = to.saturating_sub(machine.timers());
            machine.debt.store(0, Ordering::Relaxed);
            tokio::time::advance(Duration::from_micros(behind)).await;
            machine.timers()
        });
    }

    fn deliver(&mut self, incoming: Incoming) {
        match incoming {
            // Whoever gave up does not hear it.
            Incoming::Answer(reply, outcome) => drop(reply.send(outcome)),
            Incoming::Written(reply) => drop(reply.send(())),
            Incoming::Sees(eligibility, epoch) => {
                self.machine.synced.fetch_or(eligibility != Eligibility::No, Ordering::Relaxed);
                // As in production: what the lists say of epochs is known before they count as complete.
                self.sees_epoch(epoch);
                self.eligibility.send_replace(eligibility);
            }
            Incoming::Terminate => self.shutdown.cancel(),
        }
    }

    /// When its boot clock shows this it goes on, if it has stopped in the middle of a step.
    pub fn stopped_itself_until(&self) -> Option<u64> {
        let debt = self.machine.debt.load(Ordering::Relaxed);
        (debt > 0).then_some(self.timers + debt)
    }

    pub fn has_ended(&self) -> bool {
        self.machine.ended.load(Ordering::Relaxed)
    }

    /// An epoch stands on an object in a cluster.
    pub fn sees_epoch(&self, epoch: u64) {
        if self.machine.synced.load(Ordering::Relaxed) {
            self.floor.fetch_max(epoch, Ordering::Relaxed);
        }
    }

    /// No stop strikes any more.
    pub fn disarm(&self) {
        let stops = &self.machine.stops;
        for armed in [&stops.checker, &stops.gate, &stops.packet, &stops.sent] {
            armed.store(0, Ordering::Relaxed);
        }
    }
}
