//! What people ask of the lease: pause, switchover, stop.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/lease.rs"]
mod lease;

use flagship::instant::WallTime;
use flagship::lease::record::{LEASE_OWNER, PAUSED, SWITCHOVER_TO};
use flagship::lease::{Attribute, Now, Step};
use flagship::store::memory::apply;

use lease::*;

fn ask_for(table: &mut Table, whom: &str) {
    set(table, SWITCHOVER_TO, Attribute::S(whom.into()));
}

#[test]
fn while_paused_nobody_takes_over() {
    let (mut table, _a) = held_by("a");
    set(&mut table, PAUSED, Attribute::Bool(true));
    let mut b = Node::new("b");
    b.run(&mut table, 0, 600_000);
    assert_eq!(b.permit_at(600_000), None);
    set(&mut table, PAUSED, Attribute::Bool(false));
    b.run(&mut table, 600_001, 602_000);
    assert_eq!(b.permit_at(602_000), Some(3), "the version has long been unchanged");
}

#[test]
fn a_switchover_goes_to_whom_it_names_and_nobody_else() {
    let (mut table, mut a) = held_by("a");
    let mut b = Node::new("b");
    let mut c = Node::new("c");
    b.run(&mut table, 0, 500);
    set(&mut table, SWITCHOVER_TO, Attribute::S("c".into()));
    a.run(&mut table, 501, 2100);
    assert_eq!(a.permit_at(2100), None, "the holder gave way");
    b.run(&mut table, 2100, 3500);
    assert_eq!(b.permit_at(3500), None, "b was not asked");
    a.run(&mut table, 2100, 3500);
    c.run(&mut table, 3500, 3600);
    assert_eq!(c.permit_at(3600), Some(3));
    assert!(!table.unwrap().contains_key(SWITCHOVER_TO), "the request is served");
}

#[test]
fn a_switchover_to_a_dead_instance_ends_with_another_holder() {
    let (mut table, mut a) = held_by("a");
    let mut b = Node::new("b");
    set(&mut table, SWITCHOVER_TO, Attribute::S("dead".into()));
    a.run(&mut table, 0, 2100);
    b.run(&mut table, 2100, 14_000);
    assert_eq!(b.permit_at(14_000), Some(3));
}

#[test]
fn a_switchover_may_name_the_process() {
    let (mut table, mut a) = held_by("a");
    let (mut b, mut c) = (Node::new("b"), Node::new("c"));
    ask_for(&mut table, "uuid-c");
    a.run(&mut table, 0, 2100);
    b.run(&mut table, 2100, 3500);
    assert_eq!(b.permit_at(3500), None, "b was not asked");
    c.run(&mut table, 3500, 3600);
    assert_eq!(c.permit_at(3600), Some(3));
}

#[test]
fn a_switchover_to_the_holder_itself_is_dropped_and_the_next_one_heeded() {
    for name in ["a", "uuid-a"] {
        let (mut table, mut a) = held_by("a");
        ask_for(&mut table, name);
        a.exchange(&mut table, 2000, 0);
        assert_eq!(a.permit_at(2001), Some(2), "{name}");
        a.exchange(&mut table, 4000, 0);
        assert!(!table.as_ref().unwrap().contains_key(SWITCHOVER_TO), "{name}");
        ask_for(&mut table, "c");
        a.exchange(&mut table, 6000, 0);
        assert_eq!(a.permit_at(6001), None, "{name}");
    }
}

#[test]
fn a_switchover_to_anyone_goes_to_another_and_comes_back_only_if_there_is_none() {
    let (mut table, mut a) = held_by("a");
    ask_for(&mut table, "*");
    a.run(&mut table, 0, 2100);
    let mut alone = table.clone();
    let mut b = Node::new("b");
    b.run(&mut table, 2100, 2200);
    assert_eq!(b.permit_at(2200), Some(3), "anyone may take it at once");
    a.run(&mut alone, 2200, 12_199);
    assert_eq!(a.permit_at(12_199), None, "it has just given it up");
    a.run(&mut alone, 12_200, 12_300);
    assert_eq!(a.permit_at(12_300), Some(3));
}

#[test]
fn while_paused_only_a_switchover_that_the_holder_heeded_moves_the_lease() {
    let (mut table, mut a) = held_by("a");
    set(&mut table, PAUSED, Attribute::Bool(true));
    ask_for(&mut table, "b");
    let (mut b, mut c) = (Node::new("b"), Node::new("c"));
    let mut silent = table.clone();
    b.run(&mut silent, 0, 60_000);
    assert_eq!(b.permit_at(60_000), None, "the holder has not given it up");
    a.run(&mut table, 0, 2100);
    c.run(&mut table, 2100, 60_000);
    assert_eq!(c.permit_at(60_000), None, "it was not asked");
    b.run(&mut table, 60_001, 62_000);
    assert_eq!(b.permit_at(62_000), Some(3));
}

/// Asked to give it up, the holder does so while paused too: then somebody must be able to take it.
#[test]
fn while_paused_a_switchover_to_anyone_or_to_a_dead_instance_leaves_the_lease_to_nobody_else_for_long() {
    for (whom, taken_by_another) in [("*", true), ("dead", false)] {
        let (mut table, mut a) = held_by("a");
        set(&mut table, PAUSED, Attribute::Bool(true));
        ask_for(&mut table, whom);
        a.run(&mut table, 0, 2100);
        assert_eq!(a.permit_at(2100), None, "{whom}: the holder gave way");
        let mut others = table.clone();
        let mut b = Node::new("b");
        b.run(&mut others, 2100, 60_000);
        assert_eq!(b.permit_at(60_000).is_some(), taken_by_another, "{whom}");
        a.run(&mut table, 2200, 12_199);
        assert_eq!(a.permit_at(12_199), None, "{whom}: it has just given it up");
        a.run(&mut table, 12_200, 12_300);
        assert_eq!(a.permit_at(12_300), Some(3), "{whom}: nobody came");
        assert!(table.unwrap().contains_key(PAUSED), "{whom}: it stays paused");
    }
}

#[test]
fn an_observer_that_stops_is_done() {
    let (mut table, _a) = held_by("a");
    let mut b = Node::new("b");
    b.exchange(&mut table, 0, 0);
    b.lease.stop();
    assert_eq!(b.poll(at(1)), Step::Done);
    let mut c = Node::new("c");
    let under_way = c.request(at(0));
    c.lease.stop();
    c.lease.on_outcome(under_way.id, at(1), unknown());
    assert_eq!(c.poll(at(2)), Step::Done);
}

#[test]
fn a_claim_that_is_under_way_at_the_stop_is_released_once_it_succeeds() {
    let mut table = released(1);
    let mut a = Node::new("a");
    a.exchange(&mut table, 0, 0);
    let claim = a.request(at(10));
    a.lease.stop();
    let outcome = apply(&mut table, "flagship", &claim.kind);
    a.lease.on_outcome(claim.id, at(20), outcome);
    assert_eq!(a.permit_at(20), None, "it never opens");
    a.run(&mut table, 20, 1000);
    assert_eq!(a.poll(at(1000)), Step::Done);
    assert_eq!(table.as_ref().unwrap()[LEASE_OWNER], Attribute::S(String::new()), "nobody has to wait for it");
    assert_eq!(epoch_of(table.as_ref()), 2);
}

#[test]
fn what_is_under_way_may_end_until_it_has_and_not_after_a_jump_of_the_wall_clock() {
    let (_table, mut a) = held_by("a");
    let permit = a.lease.permit();
    assert_eq!((permit.is_some(), a.lease.finishing()), (true, None));
    a.lease.stop();
    assert_eq!((a.lease.permit(), a.lease.finishing()), (None, permit));
    a.lease.on_drained(at(10));
    assert_eq!(a.lease.finishing(), None);

    let (_table, mut a) = held_by("a");
    a.poll(Now { wall: WallTime::from_unix_ms(0), ..at(100) });
    a.lease.stop();
    assert_eq!(a.lease.finishing(), None, "the gate was closed already");
}

#[test]
fn a_release_without_an_answer_is_tried_again_after_a_pause() {
    let (_table, mut a) = held_by("a");
    a.lease.stop();
    a.lease.on_drained(at(0));
    let first = a.request(at(0));
    a.lease.on_outcome(first.id, at(100), unknown());
    assert_eq!(a.poll(at(599)), Step::Wait(at(600).boot));
    a.request(at(600));
}
