//! The judge. It reads the writes that the clusters recorded and the real time, and nothing else: what an
//! instance believes of itself is no evidence.

use std::collections::BTreeMap;
use std::fmt;

/// Which process wrote: a node, and the how-manieth process on it.
pub type Author = (usize, u32);

/// One write that a cluster carried out.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub author: Author,
    /// The epoch that it carried.
    pub epoch: u64,
    /// Real time at which it was let go.
    pub sent: u64,
    /// Real time at which it took effect.
    pub effect: u64,
    /// Its author was stopped between the gate's check and the packet: the documented residual.
    pub residual: bool,
    /// Its author had seen the clusters at some time before.
    pub synced: bool,
}

/// An epoch that stands on objects of a cluster without any instance having written it.
pub struct Foreign {
    pub epoch: u64,
    /// Real time from which it can be seen.
    pub since: u64,
}

/// A promise that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// S1: two instances' writes were under way at the same time.
    Overlap { earlier: Author, later: Author, by_us: u64 },
    /// S3: a write took effect with a lower epoch than one before it.
    EpochWentDown { from: u64, to: u64, at: u64 },
    /// S3: a write left with an epoch below a foreign one, long after that could be seen.
    BelowForeign { epoch: u64, foreign: u64, after_us: u64 },
    /// S3: two instances wrote under the same epoch.
    EpochShared { epoch: u64, first: Author, second: Author },
    /// L4: an instance wrote that had never seen the clusters.
    Unsynced(Author),
    /// L1, L3: not exactly one active within the bound after everything was healed.
    NotLive(String),
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// All that the record shows to be broken. Residual writes are not judged here, see [`residuals`].
pub fn judge(record: &[Recorded]) -> Vec<Violation> {
    let mut writes: Vec<&Recorded> = record.iter().filter(|write| !write.residual).collect();
    let mut found = overlaps(&mut writes);
    found.extend(epochs(&mut writes));
    found.extend(writes.iter().find(|write| !write.synced).map(|write| Violation::Unsynced(write.author)));
    found
}

fn overlaps(writes: &mut [&Recorded]) -> Vec<Violation> {
    writes.sort_by_key(|write| write.sent);
    let mut found = Vec::new();
    let mut last_effect: BTreeMap<Author, u64> = BTreeMap::new();
    for write in writes {
        for (earlier, effect) in &last_effect {
            if *earlier != write.author && *effect > write.sent {
                let by_us = effect.min(&write.effect) - write.sent;
                found.push(Violation::Overlap { earlier: *earlier, later: write.author, by_us });
            }
        }
        let own = last_effect.entry(write.author).or_default();
        *own = write.effect.max(*own);
    }
    found
}

fn epochs(writes: &mut [&Recorded]) -> Vec<Violation> {
    // Since when each author has written under each epoch: a holder that outruns a foreign epoch may have writes of
    // its lower one under way.
    let mut began: BTreeMap<(u64, Author), u64> = BTreeMap::new();
    for write in writes.iter() {
        let first = began.entry((write.epoch, write.author)).or_insert(write.sent);
        *first = write.sent.min(*first);
    }
    writes.sort_by_key(|write| write.effect);
    let mut found = Vec::new();
    let mut highest = 0;
    let mut authors: BTreeMap<u64, Author> = BTreeMap::new();
    for write in writes {
        let left_before = began.get(&(highest, write.author)).is_some_and(|first| write.sent <= *first);
        if write.epoch < highest && !left_before {
            found.push(Violation::EpochWentDown { from: highest, to: write.epoch, at: write.effect });
        }
        highest = highest.max(write.epoch);
        let first = *authors.entry(write.epoch).or_insert(write.author);
        if first != write.author {
            found.push(Violation::EpochShared { epoch: write.epoch, first, second: write.author });
        }
    }
    found
}

/// S3 for epochs that no instance wrote: `within` microseconds after one can be seen, no write lies below it. One that
/// is equal cannot be told from an instance's own.
pub fn outruns(record: &[Recorded], foreign: &[Foreign], within: u64) -> Vec<Violation> {
    let breaks = |write: &Recorded| {
        let late = |seen: &&Foreign| write.epoch < seen.epoch && write.sent > seen.since + within;
        let seen = foreign.iter().find(late)?;
        let (epoch, foreign, after_us) = (write.epoch, seen.epoch, write.sent - seen.since);
        Some(Violation::BelowForeign { epoch, foreign, after_us })
    };
    record.iter().filter(|write| !write.residual).filter_map(breaks).collect()
}

/// How many residual writes took effect after another instance had begun to write.
pub fn residuals(record: &[Recorded]) -> usize {
    let stale = |late: &Recorded| record.iter().any(|other| other.epoch > late.epoch && other.sent < late.effect);
    record.iter().filter(|write| write.residual && stale(write)).count()
}
