//! The network of the world of whole instances: what becomes of a message that has left a process.

use std::sync::{Arc, Mutex};

use flagship::lease::{Outcome, RequestKind};
use tokio::sync::oneshot;

use super::super::judge::{Author, Recorded};
use super::super::rng::Rng;
use super::super::world;
use super::instance::{Incoming, Outgoing, Packet};
use super::world::{Event, World};

/// A request on its way to the table. Copies share the answer.
#[derive(Clone)]
pub struct Asked {
    from: Author,
    kind: RequestKind,
    reply: Arc<Mutex<Option<oneshot::Sender<Outcome>>>>,
}

impl World {
    /// Something has left a process.
    pub fn leaves(&mut self, index: usize, message: Outgoing) {
        match message {
            Outgoing::Request { at, kind, reply } => {
                self.nodes[index].requests += 1;
                let requests = self.nodes[index].requests;
                let mut rng = Rng::new(self.seed ^ (requests << 20) ^ ((index as u64) << 60));
                let sent = self.real_of(index, at);
                self.tell(|| format!("node {index} asks the table at {sent} us: {}", shown(&kind)));
                let asked = Asked { from: self.nodes[index].author(), kind, reply: Arc::new(Mutex::new(Some(reply))) };
                let link = self.nodes[index].link;
                let copies = if rng.chance(link.duplicate) { 2 } else { 1 };
                for _ in 0..copies {
                    if rng.chance(link.lose_request) {
                        self.report.count("request lost");
                        continue;
                    }
                    let delay = self.travel(index, &mut rng, "request late");
                    self.at(sent + delay, Event::Arrive(asked.clone()));
                }
            }
            Outgoing::Write { at, packet, reply } => self.write(index, at, &packet, reply),
        }
    }

    /// A cluster carries out what has left, whether or not anybody still waits for it.
    fn write(&mut self, index: usize, at: u64, packet: &Packet, reply: oneshot::Sender<()>) {
        let mut rng = Rng::new(!packet.number);
        let node = &self.nodes[index];
        let (author, sent) = (node.author(), self.real_of(index, at));
        let bound = node.clocks.shortest(packet.left).max(1);
        let quick = rng.between(1, bound);
        let effect = sent + if rng.chance(30) { bound } else { quick };
        self.tell(|| format!("node {index} writes with epoch {} at {sent} us, effect at {effect} us", packet.epoch));
        let (epoch, residual, synced) = (packet.epoch, packet.residual, packet.synced);
        self.record.push(Recorded { author, epoch, sent, effect, residual, synced });
        if !rng.chance(10) {
            let answered = effect + rng.between(100, 20_000);
            self.at(answered, Event::Deliver(author, Incoming::Written(reply)));
        }
    }

    /// The time that something takes over this machine's network; sometimes far too long.
    fn travel(&mut self, index: usize, rng: &mut Rng, late: &'static str) -> u64 {
        let link = self.nodes[index].link;
        if rng.chance(link.hold_back) {
            self.report.count(late);
            return rng.between(1_000, self.plan.latest());
        }
        rng.between(200, link.slowest_us.max(200))
    }

    /// A request arrives at the table, is served, and its answer goes back.
    pub fn serve(&mut self, asked: &Asked) {
        let index = asked.from.0;
        let (outcome, news) = self.table.serve(index, self.now, &asked.kind);
        self.tell(|| format!("the table answers {:?}: {}", asked.from, world::shown(&outcome)));
        if let Some(news) = news {
            let lag = self.rng.between(50_000, 1_000_000);
            self.at(self.now + lag, Event::Replicate(news));
        }
        let mut rng = Rng::new(self.rng.between(0, u64::MAX - 1));
        if rng.chance(self.nodes[index].link.lose_answer) {
            self.report.count("answer lost");
            return;
        }
        let delay = self.travel(index, &mut rng, "answer late");
        if let Some(reply) = asked.reply.lock().unwrap().take() {
            self.at(self.now + delay, Event::Deliver(asked.from, Incoming::Answer(reply, outcome)));
        }
    }
}

fn shown(kind: &RequestKind) -> String {
    match kind {
        RequestKind::Read => "read".to_owned(),
        RequestKind::Write(write) => format!("{:?} {:?}", write.purpose, write.expect),
    }
}
