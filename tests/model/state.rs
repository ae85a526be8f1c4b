//! A state of the model: the real [`Lease`] of each instance with its clock, the table, and what is under way.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use flagship::instant::{Instant, WallTime};
use flagship::lease::record::{Attribute, PAUSED};
use flagship::lease::{Eligibility, Identity, Lease, LeaseConfig, Now, Outcome, Permit, RawItem, RequestKind, Timings};

use super::canonical::canonical;

/// One tick of the model's clocks is one second, so that epochs taken from the wall clock differ.
pub const TICK: Duration = Duration::from_secs(1);

/// Instants begin here.
pub const ORIGIN: u64 = 1_000;
pub const WALL_S: u64 = 1_800_000_000;
pub const FIRST_EPOCH: u64 = 7_000;

/// Ticks that a write to a cluster may take.
pub const WRITE: u32 = 3;

/// Five ticks of lease and one of margin: clocks may differ by one tick in five.
pub fn config() -> LeaseConfig {
    LeaseConfig::new(Timings {
        lease_duration: TICK * 5,
        renew_interval: TICK,
        poll_interval: TICK,
        request_timeout: TICK,
        drift_ppm: 200_000,
        min_margin: Duration::from_millis(1),
        foreign_threshold: TICK * 6,
    })
    .unwrap()
}

/// Ticks of real time within which two clocks differ by one tick at most.
pub const DRIFT_EVERY: u8 = 5;

/// A request under way. It may arrive long after it was given up, and more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub from: (usize, u8),
    pub id: u64,
    pub kind: RequestKind,
    /// Held up by the network: it arrives at any later time, or never.
    pub held: bool,
}

/// What the driver of one instance does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Asks the protocol again when its clock shows this.
    Sleeping(u64),
    /// Waits for the answer to this request, until its clock shows the other.
    Requesting(u64, u64),
    /// Waits for writes to the clusters, at most until then.
    Draining(u64),
    /// Has given the lease up for good.
    Ended,
    /// Crashed.
    Down,
}

/// A process. It shares its place between the states that do not touch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub lease: Lease,
    pub incarnation: u8,
    pub doing: Doing,
    /// The answer that has arrived and was not read yet.
    pub answer: Option<(u64, Outcome)>,
    /// Its last request.
    pub last_id: u64,
    /// Writes that it has made, for its nonces.
    pub nonces: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub process: Arc<Process>,
    /// It does not run: nothing of it happens until it goes on.
    pub stopped: bool,
    /// It was stopped where a write may have passed the gate's last check and not left yet.
    pub armed: bool,
    /// Until its clock shows this a write that has left may still take effect.
    pub busy_until: u64,
}

/// How the last active came to an end, or what else ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Since {
    Crash,
    Stop,
    Switchover,
    Deletion,
    Outage,
    /// The active saw a higher epoch than its own.
    Seen,
    /// A write left late, of a process that was stopped after the gate's last check.
    Residual,
}

#[derive(Clone, Debug)]
pub struct State {
    pub real: u32,
    pub clocks: Vec<u64>,
    pub nodes: Vec<Node>,
    pub table: Option<Arc<RawItem>>,
    /// In the order of senders and requests.
    pub wire: Vec<Arc<Message>>,
    /// Ticks until a clock may stand still for one.
    pub drift_in: u8,
    /// Faults that may still happen.
    pub faults: u8,
    /// Nobody reaches the table.
    pub outage: bool,
    /// The highest epoch under which a gate was open, and whose it was.
    pub highest: (u64, (usize, u8)),
    /// A gate opened with an epoch that was not above all before it.
    pub epoch_broken: bool,
    /// A driver was told to wait for longer than any rule asks for.
    pub stuck: bool,
    /// Ticks without exactly one open gate, while nothing is in the way of it.
    pub leaderless: u8,
    /// What happened within this tick.
    pub prompt_steps: u8,
    /// What ended; until somebody is active.
    pub since: Option<Since>,
    /// What this very step has shown.
    pub shown: Option<Since>,
}

impl Hash for State {
    fn hash<H: Hasher>(&self, to: &mut H) {
        canonical(self).hash(to);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        canonical(self) == canonical(other)
    }
}

impl Process {
    /// A process begins: it has seen nothing.
    pub fn new(index: usize, incarnation: u8, clock: u64) -> Self {
        let me = Identity {
            owner: format!("%{index}"),
            instance_id: format!("%{index}.{incarnation}"),
            endpoint: String::new(),
            region: String::new(),
        };
        let mut lease = Lease::new(config(), me);
        lease.set_eligibility(Eligibility::Yes);
        Self { lease, incarnation, doing: Doing::Sleeping(clock), answer: None, last_id: 0, nonces: 0 }
    }

    pub fn is_running(&self) -> bool {
        !matches!(self.doing, Doing::Ended | Doing::Down)
    }
}

impl State {
    pub fn process(&mut self, index: usize) -> &mut Process {
        Arc::make_mut(&mut self.nodes[index].process)
    }

    /// What `index` reads from its clocks. The wall clocks go right: rule 7 has tests of its own.
    pub fn now(&self, index: usize) -> Now {
        Now {
            boot: Instant::from_origin(Duration::from_secs(ORIGIN + self.clocks[index])),
            wall: WallTime::from_unix_ms((WALL_S + u64::from(self.real)) * 1000),
        }
    }

    /// The clock that `at` stands for, in ticks.
    pub fn ticks(at: Instant) -> u64 {
        at.since_origin().as_secs().saturating_sub(ORIGIN)
    }

    /// The permit under which the gate of `index` is open.
    pub fn permit(&self, index: usize) -> Option<Permit> {
        let process = &self.nodes[index].process;
        let now = self.now(index).boot;
        process.lease.permit().filter(|permit| process.doing != Doing::Down && now < permit.deadline)
    }

    /// Instances whose gate is open, with their epochs.
    pub fn open(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        (0..self.nodes.len()).filter_map(|index| self.permit(index).map(|permit| (index, permit.epoch)))
    }

    /// Instances of which a write may take effect now: the gate is open, or one that left earlier is under way.
    pub fn writers(&self) -> usize {
        let writes =
            |index: &usize| self.permit(*index).is_some() || self.clocks[*index] < self.nodes[*index].busy_until;
        (0..self.nodes.len()).filter(writes).count()
    }

    /// Whether the answer to `message` would be read.
    pub fn awaits(&self, message: &Message) -> bool {
        let process = &self.nodes[message.from.0].process;
        process.incarnation == message.from.1
            && process.answer.is_none()
            && matches!(process.doing, Doing::Requesting(id, _) if id == message.id)
    }

    /// A write may leave whenever the gate lets it, and takes all the time that it may.
    pub fn note_writes(&mut self) {
        for index in 0..self.nodes.len() {
            let now = self.now(index).boot;
            let node = &mut self.nodes[index];
            let runs = !node.stopped && node.process.doing != Doing::Down;
            if runs && node.process.lease.permit().is_some_and(|permit| permit.covers(now, TICK * WRITE)) {
                node.busy_until = self.clocks[index] + u64::from(WRITE);
            }
        }
    }

    /// Remembers what an open gate shows (S3), and that somebody is active again.
    pub fn note_epochs(&mut self) {
        let open: Vec<(usize, u64)> = self.open().collect();
        for (index, epoch) in &open {
            let author = (*index, self.nodes[*index].process.incarnation);
            let (highest, whose) = self.highest;
            let again = self.since == Some(Since::Outage) && open.len() == 1;
            if author == whose && *epoch == highest && !again {
                continue;
            }
            self.epoch_broken |= *epoch < highest || (*epoch == highest && author != whose);
            let raised = self.since == Some(Since::Seen) && author == whose;
            if highest > 0 && (author != whose || again || raised) {
                self.shown = self.since.take();
            }
            self.highest = (highest.max(*epoch), author);
        }
    }

    /// Whether there is a reason why not exactly one should become active.
    pub fn is_excused(&self) -> bool {
        let paused = self.table.as_ref().is_some_and(|item| item.get(PAUSED) == Some(&Attribute::Bool(true)));
        let runs = |node: &Node| !node.stopped && node.process.is_running();
        paused || self.outage || !self.nodes.iter().any(runs)
    }
}
