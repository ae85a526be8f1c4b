//! What waits to be written into one cluster, and what has to wait longer.
//!
//! Invariant (M2): each cluster has a queue of its own; a refused object delays itself alone, an unreachable
//! cluster delays itself alone. First come, first served: an object that changes all the time does not hold up the
//! others. All delays are bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::limit::Limit;
use crate::cluster::backoff::doubled;
use crate::instant::Instant;
use crate::mesh::ObjectKey;

/// An object that the cluster refuses is offered again after 1 s, then ever later, up to this.
const LONGEST_DELAY: Duration = Duration::from_secs(300);

/// A cluster that does not answer is tried again after 500 ms, then ever later, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Why an object was not written yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// Attempts that failed since the last success.
    pub failures: u32,
    /// The last failure.
    pub last_error: String,
    /// The outcome of the last attempt is unknown: it must be read again before it is written.
    pub read_first: bool,
}

/// Where an object is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Its turn comes as soon as fewer are in flight.
    Ready(u64),
    /// Not before this time.
    Delayed(Instant),
    /// It had this turn.
    InFlight(u64),
}

/// The queue of one cluster.
#[derive(Debug, Default)]
pub struct Queue {
    places: BTreeMap<ObjectKey, Place>,
    ready: BTreeMap<u64, ObjectKey>,
    last_turn: u64,
    delayed: BTreeSet<(Instant, ObjectKey)>,
    /// Delayed objects that are to be read as soon as the cluster answers.
    owed: BTreeSet<ObjectKey>,
    in_flight: usize,
    limit: Limit,
    trouble: BTreeMap<ObjectKey, Trouble>,
    paused_until: Instant,
    unreachable: u32,
    last_error: String,
}

impl Queue {
    /// The object has a change that should be written.
    pub fn want(&mut self, key: &ObjectKey) {
        if !self.places.contains_key(key) {
            self.line_up(key, None);
        }
    }

    /// The object is as it should be.
    pub fn settle(&mut self, key: &ObjectKey) {
        if !matches!(self.places.get(key), Some(Place::InFlight(_))) {
            self.take_out(key);
        }
        self.trouble.remove(key);
    }

    /// The next object to write at `now`, if one may be. It counts as in flight from then on. `blocked` says
    /// whether an object has to wait for another one.
    pub fn next(&mut self, now: Instant, blocked: impl Fn(&ObjectKey) -> bool) -> Option<(ObjectKey, Trouble)> {
        if now < self.paused_until || self.is_full() {
            return None;
        }
        while let Some((_, key)) = self.delayed.first().filter(|(at, _)| *at <= now).cloned() {
            self.line_up(&key, None);
        }
        let (turn, key) = self.ready.iter().find(|(_, key)| !blocked(key))?;
        let (turn, key) = (*turn, key.clone());
        self.take_out(&key);
        self.places.insert(key.clone(), Place::InFlight(turn));
        self.in_flight += 1;
        let trouble = self.trouble.get(&key).cloned().unwrap_or_default();
        Some((key, trouble))
    }

    /// The write was answered after `took`, or turned out to be needless (`None`). What waited for the cluster to
    /// answer waits no longer.
    pub fn succeeded(&mut self, key: &ObjectKey, took: Option<Duration>) {
        self.take_out(key);
        self.trouble.remove(key);
        self.unreachable = 0;
        self.last_error.clear();
        if let Some(took) = took {
            self.limit.answered(took);
        }
        for owed in std::mem::take(&mut self.owed) {
            self.line_up(&owed, None);
        }
    }

    /// Nothing was sent: the gate was closed.
    pub fn put_back(&mut self, key: &ObjectKey) {
        let turn = match self.places.get(key) {
            Some(Place::InFlight(turn)) => Some(*turn),
            _ => None,
        };
        self.line_up(key, turn);
    }

    /// The object alone is in trouble: it waits, the others go on.
    pub fn delay(&mut self, key: &ObjectKey, now: Instant, error: &str, read_first: bool) {
        // It is not the object's fault when the cluster does not answer.
        let most = if read_first { LONGEST_PAUSE } else { LONGEST_DELAY };
        let failures = self.note(key, error, read_first);
        self.put_off(key, now + backoff(Duration::from_secs(1), failures, most));
        if read_first {
            self.owed.insert(key.clone());
        }
    }

    /// The object was changed by somebody else meanwhile: it was read again and goes at once, but if that
    /// happens time and again it slows down.
    pub fn conflicted(&mut self, key: &ObjectKey, now: Instant, error: &str) {
        let failures = self.note(key, error, false);
        self.put_off(key, now + backoff(Duration::from_millis(20), failures, LONGEST_DELAY));
    }

    /// The cluster is in trouble and the object was not sent: all of it waits.
    pub fn pause(&mut self, key: &ObjectKey, now: Instant, error: &str, at_least: Duration) {
        self.put_back(key);
        self.pause_all(now, error, at_least);
    }

    /// The cluster is in trouble: all of it waits, at least this long.
    pub fn pause_all(&mut self, now: Instant, error: &str, at_least: Duration) {
        // Several writes fail together; only the first of them lengthens the pause.
        if now >= self.paused_until {
            self.unreachable = self.unreachable.saturating_add(1);
            self.limit.too_much();
        }
        error.clone_into(&mut self.last_error);
        let pause =
            backoff(Duration::from_millis(500), self.unreachable, LONGEST_PAUSE).max(at_least).min(LONGEST_PAUSE);
        self.paused_until = self.paused_until.max(now + pause);
    }

    /// When something that waits at `now` may go, if anything waits for time alone. What waits for a write that is
    /// under way does not.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        if self.is_full() {
            return None;
        }
        if !self.ready.is_empty() && now < self.paused_until {
            return Some(self.paused_until);
        }
        self.delayed.first().map(|(at, _)| (*at).max(self.paused_until))
    }

    /// The last failure of the cluster as a whole, empty when it answers.
    pub fn last_error(&self) -> &str {
        &self.last_error
    }

    /// The trouble with one object.
    pub fn trouble(&self, key: &ObjectKey) -> Option<&Trouble> {
        self.trouble.get(key)
    }

    /// Every object in trouble.
    pub fn troubles(&self) -> impl Iterator<Item = (&ObjectKey, &Trouble)> {
        self.trouble.iter()
    }

    /// A cluster that did not answer last time is tried with one write, not with many.
    fn is_full(&self) -> bool {
        self.in_flight >= if self.unreachable > 0 { 1 } else { self.limit.most() }
    }

    /// Puts the object in line, at `turn` if it has had one, else at the end.
    fn line_up(&mut self, key: &ObjectKey, turn: Option<u64>) {
        self.take_out(key);
        let turn = turn.unwrap_or_else(|| {
            self.last_turn += 1;
            self.last_turn
        });
        self.ready.insert(turn, key.clone());
        self.places.insert(key.clone(), Place::Ready(turn));
    }

    fn put_off(&mut self, key: &ObjectKey, until: Instant) {
        self.take_out(key);
        self.delayed.insert((until, key.clone()));
        self.places.insert(key.clone(), Place::Delayed(until));
    }

    fn take_out(&mut self, key: &ObjectKey) {
        self.owed.remove(key);
        match self.places.remove(key) {
            Some(Place::Ready(turn)) => drop(self.ready.remove(&turn)),
            Some(Place::Delayed(until)) => drop(self.delayed.remove(&(until, key.clone()))),
            Some(Place::InFlight(_)) => self.in_flight -= 1,
            None => {}
        }
    }

    /// Notes a failure and returns how many there were.
    fn note(&mut self, key: &ObjectKey, error: &str, read_first: bool) -> u32 {
        let trouble = self.trouble.entry(key.clone()).or_default();
        trouble.failures = trouble.failures.saturating_add(1);
        error.clone_into(&mut trouble.last_error);
        trouble.read_first = read_first;
        trouble.failures
    }
}

/// The wait after so many failures: the first one after one failure.
fn backoff(first: Duration, failures: u32, most: Duration) -> Duration {
    doubled(first, failures.saturating_sub(1), most)
}

#[cfg(test)]
mod tests;
