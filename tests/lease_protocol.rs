//! The lease protocol, rule by rule, against a table in memory and with time as a number.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/lease.rs"]
mod lease;

use flagship::instant::WallTime;
use flagship::lease::record::{EPOCH, LEASE_OWNER, VERSION};
use flagship::lease::{Attribute, Eligibility, Notice, Now, Outcome, Request, RequestKind, Step};
use flagship::store::memory::apply;

use lease::*;

#[test]
fn rule_1_the_deadline_counts_from_before_the_request_was_sent() {
    let (mut table, mut a) = held_by("a");
    a.exchange(&mut table, 2000, 1400);
    let deadline = a.lease.permit().unwrap().deadline;
    assert_eq!(deadline, at(2000).boot + LEASE.checked_sub(MARGIN).unwrap());
}

#[test]
fn rule_1_a_failed_condition_closes_the_gate_at_once() {
    let (mut table, mut a) = held_by("a");
    set(&mut table, VERSION, Attribute::S("somebody".into()));
    a.exchange(&mut table, 2000, 1);
    assert_eq!(a.permit_at(2001), None);
    assert!(a.lease.take_notices().iter().any(|n| matches!(n, Notice::Lost { epoch: 2, .. })));
}

#[test]
fn rule_2_an_observer_waits_the_holders_duration_from_the_first_receipt() {
    let (mut table, _a) = held_by("a");
    set(&mut table, "leaseDurationMs", Attribute::N("20000".into()));
    let mut b = Node::new("b");
    // Sent at 100, received at 600: the wait starts at 600 and takes the holder's 20 s, not b's own 10 s.
    b.exchange(&mut table, 100, 500);
    let expected_free = 600 + 20_000 + 200;
    b.run(&mut table, 601, expected_free - 1);
    assert_eq!(b.permit_at(expected_free - 1), None);
    b.run(&mut table, expected_free, expected_free);
    assert_eq!(b.permit_at(expected_free), Some(3));
}

#[test]
fn rule_2_a_renewal_starts_the_wait_anew() {
    let (mut table, mut a) = held_by("a");
    let mut b = Node::new("b");
    for second in 0..60 {
        let from = second * 1000;
        a.run(&mut table, from, from + 999);
        b.run(&mut table, from, from + 999);
    }
    assert_eq!((a.permit_at(60_000), b.permit_at(60_000)), (Some(2), None));
    assert_eq!(epoch_of(table.as_ref()), 2);
}

#[test]
fn rule_2_the_holder_stops_before_the_observer_starts() {
    let (mut table, a) = held_by("a");
    let mut b = Node::new("b");
    let mut taken = None;
    for now in 0..12_000 {
        b.run(&mut table, now, now);
        if b.permit_at(now).is_some() {
            assert_eq!(a.permit_at(now), None, "two permits at {now} ms");
            taken.get_or_insert(now);
        }
    }
    // The claim is due exactly one lease plus margin after the item was first seen.
    assert_eq!(taken, Some(10_200));
}

#[test]
fn rule_3_a_released_item_is_claimed_at_once_with_a_higher_epoch() {
    let mut table = released(41);
    let mut a = Node::new("a");
    a.run(&mut table, 0, 10);
    assert_eq!(a.permit_at(10), Some(42));
}

#[test]
fn rule_3_a_new_item_is_waited_out_and_starts_at_unix_seconds() {
    let mut table = released(0);
    let mut a = Node::new("a");
    a.run(&mut table, 0, 10_199);
    assert_eq!(a.permit_at(10_199), None, "nobody has held this one, but somebody may hold the one before it");
    a.run(&mut table, 10_200, 10_300);
    assert_eq!(a.permit_at(10_300), Some(WALL_S + 10));
}

/// An item made anew under a live holder, and an instance that has just started and has seen neither.
#[test]
fn rule_3_an_item_made_anew_under_a_holder_is_not_free() {
    let (_, a) = held_by("a");
    let mut table = released(0);
    let mut b = Node::new("b");
    for now in 0..12_000 {
        b.run(&mut table, now, now);
        assert!(a.permit_at(now).is_none() || b.permit_at(now).is_none(), "two permits at {now} ms");
    }
    assert!(b.permit_at(12_000).is_some());
}

#[test]
fn rule_3_an_item_restored_from_an_older_copy_is_waited_out() {
    let mut table = released(9);
    let mut b = Node::new("b");
    b.lease.set_eligibility(Eligibility::No);
    b.run(&mut table, 0, 100);
    table = released(5);
    b.lease.set_eligibility(Eligibility::Yes);
    b.run(&mut table, 101, 10_000);
    assert_eq!(b.permit_at(10_000), None, "an older epoch was taken for free");
    b.run(&mut table, 10_001, 12_500);
    assert_eq!(b.permit_at(12_500), Some(10));
}

#[test]
fn rule_3_absent_is_not_free_and_epochs_go_on_above() {
    let mut table = None;
    let mut a = Node::new("a");
    a.run(&mut table, 0, 10_199);
    assert_eq!((a.permit_at(10_199), epoch_of(table.as_ref())), (None, 0), "marked, not held");
    a.run(&mut table, 10_200, 10_300);
    assert_eq!(a.permit_at(10_300), Some(WALL_S + 10));
}

#[test]
fn rule_3_the_longest_known_lease_is_waited_for_when_the_item_vanishes() {
    let (mut table, _a) = held_by("a");
    set(&mut table, "leaseDurationMs", Attribute::N("30000".into()));
    let mut b = Node::new("b");
    b.run(&mut table, 0, 500);
    table = None;
    b.run(&mut table, 501, 30_000);
    assert_eq!(b.permit_at(30_000), None);
    b.run(&mut table, 30_001, 32_000);
    assert!(b.permit_at(32_000).is_some());
}

/// Found by the simulation: an absence that was interrupted by a holder looks like one that lasted.
#[test]
fn rule_3_an_absence_interrupted_unseen_is_waited_out_from_its_end() {
    let mut table = None;
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    let seen = a.request(at(0));
    let outcome = apply(&mut table, "flagship", &seen.kind);
    a.lease.on_outcome(seen.id, at(1), outcome);
    // Now a is stopped. Meanwhile b finds no item, waits, and holds; then the item is deleted once more.
    b.run(&mut table, 2, 20_000);
    assert!(b.permit_at(20_001).is_some());
    table = None;
    a.run(&mut table, 20_001, 20_100);
    assert!(a.permit_at(20_100).is_none(), "b's permit still runs");
    assert!(b.permit_at(20_100).is_some());
}

/// The same for an item that is made anew, with the version that Terraform always gives it.
#[test]
fn rule_3_an_item_made_anew_twice_is_waited_out_from_the_last_time() {
    let mut table = released(0);
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    a.exchange(&mut table, 0, 1);
    b.run(&mut table, 2, 20_000);
    assert!(b.permit_at(20_001).is_some());
    table = released(0);
    a.run(&mut table, 20_001, 20_100);
    assert!(a.permit_at(20_100).is_none(), "b's permit still runs");
    assert!(b.permit_at(20_100).is_some());
}

/// A write conditioned on absence that arrives late, after a holder came and went, gives no permit.
#[test]
fn rule_3_a_late_write_into_a_second_absence_gives_no_permit() {
    let mut table = None;
    let (mut a, mut b) = (Node::new("a"), Node::new("b"));
    a.exchange(&mut table, 0, 1);
    let late = (0..30_000).find_map(|now| match a.poll(at(now)) {
        Step::Request(Request { kind: RequestKind::Read, id }) => {
            a.lease.on_outcome(id, at(now), Outcome::Read(None));
            None
        }
        Step::Request(write) => Some((now, write)),
        _ => None,
    });
    let (sent, late) = late.unwrap();
    b.run(&mut table, sent, sent + 15_000);
    assert!(b.permit_at(sent + 15_000).is_some());
    table = None;
    let outcome = apply(&mut table, "flagship", &late.kind);
    assert!(matches!(outcome, Outcome::Applied(_)), "it is conditioned on absence only");
    a.lease.on_outcome(late.id, at(sent + 15_001), outcome);
    a.run(&mut table, sent + 15_002, sent + 15_100);
    assert!(a.permit_at(sent + 15_100).is_none(), "b's permit still runs");
}

#[test]
fn rule_4_an_ambiguous_renewal_that_succeeded_is_recognised() {
    let (mut table, mut a) = held_by("a");
    let lost_answer = a.request(at(2000));
    apply(&mut table, "flagship", &lost_answer.kind);
    a.lease.on_outcome(lost_answer.id, at(3500), unknown());
    assert_eq!(a.permit_at(3500), Some(2), "an unknown outcome is not a loss");
    // The next renewal fails, finds the write of 2000 and counts its deadline from there.
    a.exchange(&mut table, 4000, 10);
    assert_eq!(a.lease.permit().unwrap().deadline, at(2000).boot + ms(9800));
    a.exchange(&mut table, 4010, 10);
    assert_eq!(a.lease.permit().unwrap().deadline, at(4010).boot + ms(9800));
    assert!(!a.lease.take_notices().iter().any(|n| matches!(n, Notice::Lost { .. })));
}

#[test]
fn rule_4_an_ambiguous_claim_is_read_again_before_anything_else() {
    let mut table = released(1);
    let mut a = Node::new("a");
    a.exchange(&mut table, 0, 0);
    let lost_answer = a.request(at(10));
    apply(&mut table, "flagship", &lost_answer.kind);
    a.lease.on_outcome(lost_answer.id, at(1510), unknown());
    let read = a.request(at(1510));
    assert_eq!(read.kind, RequestKind::Read);
    let outcome = apply(&mut table, "flagship", &read.kind);
    a.lease.on_outcome(read.id, at(1520), outcome);
    assert_eq!(a.lease.permit().unwrap().deadline, at(10).boot + ms(9800));
}

#[test]
fn rule_4_an_old_write_of_ours_restored_after_another_holder_is_not_adopted() {
    let (mut table, mut a) = held_by("a");
    let lost_answer = a.request(at(2000));
    apply(&mut table, "flagship", &lost_answer.kind);
    let copy = table.clone();
    a.lease.on_outcome(lost_answer.id, at(3500), unknown());
    // Somebody holds a higher epoch in between and a sees it; then the copy is put back.
    a.lease.raise_epoch_floor(3);
    table = copy;
    a.exchange(&mut table, 4000, 10);
    assert_eq!(a.permit_at(4010), None);
}

#[test]
fn rule_4_a_holder_whose_deadline_passed_resumes_if_nobody_came_between() {
    let (mut table, mut a) = held_by("a");
    for now in [2000, 4000, 6000, 8000, 10_500] {
        if let Step::Request(request) = a.poll(at(now)) {
            a.lease.on_outcome(request.id, at(now + 1000), unknown());
        }
    }
    assert_eq!(a.permit_at(11_500), None);
    a.exchange(&mut table, 12_600, 10);
    assert_eq!(a.permit_at(12_610), Some(2), "the epoch stays");
    let notices = a.lease.take_notices();
    assert!(notices.iter().any(|n| matches!(n, Notice::PermitExpired { epoch: 2 })), "{notices:?}");
    assert!(notices.iter().any(|n| matches!(n, Notice::Resumed { epoch: 2 })), "{notices:?}");
}

#[test]
fn rule_5_release_closes_the_gate_first_then_drains_then_writes() {
    let (mut table, mut a) = held_by("a");
    a.lease.stop();
    assert_eq!(a.permit_at(1), None);
    assert!(matches!(a.poll(at(100)), Step::Drain(_)));
    assert_ne!(table.as_ref().unwrap()[LEASE_OWNER], Attribute::S(String::new()));
    a.lease.on_drained(at(150));
    a.exchange(&mut table, 150, 10);
    assert_eq!(table.as_ref().unwrap()[LEASE_OWNER], Attribute::S(String::new()));
    assert_eq!(epoch_of(table.as_ref()), 2, "the epoch is kept");
    assert_eq!(a.poll(at(170)), Step::Done);
    let mut b = Node::new("b");
    b.run(&mut table, 200, 210);
    assert_eq!(b.permit_at(210), Some(3));
}

#[test]
fn rule_5_a_release_without_confirmation_ends_after_a_few_tries() {
    let (_table, mut a) = held_by("a");
    a.lease.stop();
    a.lease.on_drained(at(0));
    let mut tries = 0;
    for now in (0..20_000).step_by(100) {
        match a.poll(at(now)) {
            Step::Request(request) => {
                tries += 1;
                a.lease.on_outcome(request.id, at(now), unknown());
            }
            Step::Done => break,
            _ => {}
        }
    }
    assert_eq!(tries, 3);
    assert!(a.lease.take_notices().contains(&Notice::Released { epoch: 2, confirmed: false }));
}

#[test]
fn rule_7_a_wall_clock_jump_closes_the_gate_until_a_renewal_sent_after_it() {
    for jump_ms in [-60_000_i64, -250, 250, 86_400_000] {
        let (mut table, mut a) = held_by("a");
        let jumped = |millis: u64| {
            let wall = i64::try_from(at(millis).wall.unix_ms()).unwrap() + jump_ms;
            Now { wall: WallTime::from_unix_ms(u64::try_from(wall).unwrap()), ..at(millis) }
        };
        // A renewal that was on its way when the clock jumped does not open the gate again.
        let before = a.request(at(2000));
        let outcome = apply(&mut table, "flagship", &before.kind);
        a.lease.on_outcome(before.id, jumped(2010), outcome);
        assert_eq!(a.permit_at(2010), None, "jump of {jump_ms} ms");
        let after = a.request(jumped(2010));
        let outcome = apply(&mut table, "flagship", &after.kind);
        a.lease.on_outcome(after.id, jumped(2020), outcome);
        assert_eq!(a.permit_at(2020), Some(2));
    }
    let (_table, mut a) = held_by("a");
    let slewed = Now { wall: WallTime::from_unix_ms(at(1000).wall.unix_ms() + 150), ..at(1000) };
    a.poll(slewed);
    assert_eq!(a.permit_at(1000), Some(2), "a difference within the margin is no jump");
}

#[test]
fn rule_8_a_foreign_item_is_waited_for_by_its_own_threshold() {
    let mut table = admiral("go-admiral", WALL_S);
    let mut b = Node::new("b");
    b.run(&mut table, 0, 30_000);
    table = admiral("go-admiral", WALL_S + 30);
    b.run(&mut table, 30_001, 75_400);
    assert_eq!(b.permit_at(75_400), None, "45 s from the renewal at 30 s, plus the margin of 450 ms");
    b.run(&mut table, 75_401, 77_000);
    assert_eq!(b.permit_at(77_000), Some(WALL_S + 76), "the foreign put dropped the epoch");
    assert!(b.lease.take_notices().iter().any(|n| matches!(n, Notice::ForeignWriter(o) if o == "go-admiral")));
}

#[test]
fn rule_8_skip_lease_pod_is_never_taken_over() {
    let mut table = admiral("SKIP-LEASE-POD", 0);
    let mut b = Node::new("b");
    b.run(&mut table, 0, 600_000);
    assert_eq!(b.permit_at(600_000), None);
}

#[test]
fn rule_8_a_go_admiral_that_overwrites_the_item_closes_the_gate() {
    let (_table, mut a) = held_by("a");
    let mut table = admiral("go-admiral", WALL_S);
    a.exchange(&mut table, 2000, 10);
    assert_eq!(a.permit_at(2010), None);
}

#[test]
fn an_unreadable_item_is_waited_out_and_then_replaced() {
    let (mut table, _a) = held_by("a");
    set(&mut table, EPOCH, Attribute::N("-5".into()));
    let mut b = Node::new("b");
    b.run(&mut table, 0, 10_199);
    assert_eq!(b.permit_at(10_199), None);
    b.run(&mut table, 10_200, 12_000);
    assert_eq!(b.permit_at(12_000), Some(WALL_S + 10));
    assert!(b.lease.take_notices().iter().any(|n| matches!(n, Notice::Unreadable(r) if r.contains("-5"))));
}

#[test]
fn who_cannot_see_the_clusters_does_not_claim_and_who_sees_a_part_waits_longer() {
    let mut table = released(1);
    let mut blind = Node::new("blind");
    blind.lease.set_eligibility(Eligibility::No);
    blind.run(&mut table, 0, 60_000);
    assert_eq!(epoch_of(table.as_ref()), 1);
    let mut partial = Node::new("partial");
    partial.lease.set_eligibility(Eligibility::Reluctant);
    partial.run(&mut table, 0, 1_999);
    assert_eq!(epoch_of(table.as_ref()), 1);
    partial.run(&mut table, 2_000, 3_000);
    assert_eq!(partial.permit_at(3_000), Some(2));
}

#[test]
fn of_a_hundred_that_start_together_one_wins() {
    let mut table = released(7);
    let mut nodes: Vec<Node> = (0..100).map(|i| Node::new(Box::leak(format!("n{i}").into_boxed_str()))).collect();
    let mut open = Vec::new();
    for node in &mut nodes {
        let request = node.request(at(0));
        open.push((request.id, apply(&mut table, "flagship", &request.kind)));
    }
    for (node, (id, outcome)) in nodes.iter_mut().zip(open) {
        node.lease.on_outcome(id, at(5), outcome);
    }
    let claims: Vec<Request> = nodes.iter_mut().map(|node| node.request(at(6))).collect();
    for (node, claim) in nodes.iter_mut().zip(&claims) {
        let outcome = apply(&mut table, "flagship", &claim.kind);
        node.lease.on_outcome(claim.id, at(10), outcome);
    }
    let holders: Vec<u64> = nodes.iter().filter_map(|node| node.permit_at(11)).collect();
    assert_eq!(holders, [8]);
}

#[test]
fn an_answer_to_a_request_that_is_not_under_way_is_ignored() {
    let (table, mut a) = held_by("a");
    a.lease.on_outcome(999, at(1), Outcome::ConditionFailed(released(50)));
    assert_eq!(a.permit_at(1), Some(2));
    assert_eq!(epoch_of(table.as_ref()), 2);
}

#[test]
fn lost_races_are_paced() {
    let mut table = released(1);
    let mut a = Node::new("a");
    a.exchange(&mut table, 0, 0);
    let mut claims = 0;
    for now in 0..5000 {
        if let Step::Request(request) = a.poll(at(now)) {
            // A table that refuses every claim and shows the same item each time.
            let outcome = match request.kind {
                RequestKind::Read => Outcome::Read(table.clone()),
                RequestKind::Write(_) => {
                    claims += 1;
                    Outcome::ConditionFailed(table.clone())
                }
            };
            a.lease.on_outcome(request.id, at(now), outcome);
        }
    }
    assert!((4..=6).contains(&claims), "{claims} claims in 5 s");
}
