//! One machine and the process on it, as far as it can be written down: the real lease, its driver's place in the
//! loop, and the writes that are under way.

use flagship::instant::Instant;
use flagship::lease::{Eligibility, Identity, Lease, Outcome, Permit, RequestKind};

use super::clocks::Clocks;
use super::judge::Author;
use super::plan::Plan;
use super::rng::Rng;

/// A request to the table on its way.
#[derive(Clone, Debug)]
pub struct Packet {
    pub from: Author,
    pub id: u64,
    pub kind: RequestKind,
}

/// A write that the gate let through and that has not left yet.
#[derive(Clone, Debug)]
pub struct Leaving {
    pub epoch: u64,
    /// It is to take all the time that it may.
    pub slowly: bool,
    /// Its author is stopped between the check and the packet.
    pub residual: bool,
}

/// What happens inside a process. While it is stopped these wait; when it dies they are gone.
#[derive(Clone, Debug)]
pub enum Local {
    /// The driver's sleep is over, if it is still the same sleep.
    Wake(u64),
    /// A request leaves.
    Depart(Packet),
    /// The table's answer is read.
    Answer(u64, Outcome),
    /// A request was given up.
    GiveUp(u64),
    /// The driver waited long enough for writes under way.
    DrainedBy(u64),
    /// The caches follow the clusters: what can be seen there now.
    Synced(Eligibility),
    /// The reconciler looks whether it may write.
    Reconcile,
    /// A change was planned under this epoch and goes to the gate.
    Planned { epoch: u64, slowly: bool },
    /// It passed the gate and leaves.
    Leave(Leaving),
    /// A write was answered or given up.
    WriteEnded,
    /// Somebody asks the process to stop (SIGTERM).
    Terminate,
}

/// Where the driver's loop stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    Sleeping(u64),
    Requesting(u64),
    Draining(u64),
}

/// The network between one machine and the table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    pub lose_request: u64,
    pub lose_answer: u64,
    pub duplicate: u64,
    pub hold_back: u64,
    pub slowest_us: u64,
}

pub struct Process {
    pub lease: Lease,
    pub mode: Option<Permit>,
    pub doing: Doing,
    pub stopping: bool,
    pub asked_to_stop: bool,
    pub eligibility: Eligibility,
    pub synced: bool,
    pub floor: u64,
    pub writes: u32,
    pub nonces: u64,
    pub sleeps: u64,
}

pub struct Node {
    pub index: usize,
    pub clocks: Clocks,
    pub link: Link,
    pub process: Option<Process>,
    /// Counts the processes that have run here.
    pub incarnation: u32,
    /// Stopped until then (SIGSTOP, a stolen CPU, a suspended machine), with what happens meanwhile.
    pub stopped_until: Option<u64>,
    pub backlog: Vec<Local>,
    /// The next request is held up between the protocol's word and the packet, for this long.
    pub stop_before_send: Option<u64>,
    /// The process is stopped right after a request has left: its answer waits.
    pub stop_after_send: Option<u64>,
    /// The same between the gate's check and the packet: the residual.
    pub stop_after_check: Option<u64>,
}

impl Node {
    pub fn new(index: usize, plan: &Plan, rng: &mut Rng) -> Self {
        Self {
            index,
            clocks: Clocks::new(rng, plan.real_drift_ppm),
            link: Link { slowest_us: 20_000, ..Link::default() },
            process: None,
            incarnation: 0,
            stopped_until: None,
            backlog: Vec::new(),
            stop_before_send: None,
            stop_after_send: None,
            stop_after_check: None,
        }
    }

    pub fn author(&self) -> Author {
        (self.index, self.incarnation)
    }

    /// A process begins. It has seen nothing and knows nothing of the one before it.
    pub fn start(&mut self, plan: &Plan) {
        self.incarnation += 1;
        let me = Identity {
            owner: format!("node-{}", self.index),
            instance_id: format!("uuid-{}-{}", self.index, self.incarnation),
            endpoint: String::new(),
            region: String::new(),
        };
        self.process = Some(Process {
            lease: Lease::new(plan.config, me),
            mode: None,
            doing: Doing::Sleeping(0),
            stopping: false,
            asked_to_stop: false,
            eligibility: Eligibility::No,
            synced: false,
            floor: 0,
            writes: 0,
            nonces: 0,
            sleeps: 0,
        });
    }

    /// The process is gone, without a word.
    pub fn die(&mut self) {
        self.process = None;
        self.backlog.clear();
        self.stopped_until = None;
    }

    /// What the health check would say.
    pub fn is_active(&self, real: u64) -> bool {
        let now: Instant = self.clocks.boot(real);
        self.process.as_ref().and_then(|process| process.mode).is_some_and(|permit| now < permit.deadline)
    }
}
