//! The driver in virtual time: what the mode shows while a store hangs, lies late, or is cut off.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/driver.rs"]
mod driver;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flagship::checker::CheckerError;
use flagship::checker::permit::State;
use flagship::lease::Eligibility;
use flagship::store::CheckError;

use driver::*;

#[tokio::test(start_paused = true)]
async fn a_hanging_store_closes_the_gate_at_the_deadline_and_the_other_takes_over() {
    let (store, clock) = (table(), virtual_clock());
    let wire = Wire::to(&store);
    let a = Instance::start("a", &wire, &clock, Arc::new(Writes::default()));
    sleep_ms(500).await;
    assert_eq!(a.epoch(), Some(7));
    let b = Instance::start("b", &Wire::to(&store), &clock, Arc::new(Writes::default()));
    sleep_ms(3000).await;
    wire.hangs.store(true, Ordering::SeqCst);
    let (mut closed_at, mut opened_at) = (None, None);
    for millis in 0..30_000 {
        sleep_ms(1).await;
        assert!(a.epoch().is_none() || b.epoch().is_none(), "two permits at {millis} ms");
        if a.epoch().is_none() {
            closed_at.get_or_insert(millis);
        }
        if b.epoch().is_some() {
            opened_at.get_or_insert(millis);
        }
    }
    // The last renewal was sent at most 2 s before the cut.
    assert!((7_790..=9_800).contains(&closed_at.unwrap()), "{closed_at:?}");
    assert!(opened_at.unwrap() <= 11_700, "{opened_at:?}");
    assert_eq!(b.epoch(), Some(8));
    wire.hangs.store(false, Ordering::SeqCst);
    sleep_ms(60_000).await;
    assert_eq!((a.epoch(), b.epoch()), (None, Some(8)), "the first one stays read-only");
    b.shutdown.cancel();
    sleep_ms(2_000).await;
    assert_eq!(a.epoch(), Some(9), "it comes back with a new epoch only");
}

#[tokio::test(start_paused = true)]
async fn lost_answers_do_not_lose_the_lease() {
    let (store, clock) = (table(), virtual_clock());
    let wire = Wire::to(&store);
    let a = Instance::start("a", &wire, &clock, Arc::new(Writes::default()));
    let b = Instance::start("b", &Wire::to(&store), &clock, Arc::new(Writes::default()));
    sleep_ms(1000).await;
    let holder = if a.epoch().is_some() { &a } else { &b };
    assert_eq!(holder.epoch(), Some(7));
    // The requests arrive, the answers do not: the table sees a live holder, which adopts its own writes.
    wire.loses_answers.store(true, Ordering::SeqCst);
    for _ in 0..200 {
        sleep_ms(100).await;
        assert!(a.epoch().is_none() || b.epoch().is_none());
    }
    wire.loses_answers.store(false, Ordering::SeqCst);
    sleep_ms(15_000).await;
    let active = [&a, &b].into_iter().filter(|i| i.state() == State::Active).count();
    assert_eq!(active, 1);
}

#[tokio::test(start_paused = true)]
async fn shutdown_closes_the_gate_before_it_drains_and_drains_before_it_releases() {
    let (store, clock) = (table(), virtual_clock());
    let writes = Arc::new(Writes { take: Duration::from_millis(700), ..Writes::default() });
    let a = Instance::start("a", &Wire::to(&store), &clock, writes.clone());
    let b = Instance::start("b", &Wire::to(&store), &clock, Arc::new(Writes::default()));
    sleep_ms(1000).await;
    let (holder, other) = if a.epoch().is_some() { (a, b) } else { (b, a) };
    let holder_is_a = holder.board.read().lease.as_ref().unwrap().owner == "a";
    holder.shutdown.cancel();
    sleep_ms(1).await;
    assert_eq!(holder.state(), State::Passive, "closed at once");
    assert!(holder.mode.may_finish(7, holder.clock.now()), "what is under way may end");
    if holder_is_a {
        sleep_ms(600).await;
        assert_eq!(other.state(), State::Passive, "not released while a write is in flight");
        assert!(writes.drained_at.lock().unwrap().is_none());
    }
    sleep_ms(1800).await;
    assert_eq!(other.epoch(), Some(8));
    assert!(!holder.mode.may_finish(7, holder.clock.now()), "but not beyond the release");
    assert!(matches!(holder.run.await, Ok(Ok(()))));
}

#[tokio::test(start_paused = true)]
async fn shutdown_while_the_store_hangs_closes_the_gate_at_once() {
    let (store, clock) = (table(), virtual_clock());
    let wire = Wire::to(&store);
    let a = Instance::start("a", &wire, &clock, Arc::new(Writes::default()));
    sleep_ms(500).await;
    wire.hangs.store(true, Ordering::SeqCst);
    sleep_ms(2000).await;
    assert_eq!(a.state(), State::Active);
    a.shutdown.cancel();
    sleep_ms(1).await;
    assert_eq!(a.state(), State::Passive);
    let ended = tokio::time::timeout(Duration::from_secs(10), a.run).await;
    assert!(matches!(ended, Ok(Ok(Ok(())))), "it gives up after a few tries: {ended:?}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_claims_only_once_it_sees_the_clusters() {
    let (store, clock) = (table(), virtual_clock());
    let a = Instance::start("a", &Wire::to(&store), &clock, Arc::new(Writes::default()));
    a.eligibility.send_replace(Eligibility::No);
    sleep_ms(60_000).await;
    assert_eq!(a.state(), State::Passive);
    a.eligibility.send_replace(Eligibility::Yes);
    sleep_ms(100).await;
    assert_eq!(a.state(), State::Active);
}

#[tokio::test(start_paused = true)]
async fn an_unfit_store_ends_the_checker_and_an_unreachable_one_is_tried_again() {
    let (store, clock) = (table(), virtual_clock());
    let unfit = Wire { check: Err(CheckError::Refused("wrong key".into())), ..Wire::to(&store) };
    let a = Instance::start("a", &unfit, &clock, Arc::new(Writes::default()));
    let end = a.run.await.unwrap();
    assert!(matches!(end, Err(CheckerError::Refused(m)) if m == "wrong key"));
    let away = Wire { check: Err(CheckError::Unreachable("no route".into())), ..Wire::to(&store) };
    let b = Instance::start("b", &away, &clock, Arc::new(Writes::default()));
    sleep_ms(30_000).await;
    assert!(!b.run.is_finished());
    assert_eq!(b.board.read().last_error, "no route");
    assert!(b.board.last_beat() + Duration::from_secs(3) > clock.now(), "it is alive all the same");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_that_start_together_have_one_active() {
    let (store, clock) = (table(), virtual_clock());
    let all: Vec<Instance> = (0..100)
        .map(|i| Instance::start(&format!("n{i}"), &Wire::to(&store), &clock, Arc::new(Writes::default())))
        .collect();
    for _ in 0..300 {
        sleep_ms(100).await;
        assert!(all.iter().filter(|i| i.state() == State::Active).count() <= 1);
    }
    assert_eq!(all.iter().filter_map(Instance::epoch).collect::<Vec<_>>(), [7]);
}
