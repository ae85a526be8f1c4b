//! The world around whole instances: table, clusters and faults, one event after the other.
//!
//! A process hears of the outside by events alone. So each may run by itself up to the earliest event there is; what
//! it sends on the way may bring an earlier one, and then the world looks again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use flagship::instant::Instant;
use flagship::lease::Eligibility;

use super::super::clocks::Clocks;
use super::super::judge::{self, Author, Recorded, Violation};
use super::super::plan::{Broken, Plan, micros};
use super::super::record::Settled;
use super::super::report::Report;
use super::super::rng::Rng;
use super::super::table::{Replication, Table};
use super::super::world::released;
use super::instance::{Incoming, Instance};
use super::network::Asked;
use super::strikes;

pub enum Event {
    /// A request arrives at the table.
    Arrive(Asked),
    /// Something arrives in a process.
    Deliver(Author, Incoming),
    /// A process comes to see the clusters, or loses sight of them.
    Sees(Author, Eligibility),
    /// The caches of a process follow the clusters.
    Observe(Author),
    Replicate(Replication),
    /// A stopped process goes on.
    Continue(usize),
    /// A process starts on this machine, if none runs.
    Start(usize),
    Fault,
    Heal,
}

pub struct World {
    pub seed: u64,
    pub plan: Plan,
    pub rng: Rng,
    pub now: u64,
    pub nodes: Vec<Instance>,
    pub table: Table,
    pub record: Vec<Recorded>,
    pub report: Report,
    pub healed: bool,
    trace: bool,
    pub settled: Settled,
    queue: BTreeMap<(u64, u64), Event>,
    scheduled: u64,
}

impl World {
    pub fn new(seed: u64, broken: Broken, trace: bool) -> Self {
        let mut rng = Rng::new(seed);
        let plan = Plan::new(broken, &mut rng);
        let nodes =
            (0..plan.nodes).map(|index| Instance::new(index, Clocks::new(&mut rng, plan.real_drift_ppm))).collect();
        let first = plan.first_item.map(|(epoch, version)| released(epoch, version));
        let table = Table::new(first, plan.nodes, broken == Broken::EventualTable);
        let mut world = Self {
            seed,
            plan,
            rng,
            now: 0,
            nodes,
            table,
            record: Vec::new(),
            report: Report::default(),
            healed: false,
            trace,
            settled: Settled::default(),
            queue: BTreeMap::new(),
            scheduled: 0,
        };
        for index in 0..world.plan.nodes {
            let start = world.rng.between(0, world.plan.fault_gap);
            world.at(start, Event::Start(index));
        }
        world.at(world.plan.fault_gap, Event::Fault);
        world.at(world.plan.heal_at, Event::Heal);
        world
    }

    /// Runs to the end: faults, healing, the time to settle, and two leases more in which exactly one may write.
    pub fn run(mut self) -> (Report, Vec<Violation>) {
        self.run_until(self.plan.heal_at);
        let last_stop = self.nodes.iter().filter_map(|node| node.stopped_until).max().unwrap_or(0);
        let settled_by = last_stop.max(self.now) + self.plan.settle();
        let end = settled_by + micros(self.plan.lease()) * 2;
        self.run_until(end);
        let mut violations = judge::judge(&self.record);
        violations.extend(judge::outruns(&self.record, &self.settled.foreign, self.plan.outrun_within()));
        let late = self.record.iter().filter(|write| write.sent >= settled_by);
        let authors: BTreeSet<Author> = late.map(|write| write.author).collect();
        if authors.len() != 1 {
            let item = self.table.item();
            violations.push(Violation::NotLive(format!("{authors:?} wrote in the end; the item is {item:?}")));
        }
        self.report.takeovers = self.record.iter().map(|write| write.epoch).collect::<BTreeSet<_>>().len() as u64;
        self.report.finish(end, &self.record);
        (self.report, violations)
    }

    fn run_until(&mut self, end: u64) {
        loop {
            let earliest = self.queue.first_key_value().map_or(u64::MAX, |((at, _), _)| *at);
            if self.advance(earliest.min(end)) {
                continue;
            }
            if earliest > end {
                break;
            }
            let Some(((at, _), event)) = self.queue.pop_first() else { break };
            self.now = self.now.max(at);
            self.happen(event);
        }
        self.now = end;
    }

    /// Lets every process run up to `to`. True if something left one of them meanwhile.
    fn advance(&mut self, to: u64) -> bool {
        let mut news = false;
        for index in 0..self.nodes.len() {
            while self.nodes[index].is_behind(to) {
                let sent = self.nodes[index].run(to);
                let is_news = !sent.is_empty();
                for message in sent {
                    self.leaves(index, message);
                }
                self.look_after(index);
                if is_news {
                    news = true;
                    break;
                }
            }
        }
        news
    }

    /// Whether the process has stopped by itself, or ended.
    fn look_after(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        let Some(process) = &node.process else { return };
        if process.has_ended() {
            self.tell(|| format!("node {index} has ended"));
            self.nodes[index].die();
            let lease = micros(self.plan.lease());
            let back = if self.healed { 1_000 } else { self.rng.between(1_000, lease * 2) };
            self.at(self.now + back, Event::Start(index));
        } else if let Some(local) = process.stopped_itself_until() {
            let until = self.real_of(index, local);
            self.tell(|| format!("node {index} stops where it is, until {until} us"));
            self.stop_until(index, until);
        }
    }

    pub fn at(&mut self, real: u64, event: Event) {
        self.scheduled += 1;
        self.queue.insert((real.max(self.now), self.scheduled), event);
    }

    pub fn deliver(&mut self, index: usize, incoming: Incoming) {
        self.at(self.now, Event::Deliver(self.nodes[index].author(), incoming));
    }

    /// The process does not run until then, wherever it is.
    pub fn stop_until(&mut self, index: usize, until: u64) {
        let node = &mut self.nodes[index];
        if node.process.is_some() {
            let until = until.max(node.stopped_until.unwrap_or(0));
            node.stopped_until = Some(until);
            self.at(until, Event::Continue(index));
        }
    }

    pub fn tell(&self, text: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12.6} s  {}", self.now as f64 / 1e6, text());
        }
    }

    /// The real time at which the boot clock of `index` shows `local`.
    pub fn real_of(&self, index: usize, local: u64) -> u64 {
        self.nodes[index].clocks.real_of(Instant::from_origin(Duration::from_micros(local)), 0)
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrive(asked) => self.serve(&asked),
            Event::Deliver(author, incoming) => {
                if self.nodes[author.0].author() == author {
                    self.nodes[author.0].deliver(incoming);
                }
            }
            Event::Sees(author, eligibility) => self.sees(author, eligibility),
            Event::Observe(author) => self.observe(author),
            Event::Replicate(news) => self.table.replicate(&news),
            Event::Continue(index) => {
                if self.nodes[index].stopped_until.is_some_and(|until| until <= self.now) {
                    self.tell(|| format!("node {index} goes on"));
                    let now = self.now;
                    self.nodes[index].go_on(now);
                }
            }
            Event::Start(index) if self.nodes[index].process.is_none() => self.start(index),
            Event::Start(_) => {}
            Event::Fault => strikes::strike(self),
            Event::Heal => strikes::heal(self),
        }
    }

    fn start(&mut self, index: usize) {
        let now = self.now;
        self.nodes[index].start(&self.plan, self.seed, now);
        let author = self.nodes[index].author();
        self.tell(|| format!("node {index} starts as process {}", author.1));
        let lease = micros(self.plan.lease());
        let takes = if self.healed { lease / 20 } else { self.rng.between(1_000, lease) };
        let sees_all = self.healed || self.rng.chance(85);
        let eligibility = if sees_all { Eligibility::Yes } else { Eligibility::Reluctant };
        self.at(now + takes, Event::Observe(author));
        self.at(now + takes, Event::Sees(author, eligibility));
    }

    /// A stopped process sees nothing until it goes on.
    fn sees(&mut self, author: Author, eligibility: Eligibility) {
        let node = &mut self.nodes[author.0];
        if node.author() != author {
            return;
        }
        match node.stopped_until {
            Some(until) => self.at(until + 1, Event::Sees(author, eligibility)),
            None => node.deliver(Incoming::Sees(eligibility, self.settled.highest(&self.record, self.now))),
        }
    }

    fn observe(&mut self, author: Author) {
        let node = &self.nodes[author.0];
        let (Some(process), true) = (&node.process, node.author() == author) else { return };
        if node.stopped_until.is_none() {
            process.sees_epoch(self.settled.highest(&self.record, self.now));
        }
        let again = self.now + micros(self.plan.lease()) / 8;
        self.at(again, Event::Observe(author));
    }
}
