//! One instance's lease against a table in memory, with time as a number of milliseconds.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use flagship::instant::{Instant, WallTime};
use flagship::lease::record::{EPOCH, LEASE_OWNER, UPDATED_TIME, VERSION};
use flagship::lease::{
    Attribute, Eligibility, Identity, Lease, LeaseConfig, Notice, Now, Outcome, RawItem, Request, Step, Timings,
};
use flagship::store::memory::apply;

pub const LEASE: Duration = Duration::from_secs(10);
pub const MARGIN: Duration = Duration::from_millis(200);
pub const WALL_S: u64 = 1_700_000_000;

/// More than any run here takes.
const MOST_STEPS: u32 = 10_000;

/// The one item of the table.
pub type Table = Option<RawItem>;

/// One instance with a clock that the test moves.
pub struct Node {
    pub lease: Lease,
    pub nonces: u32,
    pub name: &'static str,
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn at(millis: u64) -> Now {
    Now { boot: Instant::from_origin(ms(1_000_000 + millis)), wall: WallTime::from_unix_ms(WALL_S * 1000 + millis) }
}

pub fn config() -> LeaseConfig {
    LeaseConfig::new(Timings::default()).unwrap()
}

impl Node {
    pub fn new(name: &'static str) -> Self {
        let me = Identity {
            owner: name.into(),
            instance_id: format!("uuid-{name}"),
            endpoint: format!("http://{name}"),
            region: "us-west-2".into(),
        };
        let mut lease = Lease::new(config(), me);
        lease.set_eligibility(Eligibility::Yes);
        Self { lease, nonces: 0, name }
    }

    pub fn poll(&mut self, now: Now) -> Step {
        self.nonces += 1;
        let nonce = format!("{}-{}", self.name, self.nonces);
        self.lease.poll(now, &nonce)
    }

    /// The request that is due at `now`.
    pub fn request(&mut self, now: Now) -> Request {
        match self.poll(now) {
            Step::Request(request) => request,
            other => panic!("{}: expected a request, got {other:?}", self.name),
        }
    }

    /// Sends what is due at `now` and gets the answer `rtt` later.
    pub fn exchange(&mut self, table: &mut Table, now: u64, rtt: u64) {
        let request = self.request(at(now));
        let outcome = apply(table, "flagship", &request.kind);
        self.lease.on_outcome(request.id, at(now + rtt), outcome);
    }

    /// Does whatever is due until `until`, answering at once.
    pub fn run(&mut self, table: &mut Table, from: u64, until: u64) -> u64 {
        let mut now = from;
        for _ in 0..MOST_STEPS {
            match self.poll(at(now)) {
                Step::Request(request) => {
                    let outcome = apply(table, "flagship", &request.kind);
                    self.lease.on_outcome(request.id, at(now), outcome);
                }
                Step::Wait(wake) => {
                    let next = u64::try_from(wake.since_origin().as_millis()).unwrap() - 1_000_000;
                    if next > until {
                        return until;
                    }
                    now = next.max(now + 1);
                }
                Step::Drain(_) => self.lease.on_drained(at(now)),
                Step::Done => return now,
            }
        }
        panic!("{}: it never comes to rest between {from} and {until} ms", self.name);
    }

    /// What was to be told since the last time.
    pub fn news(&mut self) -> Vec<String> {
        self.lease.take_notices().iter().map(Notice::to_string).collect()
    }

    pub fn permit_at(&self, millis: u64) -> Option<u64> {
        self.lease.permit().filter(|p| at(millis).boot < p.deadline).map(|p| p.epoch)
    }
}

/// A table whose item is held by `name`, with the first renewal due `renewed_at + 2 s`.
pub fn held_by(name: &'static str) -> (Table, Node) {
    let mut table = released(1);
    let mut node = Node::new(name);
    node.exchange(&mut table, 0, 0);
    node.exchange(&mut table, 0, 0);
    assert_eq!(node.permit_at(1), Some(2));
    (table, node)
}

pub fn released(epoch: u64) -> Table {
    Some(item(&[
        (LEASE_OWNER, Attribute::S(String::new())),
        (VERSION, Attribute::S(format!("released-{epoch}"))),
        (EPOCH, Attribute::N(epoch.to_string())),
    ]))
}

pub fn item(pairs: &[(&str, Attribute)]) -> RawItem {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub fn epoch_of(table: Option<&RawItem>) -> u64 {
    match &table.unwrap()[EPOCH] {
        Attribute::N(n) => n.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

pub fn unknown() -> Outcome {
    Outcome::Unknown("timed out".into())
}

pub fn set(table: &mut Table, name: &str, value: Attribute) {
    table.as_mut().unwrap().insert(name.to_owned(), value);
}

/// An item as a Go Admiral writes it.
pub fn admiral(owner: &str, updated_s: u64) -> Table {
    Some(item(&[
        (LEASE_OWNER, Attribute::S(owner.into())),
        (UPDATED_TIME, Attribute::N(updated_s.to_string())),
        ("notes", Attribute::S("x".into())),
    ]))
}
