//! The lease table. Linearizable as assumption A1 asks; or, to show that the judge sees what comes of it, a
//! global table with eventual consistency, where every Region has a replica of its own and the last writer wins.

use flagship::lease::{Outcome, RawItem, RequestKind};
use flagship::store::memory::apply;

use super::rng::Rng;

#[derive(Default)]
pub struct Table {
    replicas: Vec<Replica>,
    eventual: bool,
    /// Copies of the item, for restoring.
    backups: Vec<Option<RawItem>>,
}

#[derive(Clone, Default)]
struct Replica {
    item: Option<RawItem>,
    written_at: u64,
}

/// A write on its way to the other Regions.
#[derive(Clone)]
pub struct Replication {
    item: Option<RawItem>,
    written_at: u64,
}

impl Table {
    pub fn new(item: Option<RawItem>, nodes: usize, eventual: bool) -> Self {
        let replicas = if eventual { nodes } else { 1 };
        Self { replicas: vec![Replica { item, written_at: 0 }; replicas], eventual, backups: Vec::new() }
    }

    /// Serves a request of `node`. A write to an eventual table also returns what the others will hear of it.
    pub fn serve(&mut self, node: usize, real: u64, request: &RequestKind) -> (Outcome, Option<Replication>) {
        let replica = &mut self.replicas[if self.eventual { node } else { 0 }];
        let outcome = apply(&mut replica.item, "flagship", request);
        let Outcome::Applied(item) = &outcome else { return (outcome, None) };
        replica.written_at = real;
        let news = self.eventual.then(|| Replication { item: Some(item.clone()), written_at: real });
        (outcome, news)
    }

    /// A write of one Region arrives in all the others.
    pub fn replicate(&mut self, news: &Replication) {
        for replica in &mut self.replicas {
            if replica.written_at < news.written_at {
                (replica.item, replica.written_at) = (news.item.clone(), news.written_at);
            }
        }
    }

    /// What stands there.
    pub fn item(&self) -> Option<&RawItem> {
        self.replicas[0].item.as_ref()
    }

    /// Somebody else changes the item, at once and everywhere.
    pub fn edit(&mut self, real: u64, change: impl FnOnce(&mut Option<RawItem>)) {
        let mut item = self.replicas[0].item.clone();
        change(&mut item);
        for replica in &mut self.replicas {
            *replica = Replica { item: item.clone(), written_at: real };
        }
    }

    pub fn back_up(&mut self) {
        let copy = self.item().cloned();
        self.backups.push(copy);
    }

    /// Puts an older copy back (breaks assumption A1 when somebody holds the lease).
    pub fn restore(&mut self, rng: &mut Rng, real: u64, which: impl Fn(&RawItem) -> bool) {
        let copies: Vec<_> = self.backups.iter().filter(|copy| copy.as_ref().is_none_or(&which)).cloned().collect();
        let Some(last) = (copies.len() as u64).checked_sub(1) else { return };
        let copy = copies[usize::try_from(rng.between(0, last)).unwrap()].clone();
        self.edit(real, |item| *item = copy);
    }
}
