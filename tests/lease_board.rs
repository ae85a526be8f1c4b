//! What the driver tells people, in virtual time: the status board and the log.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/driver.rs"]
mod driver;

use std::cell::RefCell;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flagship::checker::permit::State;
use flagship::checker::status::LeaseView;
use flagship::lease::record::{LEASE_OWNER, UPDATED_TIME};
use flagship::lease::{Attribute, RawItem};
use flagship::store::CheckError;

use driver::*;

fn start(name: &str, wire: &Wire, clock: &flagship::clock::SharedClock) -> Instance {
    log_by_thread();
    Instance::start(name, wire, clock, Arc::new(Writes::default()))
}

#[tokio::test(start_paused = true)]
async fn the_board_counts_what_the_store_answered() {
    let (store, clock) = (table(), virtual_clock());
    let wire = Wire::to(&store);
    let a = start("a", &wire, &clock);
    sleep_ms(5000).await;
    let well = a.board.read();
    assert!(well.store_successes >= 3, "{well:?}");
    assert_eq!((well.store_failures, well.last_error.as_str()), (0, ""));
    wire.hangs.store(true, Ordering::SeqCst);
    sleep_ms(9000).await;
    let cut = a.board.read();
    assert!(cut.store_failures >= 3 && cut.store_successes <= well.store_successes + 1, "{cut:?}");
    assert_eq!(cut.last_error, "no answer from the lease store within 1.5s");
    wire.hangs.store(false, Ordering::SeqCst);
    sleep_ms(5000).await;
    let healed = a.board.read();
    assert!(healed.store_successes > cut.store_successes && healed.last_error.is_empty(), "{healed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_board_counts_the_checks_of_a_store_that_is_away() {
    let (store, clock) = (table(), virtual_clock());
    let away = Wire { check: Err(CheckError::Unreachable("no route".into())), ..Wire::to(&store) };
    let a = start("a", &away, &clock);
    sleep_ms(10_500).await;
    assert_eq!(a.board.read().store_failures, 11, "once at first and once a second");
}

#[tokio::test(start_paused = true)]
async fn the_board_shows_the_lease_to_holder_and_passive_alike() {
    let (store, clock) = (table(), virtual_clock());
    let a = start("a", &Wire::to(&store), &clock);
    sleep_ms(100).await;
    let b = start("b", &Wire::to(&store), &clock);
    sleep_ms(3000).await;
    let held = a.board.read().lease.clone().unwrap();
    let expected = LeaseView {
        table: "the-table".into(),
        name: "the-lease".into(),
        owner: "a".into(),
        holder_instance_id: "uuid-a".into(),
        holder_endpoint: "http://a".into(),
        holder_region: "us-west-2".into(),
        epoch: 7,
        observed: "holding".into(),
        problem: String::new(),
        acquired_unix_ms: held.acquired_unix_ms,
    };
    assert_eq!(held, expected);
    assert!(held.acquired_unix_ms.is_some_and(|at| (1_700_000_000_000..1_700_000_000_100).contains(&at)), "{held:?}");
    let seen = b.board.read().lease.clone().unwrap();
    assert_eq!(seen, LeaseView { observed: "held by another".into(), ..expected });
}

#[tokio::test(start_paused = true)]
async fn the_board_keeps_takeovers_and_changes_of_state() {
    let (store, clock) = (table(), virtual_clock());
    let wire = Wire::to(&store);
    let a = start("a", &wire, &clock);
    sleep_ms(1000).await;
    let first = a.board.read();
    assert_eq!((first.takeovers, first.activations, first.deactivations), (1, 1, 0));
    assert_eq!((first.transitions[0].state, first.transitions[0].epoch), (State::Active, 7));
    assert_eq!(first.transitions[0].reason, "acquired the lease with epoch 7: it was released");
    // Somebody deletes the item: it is lost, and taken again with a new epoch.
    store.put(None);
    sleep_ms(20_000).await;
    let again = a.board.read();
    assert_eq!((again.takeovers, again.activations, again.deactivations), (2, 2, 1), "{again:?}");
    assert_eq!(again.transitions[1].reason, "lost the lease of epoch 7: there is no lease item");
    // A hanging store: passive, and active again under the same epoch, which is no takeover.
    wire.hangs.store(true, Ordering::SeqCst);
    sleep_ms(15_000).await;
    wire.hangs.store(false, Ordering::SeqCst);
    sleep_ms(5000).await;
    let resumed = a.board.read();
    assert_eq!((resumed.takeovers, resumed.activations, resumed.deactivations), (2, 3, 2), "{resumed:?}");
}

/// Who reads the last change of state must not take an active instance for a passive one.
#[tokio::test(start_paused = true)]
async fn the_board_says_when_the_gate_opens_again_after_the_wall_clock_jumped() {
    let store = table();
    let jumping = Arc::new(Jumping { clock: virtual_clock(), ahead_ms: AtomicU64::new(0) });
    let clock: flagship::clock::SharedClock = jumping.clone();
    let a = start("a", &Wire::to(&store), &clock);
    sleep_ms(1000).await;
    jumping.ahead_ms.store(60_000, Ordering::SeqCst);
    sleep_ms(5000).await;
    let told = a.board.read();
    let states: Vec<State> = told.transitions.iter().map(|transition| transition.state).collect();
    assert_eq!((states, a.state()), (vec![State::Active, State::Passive, State::Active], State::Active));
    assert_eq!((told.activations, told.deactivations, told.takeovers), (2, 1, 1));
}

/// S3, from the reconciler's word to the gate's permit.
#[tokio::test(start_paused = true)]
async fn an_epoch_seen_in_a_cluster_is_outrun_without_giving_the_lease_up() {
    let (store, clock) = (table(), virtual_clock());
    let a = start("a", &Wire::to(&store), &clock);
    sleep_ms(1000).await;
    assert_eq!(a.epoch(), Some(7));
    a.floor.store(41, Ordering::SeqCst);
    for _ in 0..30 {
        sleep_ms(100).await;
        assert_eq!(a.state(), State::Active);
    }
    let told = a.board.read();
    assert_eq!((a.epoch(), told.lease.clone().unwrap().epoch, told.takeovers), (Some(42), 42, 1));
    assert_eq!(lines_with("the lease goes on with epoch 42"), 1);
}

#[tokio::test(start_paused = true)]
async fn the_board_names_what_is_wrong_with_the_item_until_it_is_right_again() {
    let (store, clock) = (table(), virtual_clock());
    let text = |text: &str| Attribute::S(text.to_owned());
    let foreign =
        RawItem::from([(LEASE_OWNER.to_owned(), text("go")), (UPDATED_TIME.to_owned(), Attribute::N("1".into()))]);
    store.put(Some(foreign));
    let a = start("a", &Wire::to(&store), &clock);
    sleep_ms(3000).await;
    let problem = a.board.read().lease.clone().unwrap().problem;
    assert!(problem.contains("written by \"go\", which is not a Flagship"), "{problem:?}");
    sleep_ms(60_000).await;
    assert_eq!(a.state(), State::Active, "it was waited out");
    assert_eq!(a.board.read().lease.clone().unwrap().problem, "");
}

thread_local! {
    /// What was logged on this thread, which is this test's alone.
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One for all tests: whether a line is wanted at all is remembered across threads.
fn log_by_thread() {
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).try_init();
}

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn lines_with(text: &str) -> usize {
    LOGGED.with_borrow(|logged| String::from_utf8_lossy(logged).lines().filter(|line| line.contains(text)).count())
}

#[tokio::test(start_paused = true)]
async fn an_outage_is_one_line_and_one_more_every_half_minute() {
    let (store, clock) = (table(), virtual_clock());
    let wire = Wire::to(&store);
    let _a = start("a", &wire, &clock);
    sleep_ms(1000).await;
    wire.hangs.store(true, Ordering::SeqCst);
    sleep_ms(25_000).await;
    assert_eq!(lines_with("no word from the lease store"), 1);
    sleep_ms(75_000).await;
    assert_eq!(lines_with("no word from the lease store"), 4, "after 0, 30, 60 and 90 s");
    assert_eq!(lines_with("READ-ONLY"), 1);
    // The next one is news again, however soon.
    wire.hangs.store(false, Ordering::SeqCst);
    sleep_ms(5000).await;
    assert_eq!(lines_with("ACTIVE:"), 2);
    wire.hangs.store(true, Ordering::SeqCst);
    sleep_ms(5000).await;
    assert_eq!(lines_with("no word from the lease store"), 5);
}
