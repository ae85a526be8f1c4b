//! The queue under every kind of trouble.

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
    queue.succeeded(&key("b"), Some(Duration::ZERO));
    assert_eq!(next(&mut queue, 999), None);
    assert_eq!(queue.wake_at(at(999)), Some(at(1000)));
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
    assert_eq!(queue.wake_at(at(499)), Some(at(500)));
    assert_eq!(next(&mut queue, 500).as_deref(), Some("a"));
    assert_eq!(next(&mut queue, 500), None, "one probe at a time");
    queue.succeeded(&key("a"), Some(Duration::ZERO));
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
    assert_eq!(queue.wake_at(at(2_700_000)), Some(at(2_730_000)), "30 s at most, though it failed ten times");
    queue.want(&key("b"));
    assert_eq!(next(&mut queue, 2_700_001).as_deref(), Some("b"));
    queue.succeeded(&key("b"), Some(Duration::ZERO));
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
fn first_come_first_served_whatever_the_name() {
    let mut queue = Queue::default();
    for name in ["m", "z"] {
        queue.want(&key(name));
    }
    assert_eq!(next(&mut queue, 0).as_deref(), Some("m"));
    // One that changes all the time, and whose name comes first, waits for its turn.
    for _ in 0..10 {
        queue.want(&key("a"));
    }
    assert_eq!(next(&mut queue, 0).as_deref(), Some("z"));
    assert_eq!(next(&mut queue, 0).as_deref(), Some("a"));
    queue.want(&key("a"));
    assert_eq!(next(&mut queue, 0), None, "it is in flight");
}

#[test]
fn whoever_waits_for_a_write_to_end_does_not_wait_for_time() {
    let mut queue = Queue::default();
    for number in 0..100 {
        queue.want(&key(&format!("n{number}")));
    }
    let mut in_flight = Vec::new();
    while let Some(name) = next(&mut queue, 0) {
        in_flight.push(name);
    }
    assert!(in_flight.len() < 100);
    assert_eq!(queue.wake_at(at(0)), None, "the next turn comes with an answer, not with time");
    queue.succeeded(&key(&in_flight[0]), Some(Duration::ZERO));
    assert!(next(&mut queue, 0).is_some());
    queue.delay(&key(&in_flight[1]), at(0), "refused", false);
    assert_eq!(queue.wake_at(at(0)), Some(at(1000)));
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
