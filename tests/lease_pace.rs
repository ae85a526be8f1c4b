//! When the protocol speaks to the table, what it writes there, and what it tells people.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/lease.rs"]
mod lease;

use flagship::instant::WallTime;
use flagship::lease::record::{
    ACQUIRED_TIME, ENDPOINT, EPOCH, INSTANCE_ID, LEASE_DURATION_MS, LEASE_NAME, LEASE_OWNER, NOTES, REGION,
    SEEN_EPOCH_LIMIT, SWITCHOVER_TO, UPDATED_TIME, VERSION,
};
use flagship::lease::{Attribute, Eligibility, Now, Outcome, RequestKind, Step};
use flagship::store::memory::apply;

use lease::*;

const AGAIN: &str = "renewed epoch 2 again; nobody held the lease in between";

fn s(text: &str) -> Attribute {
    Attribute::S(text.to_owned())
}

fn n(number: u64) -> Attribute {
    Attribute::N(number.to_string())
}

#[test]
fn a_passive_looks_once_a_poll() {
    let (mut table, _a) = held_by("a");
    let mut b = Node::new("b");
    b.exchange(&mut table, 0, 300);
    assert_eq!(b.poll(at(999)), Step::Wait(at(1000).boot));
    assert_eq!(b.request(at(1000)).kind, RequestKind::Read);
}

#[test]
fn a_table_that_does_not_answer_is_asked_once_a_poll_by_a_passive() {
    let mut b = Node::new("b");
    let read = b.request(at(0));
    assert_eq!(b.poll(at(10)), Step::Wait(at(1510).boot), "one request at a time");
    b.lease.on_outcome(read.id, at(100), unknown());
    assert_eq!(b.poll(at(1099)), Step::Wait(at(1100).boot));
    assert_eq!(b.request(at(1100)).kind, RequestKind::Read);
}

#[test]
fn a_renewal_without_an_answer_is_tried_again_sooner() {
    let (_table, mut a) = held_by("a");
    let renewal = a.request(at(2000));
    a.lease.on_outcome(renewal.id, at(2100), unknown());
    assert_eq!(a.poll(at(2599)), Step::Wait(at(2600).boot));
    a.request(at(2600));
}

#[test]
fn the_answer_to_an_earlier_request_is_not_taken_for_that_to_a_later_one() {
    let (mut table, mut a) = held_by("a");
    let earlier = a.request(at(2000));
    a.lease.on_outcome(earlier.id, at(2100), unknown());
    let later = a.request(at(2600));
    a.lease.on_outcome(earlier.id, at(2700), Outcome::ConditionFailed(released(50)));
    assert_eq!(a.permit_at(2700), Some(2));
    let outcome = apply(&mut table, "flagship", &later.kind);
    a.lease.on_outcome(later.id, at(2800), outcome);
    assert_eq!(a.lease.permit().unwrap().deadline, at(2600).boot + ms(9800));
}

/// Rule 4: a look that does not show a write of ours does not mean that it will not arrive any more.
#[test]
fn a_claim_that_arrives_after_a_look_in_between_is_still_recognised() {
    let mut table = released(1);
    let mut a = Node::new("a");
    a.exchange(&mut table, 0, 0);
    let late = a.request(at(10));
    a.lease.on_outcome(late.id, at(1510), unknown());
    a.exchange(&mut table, 1510, 10);
    let second = a.request(at(1520));
    apply(&mut table, "flagship", &late.kind);
    let outcome = apply(&mut table, "flagship", &second.kind);
    assert!(matches!(outcome, Outcome::ConditionFailed(_)));
    a.lease.on_outcome(second.id, at(1530), outcome);
    assert_eq!(a.lease.permit().unwrap().deadline, at(10).boot + ms(9800));
}

/// An older copy that says that somebody holds it: waited out once, as any holder, and claimed above all epochs.
#[test]
fn a_held_item_of_an_older_epoch_is_waited_out_once() {
    let held = |epoch: u64| {
        Some(item(&[
            (LEASE_OWNER, s("x")),
            (VERSION, s(&format!("x-{epoch}"))),
            (EPOCH, n(epoch)),
            (LEASE_DURATION_MS, n(10_000)),
        ]))
    };
    let mut b = Node::new("b");
    b.exchange(&mut held(9), 0, 0);
    let mut table = held(5);
    b.exchange(&mut table, 1000, 0);
    b.run(&mut table, 1001, 11_199);
    assert_eq!(b.permit_at(11_199), None);
    b.run(&mut table, 11_200, 11_200);
    assert_eq!(b.permit_at(11_200), Some(10));
}

#[test]
fn an_epoch_near_the_end_of_the_numbers_is_garbage_and_none_uses_them_up() {
    let mut a = Node::new("a");
    a.lease.raise_epoch_floor(SEEN_EPOCH_LIMIT);
    assert_eq!(a.lease.highest_epoch(), 0);
    a.lease.raise_epoch_floor(SEEN_EPOCH_LIMIT - 1);
    a.lease.raise_epoch_floor(7);
    assert_eq!(a.lease.highest_epoch(), SEEN_EPOCH_LIMIT - 1);
    // Whoever annotates an object with the highest that is taken for one leaves room for all claims to come.
    let mut table = released(1);
    a.run(&mut table, 0, 11_000);
    assert_eq!(a.permit_at(11_000), Some(SEEN_EPOCH_LIMIT));
    let mut b = Node::new("b");
    b.run(&mut table, 11_000, 30_000);
    assert_eq!(b.permit_at(30_000), Some(SEEN_EPOCH_LIMIT + 1));
}

/// S3: a cluster that joins may carry a higher epoch than the lease that is held.
#[test]
fn a_holder_goes_on_above_an_epoch_that_it_sees_in_a_cluster() {
    let (mut table, mut a) = held_by("a");
    a.lease.raise_epoch_floor(2);
    a.exchange(&mut table, 2000, 0);
    assert_eq!((a.permit_at(2000), epoch_of(table.as_ref())), (Some(2), 2), "its own is not above it");
    a.news();
    a.lease.raise_epoch_floor(9);
    assert_eq!(a.permit_at(2001), Some(2), "nobody else has become the holder");
    // The renewal succeeds and its answer is lost.
    let raised = a.request(at(4000));
    apply(&mut table, "flagship", &raised.kind);
    a.lease.on_outcome(raised.id, at(4500), unknown());
    assert_eq!((a.permit_at(4501), epoch_of(table.as_ref())), (Some(2), 10));
    a.exchange(&mut table, 5000, 0);
    assert_eq!(a.permit_at(5000), Some(10));
    let told = a.news();
    assert!(told.len() == 1 && told[0].contains("above ours, which was 2"), "{told:?}");
    assert!(told[0].ends_with("the lease goes on with epoch 10"), "{told:?}");
    a.run(&mut table, 5000, 20_000);
    assert_eq!((a.permit_at(20_000), epoch_of(table.as_ref())), (Some(10), 10), "once");
    assert!(a.news().is_empty());
}

#[test]
fn the_gate_that_a_renewal_opens_again_is_told_however_it_was_closed() {
    // The wall clock jumped.
    let (mut table, mut a) = held_by("a");
    let jumped = |millis: u64| Now { wall: WallTime::from_unix_ms(at(millis).wall.unix_ms() + 60_000), ..at(millis) };
    a.news();
    let renewal = a.request(jumped(2000));
    assert!(a.news()[0].starts_with("the wall clock jumped"));
    let outcome = apply(&mut table, "flagship", &renewal.kind);
    a.lease.on_outcome(renewal.id, jumped(2010), outcome);
    assert_eq!((a.permit_at(2010), a.news()), (Some(2), vec![AGAIN.to_owned()]));

    // The permit ran out, and a renewal without an answer turns out to have succeeded: late enough to open the gate,
    // or too long ago.
    for (asked_at, opens) in [(9000, true), (2000, false)] {
        let (mut table, mut a) = held_by("a");
        let lost = a.request(at(asked_at));
        apply(&mut table, "flagship", &lost.kind);
        a.lease.on_outcome(lost.id, at(9500), unknown());
        a.news();
        let refused = a.request(at(12_000));
        assert!(a.news()[0].starts_with("read-only: no renewal"));
        let outcome = apply(&mut table, "flagship", &refused.kind);
        a.lease.on_outcome(refused.id, at(12_000), outcome);
        assert_eq!(a.permit_at(12_000).is_some(), opens);
        assert_eq!(a.news(), if opens { vec![AGAIN.to_owned()] } else { Vec::new() });
        a.exchange(&mut table, 12_000, 0);
        assert_eq!(a.permit_at(12_001), Some(2));
        assert_eq!(a.news(), if opens { Vec::new() } else { vec![AGAIN.to_owned()] }, "told once");
    }
}

#[test]
fn what_each_write_leaves_in_the_table() {
    let mut table = released(1);
    set(&mut table, SWITCHOVER_TO, s("a"));
    let mut a = Node::new("a");
    a.exchange(&mut table, 0, 0);
    a.exchange(&mut table, 1000, 0);
    let mut expected = item(&[
        (LEASE_NAME, s("flagship")),
        (LEASE_OWNER, s("a")),
        (INSTANCE_ID, s("uuid-a")),
        (VERSION, s("a-2")),
        (EPOCH, n(2)),
        (LEASE_DURATION_MS, n(10_000)),
        (UPDATED_TIME, n(WALL_S + 1)),
        (ACQUIRED_TIME, n((WALL_S + 1) * 1000)),
        (ENDPOINT, s("http://a")),
        (REGION, s("us-west-2")),
        (NOTES, s("held by Flagship")),
    ]);
    assert_eq!(table.as_ref(), Some(&expected), "a claim");
    assert_eq!(a.lease.acquired_unix_ms(), Some((WALL_S + 1) * 1000));

    a.exchange(&mut table, 3000, 0);
    expected.extend(item(&[(VERSION, s("a-3")), (UPDATED_TIME, n(WALL_S + 3))]));
    assert_eq!(table.as_ref(), Some(&expected), "a renewal");
    assert_eq!(a.lease.acquired_unix_ms(), Some((WALL_S + 1) * 1000));

    a.lease.stop();
    a.lease.on_drained(at(4000));
    a.exchange(&mut table, 4000, 0);
    expected.extend(item(&[(LEASE_OWNER, s("")), (VERSION, s("a-4")), (UPDATED_TIME, n(WALL_S + 4))]));
    assert_eq!(table.as_ref(), Some(&expected), "a release");
    assert_eq!(a.lease.acquired_unix_ms(), None);

    let mut none = None;
    let mut b = Node::new("b");
    b.exchange(&mut none, 0, 0);
    b.exchange(&mut none, 10, 0);
    let marked = none.unwrap();
    let shown = [LEASE_OWNER, VERSION, EPOCH, LEASE_DURATION_MS].map(|name| marked[name].clone());
    assert_eq!(shown, [s("nobody-yet"), s("b-2"), n(0), n(10_000)]);
}

/// A look of somebody who may not claim.
fn look(table: Table) -> Node {
    let (mut table, mut b) = (table, Node::new("b"));
    b.lease.set_eligibility(Eligibility::No);
    b.exchange(&mut table, 0, 0);
    b
}

#[test]
fn what_a_passive_sees_in_words() {
    let mut unreadable = released(1);
    set(&mut unreadable, EPOCH, s("many"));
    for (table, label, news) in [
        (None, "absent", "lease: there is no lease item"),
        (released(1), "released", "lease: released, epoch 1"),
        (held_by("a").0, "held by another", "lease: held by \"a\" with epoch 2"),
        (admiral("go", WALL_S), "foreign", "the lease item was written by \"go\", which is not a Flagship"),
        (unreadable, "unreadable", "the lease item makes no sense and is waited out: attribute `epoch`"),
    ] {
        let mut b = look(table);
        assert_eq!(b.lease.label(), label);
        let told = b.news();
        assert!(told.len() == 1 && told[0].starts_with(news), "{told:?}");
    }
    assert_eq!(Node::new("b").lease.label(), "unknown");
}

#[test]
fn the_record_is_shown_by_observers_only() {
    let (table, mut a) = held_by("a");
    assert_eq!((a.lease.label(), a.lease.observed_record()), ("holding", None));
    a.lease.stop();
    assert_eq!(a.lease.label(), "releasing");
    let b = look(table);
    assert_eq!(b.lease.observed_record().map(|record| (record.owner.as_str(), record.epoch)), Some(("a", 2)));
    assert_eq!((b.lease.highest_epoch(), b.lease.acquired_unix_ms()), (2, None));
    let mut c = look(None);
    assert_eq!(c.lease.observed_record(), None);
    c.lease.stop();
    assert_eq!(c.lease.label(), "stopped");
}

#[test]
fn the_same_state_is_told_once() {
    let (mut table, mut a) = held_by("a");
    let mut b = Node::new("b");
    b.run(&mut table, 0, 1999);
    a.exchange(&mut table, 2000, 0);
    b.run(&mut table, 2000, 3999);
    assert_eq!(b.news(), ["lease: held by \"a\" with epoch 2"]);
    a.lease.stop();
    a.lease.on_drained(at(3999));
    a.exchange(&mut table, 3999, 0);
    b.lease.set_eligibility(Eligibility::No);
    b.run(&mut table, 4000, 6000);
    assert_eq!(b.news(), ["lease: released, epoch 2"]);
}

#[test]
fn why_the_lease_was_acquired_in_words() {
    let held = held_by("a").0;
    let mut unreadable = held.clone();
    set(&mut unreadable, EPOCH, s("many"));
    for (mut table, because) in [
        (released(1), "with epoch 2: it was released"),
        (held, "with epoch 3: \"a\" did not renew epoch 2 in time"),
        (None, ": nobody held the lease for a whole lease duration"),
        (unreadable, ": an unreadable item stayed unchanged for a whole lease duration"),
        (admiral("go", WALL_S), ": the item of the foreign owner \"go\" was not renewed in time"),
    ] {
        let mut b = Node::new("b");
        b.run(&mut table, 0, 60_000);
        let told = b.news();
        let acquired: Vec<_> = told.iter().filter(|text| text.starts_with("acquired the lease")).collect();
        assert!(acquired.len() == 1 && acquired[0].ends_with(because), "{told:?}");
    }
}

#[test]
fn what_a_holder_tells_and_that_it_tells_it_once() {
    let (mut table, mut a) = held_by("a");
    a.news();
    a.poll(at(1000));
    assert!(a.news().is_empty(), "nothing happened");
    for now in (2000..20_000).step_by(100) {
        if let Step::Request(request) = a.poll(at(now)) {
            a.lease.on_outcome(request.id, at(now), unknown());
        }
    }
    let told = a.news();
    assert!(told.len() == 1 && told[0].starts_with("read-only: no renewal of epoch 2 succeeded in time"), "{told:?}");
    a.exchange(&mut table, 20_500, 0);
    assert_eq!(a.news(), [AGAIN]);
    a.poll(Now { wall: WallTime::from_unix_ms(at(20_600).wall.unix_ms() + 60_000), ..at(20_600) });
    assert!(a.news()[0].starts_with("the wall clock jumped by 60000 ms against the boot clock"));

    let (mut table, mut a) = held_by("a");
    a.news();
    set(&mut table, VERSION, s("somebody"));
    a.exchange(&mut table, 2000, 0);
    assert!(a.news()[0].starts_with("lost the lease of epoch 2: held by"));

    for (answers, said) in [(true, "released the lease of epoch 2"), (false, "gave up epoch 2 without confirmation")] {
        let (mut table, mut a) = held_by("a");
        a.news();
        a.lease.stop();
        a.lease.on_drained(at(10));
        for now in (10..5000).step_by(100) {
            let Step::Request(request) = a.poll(at(now)) else { continue };
            let outcome = if answers { apply(&mut table, "flagship", &request.kind) } else { unknown() };
            a.lease.on_outcome(request.id, at(now), outcome);
        }
        let told = a.news();
        assert!(told.len() == 1 && told[0].starts_with(said), "{told:?}");
    }
}
