//! What waits to be written into one cluster, and what has to wait longer.
//!
//! Invariant (M2): each cluster has a queue of its own; a refused object delays itself alone, an unreachable
//! cluster delays itself alone. All delays are bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::cluster::backoff::doubled;
use crate::instant::Instant;
use crate::mesh::ObjectKey;

/// Writes of one cluster that may be in flight together.
pub const MOST_IN_FLIGHT: usize = 8;

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

/// The queue of one cluster.
#[derive(Debug, Default)]
pub struct Queue {
    ready: BTreeSet<ObjectKey>,
    delayed: BTreeSet<(Instant, ObjectKey)>,
    in_flight: BTreeSet<ObjectKey>,
    trouble: BTreeMap<ObjectKey, Trouble>,
    paused_until: Instant,
    unreachable: u32,
    last_error: String,
}

impl Queue {
    /// The object has a change that should be written.
    pub fn want(&mut self, key: &ObjectKey) {
        if !self.in_flight.contains(key) && !self.delayed.iter().any(|(_, delayed)| delayed == key) {
            self.ready.insert(key.clone());
        }
    }

    /// The object is as it should be.
    pub fn settle(&mut self, key: &ObjectKey) {
        self.ready.remove(key);
        if self.trouble.remove(key).is_some() {
            self.delayed.retain(|(_, delayed)| delayed != key);
        }
    }

    /// The next object to write at `now`, if one may be. It counts as in flight from then on. `blocked` says
    /// whether an object has to wait for another one.
    pub fn next(&mut self, now: Instant, blocked: impl Fn(&ObjectKey) -> bool) -> Option<(ObjectKey, Trouble)> {
        if now < self.paused_until || self.in_flight.len() >= self.limit() {
            return None;
        }
        while self.delayed.first().is_some_and(|(at, _)| *at <= now) {
            self.ready.extend(self.delayed.pop_first().map(|(_, key)| key));
        }
        let key = self.ready.iter().find(|key| !blocked(key))?.clone();
        self.ready.remove(&key);
        self.in_flight.insert(key.clone());
        let trouble = self.trouble.get(&key).cloned().unwrap_or_default();
        Some((key, trouble))
    }

    /// The write succeeded, or turned out to be needless. What waited for the cluster to answer waits no longer.
    pub fn succeeded(&mut self, key: &ObjectKey) {
        self.in_flight.remove(key);
        self.trouble.remove(key);
        self.unreachable = 0;
        self.last_error.clear();
        let owed = |key: &ObjectKey| self.trouble.get(key).is_some_and(|trouble| trouble.read_first);
        self.ready.extend(self.delayed.extract_if(.., |(_, key)| owed(key)).map(|(_, key)| key));
    }

    /// Nothing was sent: the gate was closed.
    pub fn put_back(&mut self, key: &ObjectKey) {
        self.in_flight.remove(key);
        self.ready.insert(key.clone());
    }

    /// The object alone is in trouble: it waits, the others go on.
    pub fn delay(&mut self, key: &ObjectKey, now: Instant, error: &str, read_first: bool) {
        self.in_flight.remove(key);
        self.ready.remove(key);
        let trouble = self.trouble.entry(key.clone()).or_default();
        trouble.failures = trouble.failures.saturating_add(1);
        error.clone_into(&mut trouble.last_error);
        trouble.read_first = read_first;
        // It is not the object's fault when the cluster does not answer.
        let most = if read_first { LONGEST_PAUSE } else { LONGEST_DELAY };
        let delay = backoff(Duration::from_secs(1), trouble.failures, most);
        self.delayed.insert((now + delay, key.clone()));
    }

    /// The object was changed by somebody else meanwhile: it was read again and goes at once, but if that
    /// happens time and again it slows down.
    pub fn conflicted(&mut self, key: &ObjectKey, now: Instant, error: &str) {
        self.in_flight.remove(key);
        let trouble = self.trouble.entry(key.clone()).or_default();
        trouble.failures = trouble.failures.saturating_add(1);
        error.clone_into(&mut trouble.last_error);
        trouble.read_first = false;
        let delay = backoff(Duration::from_millis(20), trouble.failures, LONGEST_DELAY);
        self.ready.remove(key);
        self.delayed.insert((now + delay, key.clone()));
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
        }
        error.clone_into(&mut self.last_error);
        let pause =
            backoff(Duration::from_millis(500), self.unreachable, LONGEST_PAUSE).max(at_least).min(LONGEST_PAUSE);
        self.paused_until = self.paused_until.max(now + pause);
    }

    /// When something that waits now may go, if anything waits for time alone.
    pub fn wake_at(&self) -> Option<Instant> {
        let delayed = self.delayed.first().map(|(at, _)| *at);
        let paused = (!self.ready.is_empty()).then_some(self.paused_until);
        [delayed, paused].into_iter().flatten().min().map(|at| at.max(self.paused_until))
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
    fn limit(&self) -> usize {
        if self.unreachable > 0 { 1 } else { MOST_IN_FLIGHT }
    }
}

/// The wait after so many failures: the first one after one failure.
fn backoff(first: Duration, failures: u32, most: Duration) -> Duration {
    doubled(first, failures.saturating_sub(1), most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Kind;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new(Kind::ServiceEntry, "admiral-sync", name)
    }

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(1_000_000 + millis))
    }

    fn next(queue: &mut Queue, millis: u64) -> Option<String> {
        queue.next(at(millis), |_| false).map(|(key, _)| key.name)
    }

    #[test]
    fn a_refused_object_waits_alone_and_ever_longer() {
        let mut queue = Queue::default();
        queue.want(&key("a"));
        queue.want(&key("b"));
        assert_eq!(next(&mut queue, 0).as_deref(), Some("a"));
        queue.delay(&key("a"), at(0), "refused", false);
        assert_eq!(next(&mut queue, 0).as_deref(), Some("b"));
        queue.succeeded(&key("b"));
        assert_eq!(next(&mut queue, 999), None);
        assert_eq!(queue.wake_at(), Some(at(1000)));
        assert_eq!(next(&mut queue, 1000).as_deref(), Some("a"));
        queue.delay(&key("a"), at(1000), "refused", false);
        queue.want(&key("a"));
        assert_eq!(next(&mut queue, 2999), None, "wanting it again does not shorten its wait");
        assert_eq!(next(&mut queue, 3000).as_deref(), Some("a"));
    }

    #[test]
    fn an_unreachable_cluster_is_probed_with_one_write() {
        let mut queue = Queue::default();
        for name in ["a", "b", "c"] {
            queue.want(&key(name));
        }
        assert!(next(&mut queue, 0).is_some() && next(&mut queue, 0).is_some());
        queue.pause(&key("a"), at(0), "no route", Duration::ZERO);
        queue.pause(&key("b"), at(0), "no route", Duration::ZERO);
        assert_eq!(next(&mut queue, 499), None);
        assert_eq!(queue.wake_at(), Some(at(500)));
        assert_eq!(next(&mut queue, 500).as_deref(), Some("a"));
        assert_eq!(next(&mut queue, 500), None, "one probe at a time");
        queue.succeeded(&key("a"));
        assert!(next(&mut queue, 501).is_some() && next(&mut queue, 501).is_some());
    }

    #[test]
    fn an_object_of_unknown_state_is_read_as_soon_as_the_cluster_answers() {
        let mut queue = Queue::default();
        queue.want(&key("a"));
        for round in 0..10 {
            queue.next(at(300_000 * round), |_| false).unwrap();
            queue.delay(&key("a"), at(300_000 * round), "no answer", true);
        }
        assert_eq!(queue.wake_at(), Some(at(2_730_000)), "30 s at most, though it failed ten times");
        queue.want(&key("b"));
        assert_eq!(next(&mut queue, 2_700_001).as_deref(), Some("b"));
        queue.succeeded(&key("b"));
        let (key, trouble) = queue.next(at(2_700_002), |_| false).unwrap();
        assert!(key.name == "a" && trouble.read_first, "it is owed a look, at once: {trouble:?}");
    }

    #[test]
    fn a_blocked_object_lets_others_pass() {
        let mut queue = Queue::default();
        queue.want(&key("a"));
        queue.want(&key("b"));
        let first = queue.next(at(0), |key| key.name == "a").map(|(key, _)| key.name);
        assert_eq!(first.as_deref(), Some("b"));
        assert_eq!(queue.next(at(0), |key| key.name == "a"), None);
    }

    #[test]
    fn what_is_settled_is_forgotten() {
        let mut queue = Queue::default();
        queue.want(&key("a"));
        next(&mut queue, 0);
        queue.delay(&key("a"), at(0), "refused", true);
        queue.settle(&key("a"));
        assert_eq!(next(&mut queue, 1_000_000), None);
        assert_eq!(queue.troubles().count(), 0);
    }
}
