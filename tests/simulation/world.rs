//! The world: machines, network, table and clusters in virtual time, one event after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use flagship::lease::RawItem;
use flagship::lease::record::{Attribute, EPOCH, LEASE_OWNER, VERSION};

use super::faults;
use super::judge::{self, Author, Recorded, Violation};
use super::node::{Local, Node, Packet};
use super::plan::{Broken, Plan};
use super::record::Settled;
use super::report::Report;
use super::rng::Rng;
use super::table::{Replication, Table};
use super::{driver_steps, writer};

/// What happens in the world.
#[derive(Clone)]
pub enum Event {
    /// Something inside a process.
    Local(Author, Local),
    /// A request arrives at the table.
    Arrive(Packet),
    /// A write of one Region arrives in the others (eventual table only).
    Replicate(Replication),
    /// A stopped process goes on.
    Continue(usize),
    /// A process starts on this machine, if none runs.
    Start(usize),
    /// The next fault.
    Fault,
    /// No more faults from here on.
    Heal,
}

struct Due(u64, u64, Event);

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Due {}
impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

pub struct World {
    pub plan: Plan,
    pub rng: Rng,
    pub now: u64,
    pub nodes: Vec<Node>,
    pub table: Table,
    pub record: Vec<Recorded>,
    pub report: Report,
    pub healed: bool,
    pub trace: bool,
    queue: BinaryHeap<Reverse<Due>>,
    scheduled: u64,
    pub settled: Settled,
}

impl World {
    pub fn new(seed: u64, broken: Broken, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(broken, &mut rng);
        let nodes = (0..plan.nodes).map(|index| Node::new(index, &plan, &mut rng)).collect();
        let table = Table::new(
            plan.first_item.map(|(epoch, version)| released(epoch, version)),
            plan.nodes,
            broken == Broken::EventualTable,
        );
        let mut world = Self {
            plan,
            rng,
            now: 0,
            nodes,
            table,
            record: Vec::new(),
            report: Report::default(),
            healed: false,
            trace,
            queue: BinaryHeap::new(),
            scheduled: 0,
            settled: Settled::default(),
        };
        for index in 0..world.plan.nodes {
            let start = world.rng.between(0, world.plan.fault_gap);
            world.after(start, Event::Start(index));
        }
        world.after(world.plan.fault_gap, Event::Fault);
        world.after(world.plan.heal_at, Event::Heal);
        world
    }

    /// Runs to the end: faults, healing, the time to settle, and as long again in which nothing may change.
    pub fn run(mut self) -> (Report, Vec<Violation>) {
        let settled_by = self.plan.heal_at + self.plan.settle();
        let end = settled_by + super::plan::micros(self.plan.lease()) * 2;
        self.run_until(settled_by);
        let first = self.actives();
        self.run_until(end);
        let mut violations = judge::judge(&self.record);
        violations.extend(judge::outruns(&self.record, &self.settled.foreign, self.plan.outrun_within()));
        let last = self.actives();
        if first.len() != 1 || first != last {
            let item = self.table.item();
            violations.push(Violation::NotLive(format!("active {first:?}, later {last:?}; the item is {item:?}")));
        }
        self.report.finish(end, &self.record);
        (self.report, violations)
    }

    /// Runs all that is due until `end`.
    pub fn run_until(&mut self, end: u64) {
        while let Some(Reverse(Due(at, _, _))) = self.queue.peek() {
            if *at > end {
                break;
            }
            let Some(Reverse(Due(at, _, event))) = self.queue.pop() else { break };
            self.now = at;
            self.happen(event);
        }
        self.now = end;
    }

    pub fn at(&mut self, real: u64, event: Event) {
        self.scheduled += 1;
        self.queue.push(Reverse(Due(real.max(self.now), self.scheduled, event)));
    }

    pub fn after(&mut self, delay: u64, event: Event) {
        self.at(self.now + delay, event);
    }

    /// Schedules something inside the process that now runs on `index`.
    pub fn local_at(&mut self, index: usize, real: u64, local: Local) {
        let author = self.nodes[index].author();
        self.at(real, Event::Local(author, local));
    }

    pub fn tell(&self, text: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12.6} s  {}", self.now as f64 / 1e6, text());
        }
    }

    /// Instances whose health check says active.
    pub fn actives(&self) -> Vec<Author> {
        self.nodes.iter().filter(|node| node.is_active(self.now)).map(Node::author).collect()
    }

    /// The highest epoch that stands on any object in the clusters.
    pub fn epoch_in_clusters(&mut self) -> u64 {
        self.settled.highest(&self.record, self.now)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Local(author, local) => self.in_process(author, local),
            Event::Arrive(packet) => self.serve(packet),
            Event::Replicate(news) => self.table.replicate(&news),
            Event::Continue(index) => self.go_on(index),
            Event::Start(index) if self.nodes[index].process.is_none() => {
                self.nodes[index].start(&self.plan);
                self.tell(|| format!("node {index} starts as process {}", self.nodes[index].incarnation));
                driver_steps::begin(self, index);
            }
            Event::Start(_) => {}
            Event::Fault => faults::strike(self),
            Event::Heal => faults::heal(self),
        }
    }

    fn in_process(&mut self, (index, incarnation): Author, local: Local) {
        let node = &mut self.nodes[index];
        if node.incarnation != incarnation || node.process.is_none() {
            return;
        }
        if node.stopped_until.is_some() {
            node.backlog.push(local);
            return;
        }
        match local {
            Local::Reconcile | Local::Planned { .. } | Local::Leave(_) | Local::WriteEnded => {
                writer::step(self, index, local);
            }
            other => driver_steps::step(self, index, other),
        }
    }

    /// A request arrives at the table, is served, and its answer goes back.
    fn serve(&mut self, packet: Packet) {
        let (index, _) = packet.from;
        let (outcome, news) = self.table.serve(index, self.now, &packet.kind);
        self.tell(|| format!("table serves {:?} {}: {}", packet.from, label(&packet), shown(&outcome)));
        if let Some(news) = news {
            let lag = self.rng.between(50_000, 1_000_000);
            self.after(lag, Event::Replicate(news));
        }
        let link = self.nodes[index].link;
        if self.rng.chance(link.lose_answer) {
            self.report.count("answer lost");
            return;
        }
        let delay = driver_steps::travel(self, index, "answer late");
        self.after(delay, Event::Local(packet.from, Local::Answer(packet.id, outcome)));
    }

    fn go_on(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        if node.stopped_until.is_none_or(|until| until > self.now) {
            return;
        }
        node.stopped_until = None;
        let mut backlog = std::mem::take(&mut node.backlog);
        let author = node.author();
        self.tell(|| format!("node {index} goes on"));
        // What waited is ready all at once: any order may come.
        while !backlog.is_empty() {
            let next = usize::try_from(self.rng.between(0, backlog.len() as u64 - 1)).unwrap();
            let local = backlog.swap_remove(next);
            self.in_process(author, local);
        }
    }
}

/// A released item. Terraform's has always the same version.
pub fn released(epoch: u64, version: &str) -> RawItem {
    RawItem::from([
        (LEASE_OWNER.to_owned(), Attribute::S(String::new())),
        (VERSION.to_owned(), Attribute::S(version.to_owned())),
        (EPOCH.to_owned(), Attribute::N(epoch.to_string())),
    ])
}

fn label(packet: &Packet) -> String {
    match &packet.kind {
        flagship::lease::RequestKind::Read => format!("#{} read", packet.id),
        flagship::lease::RequestKind::Write(write) => {
            format!("#{} {:?} {:?} {:?}", packet.id, write.purpose, write.expect, write.set.get(EPOCH))
        }
    }
}

pub fn shown(outcome: &flagship::lease::Outcome) -> String {
    use flagship::lease::Outcome;
    let item = |item: Option<&RawItem>| match item {
        None => "no item".to_owned(),
        Some(item) => [LEASE_OWNER, VERSION, EPOCH].map(|name| format!("{name} {:?}", item.get(name))).join(", "),
    };
    match outcome {
        Outcome::Read(found) => item(found.as_ref()),
        Outcome::Applied(found) => format!("applied, {}", item(Some(found))),
        Outcome::ConditionFailed(found) => format!("refused, {}", item(found.as_ref())),
        Outcome::Unknown(error) => error.clone(),
    }
}
