//! A state of the model: the real [`Lease`] of each instance with its clock, the table, and what is under way.

use flagship::instant::{Instant, WallTime};
use flagship::lease::{Eligibility, Identity, Lease, LeaseConfig, Now, Outcome, RawItem, RequestKind, Timings};
use std::time::Duration;

/// One tick of the model's clocks is one second, so that epochs taken from the wall clock differ.
pub const TICK: Duration = Duration::from_secs(1);

/// Instants begin here.
const ORIGIN: u64 = 1_000;
const WALL_S: u64 = 1_800_000_000;

/// Eight ticks of lease and one of margin: clocks may differ by one tick in eight.
pub fn config() -> LeaseConfig {
    LeaseConfig::new(Timings {
        lease_duration: TICK * 8,
        renew_interval: TICK * 2,
        poll_interval: TICK * 2,
        request_timeout: TICK,
        drift_ppm: 125_000,
        min_margin: Duration::from_millis(1),
        foreign_threshold: TICK * 9,
    })
    .unwrap()
}

/// Ticks of real time within which two clocks differ by one tick at most.
pub const DRIFT_EVERY: u8 = 8;

/// A request under way. It may arrive long after it was given up, and more than once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    pub from: (usize, u8),
    pub id: u64,
    pub kind: RequestKind,
    /// Held up by the network: it arrives at any later time, or never.
    pub held: bool,
}

/// What the driver of one instance does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Doing {
    /// Asks the protocol again when its clock shows this.
    Sleeping(u64),
    /// Waits for the answer to this request, until its clock shows the other.
    Requesting(u64, u64),
    /// Waits for writes to the clusters.
    Draining,
    /// Has given the lease up for good.
    Ended,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Node {
    pub lease: Lease,
    pub incarnation: u8,
    /// Ticks that its clock has shown.
    pub clock: u64,
    pub doing: Doing,
    /// The answer that has arrived and was not read yet.
    pub answer: Option<(u64, Outcome)>,
    /// It does not run: nothing of it happens until it goes on.
    pub stopped: bool,
    /// Writes that it has made, for its nonces.
    pub nonces: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub real: u8,
    pub nodes: Vec<Node>,
    pub table: Option<RawItem>,
    pub wire: Vec<Message>,
    /// Ticks until a clock may lose another tick.
    pub drift_in: u8,
    /// Faults that may still happen.
    pub faults: u8,
    /// The highest epoch under which a gate was open, and whose it was.
    pub highest: (u64, (usize, u8)),
    /// A gate opened with an epoch that was not above all before it.
    pub epoch_broken: bool,
    /// A driver was told to wait for longer than any rule asks for.
    pub stuck: bool,
    /// What has happened, for the questions whether something can happen.
    pub crashed_active: bool,
    pub stopped_active: bool,
    pub deleted: bool,
    pub takeovers: u8,
}

impl Node {
    pub fn new(index: usize, incarnation: u8, clock: u64) -> Self {
        let me = Identity {
            owner: format!("n{index}"),
            instance_id: format!("{index}.{incarnation}"),
            endpoint: String::new(),
            region: String::new(),
        };
        let mut lease = Lease::new(config(), me);
        lease.set_eligibility(Eligibility::Yes);
        let doing = Doing::Sleeping(clock);
        Self { lease, incarnation, clock, doing, answer: None, stopped: false, nonces: 0 }
    }

    pub fn now(&self, real: u8) -> Now {
        Now {
            boot: Instant::from_origin(TICK * u32::try_from(ORIGIN + self.clock).unwrap()),
            wall: WallTime::from_unix_ms((WALL_S + u64::from(real)) * 1000),
        }
    }

    /// The clock that `at` stands for, in ticks.
    pub fn ticks(at: Instant) -> u64 {
        at.since_origin().as_secs().saturating_sub(ORIGIN)
    }

    /// The epoch under which the gate is open.
    pub fn open(&self, real: u8) -> Option<u64> {
        let now = self.now(real).boot;
        self.lease.permit().filter(|permit| now < permit.deadline).map(|permit| permit.epoch)
    }
}

impl State {
    /// Nodes whose gate is open.
    pub fn open(&self) -> impl Iterator<Item = (usize, u64)> + '_ {
        let open = |(index, node): (usize, &Node)| node.open(self.real).map(|epoch| (index, epoch));
        self.nodes.iter().enumerate().filter_map(open)
    }

    /// Remembers what an open gate shows (S3).
    pub fn note_epochs(&mut self) {
        let open: Vec<(usize, u64)> = self.open().collect();
        for (index, epoch) in open {
            let author = (index, self.nodes[index].incarnation);
            let (highest, whose) = self.highest;
            if author == whose && epoch == highest {
                continue;
            }
            self.epoch_broken |= epoch <= highest;
            if author != whose && highest > 0 {
                self.takeovers = self.takeovers.saturating_add(1);
            }
            self.highest = (highest.max(epoch), author);
        }
    }
}
