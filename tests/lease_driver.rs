//! The driver in virtual time: what the mode shows while a store hangs, lies late, or is cut off.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flagship::checker::driver::LeaseDriver;
use flagship::checker::permit::{ModeReader, State, mode};
use flagship::checker::status::StatusBoard;
use flagship::checker::{CheckerContext, CheckerError, Drain};
use flagship::clock::{SharedClock, TokioClock};
use flagship::instant::WallTime;
use flagship::lease::record::{EPOCH, LEASE_OWNER, VERSION};
use flagship::lease::{Attribute, Eligibility, Identity, LeaseConfig, Outcome, RawItem, RequestKind, Timings};
use flagship::store::memory::MemoryStore;
use flagship::store::{CheckError, LeaseStore};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A store whose network can be cut, for one instance.
#[derive(Clone)]
struct Wire {
    store: MemoryStore,
    hangs: Arc<AtomicBool>,
    loses_answers: Arc<AtomicBool>,
    check: Result<(), CheckError>,
}

impl Wire {
    fn to(store: &MemoryStore) -> Self {
        Self { store: store.clone(), hangs: Arc::default(), loses_answers: Arc::default(), check: Ok(()) }
    }
}

impl LeaseStore for Wire {
    fn describe(&self) -> String {
        "the test's wire".to_owned()
    }

    fn execute<'a>(&'a self, request: &'a RequestKind) -> BoxFuture<'a, Outcome> {
        async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(3)).await;
            let outcome = self.store.execute(request).await;
            if self.loses_answers.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
            outcome
        }
        .boxed()
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        Box::pin(std::future::ready(self.check.clone()))
    }
}

/// Writes in flight, as far as a test says so.
#[derive(Default)]
struct Writes {
    drained_at: Mutex<Option<tokio::time::Instant>>,
    take: Duration,
}

impl Drain for Writes {
    fn drain(&self) -> BoxFuture<'_, ()> {
        async move {
            tokio::time::sleep(self.take).await;
            *self.drained_at.lock().unwrap() = Some(tokio::time::Instant::now());
        }
        .boxed()
    }
}

struct Instance {
    mode: ModeReader,
    clock: SharedClock,
    shutdown: CancellationToken,
    eligibility: watch::Sender<Eligibility>,
    run: JoinHandle<Result<(), CheckerError>>,
    board: StatusBoard,
}

impl Instance {
    fn start(name: &str, wire: &Wire, clock: &SharedClock, drain: Arc<dyn Drain>) -> Self {
        let (writer, mode) = mode();
        let (eligibility, eligible) = watch::channel(Eligibility::Yes);
        let board = StatusBoard::new("test", clock.clone());
        let shutdown = CancellationToken::new();
        let context = CheckerContext {
            mode: writer,
            board: board.clone(),
            clock: clock.clone(),
            shutdown: shutdown.clone(),
            eligibility: eligible,
            epoch_floor: Arc::new(AtomicU64::new(0)),
            drain,
        };
        let me = Identity {
            owner: name.to_owned(),
            instance_id: format!("uuid-{name}"),
            endpoint: String::new(),
            region: String::new(),
        };
        let config = LeaseConfig::new(Timings::default()).unwrap();
        let run = tokio::spawn(LeaseDriver::new(config, me, Arc::new(wire.clone())).run(context));
        Self { mode, clock: clock.clone(), shutdown, eligibility, run, board }
    }

    fn epoch(&self) -> Option<u64> {
        self.mode.permit(self.clock.now()).map(|permit| permit.epoch)
    }

    fn state(&self) -> State {
        self.mode.state(self.clock.now())
    }
}

fn table() -> MemoryStore {
    let store = MemoryStore::new("flagship");
    store.put(Some(RawItem::from([
        (LEASE_OWNER.to_owned(), Attribute::S(String::new())),
        (VERSION.to_owned(), Attribute::S("initial".to_owned())),
        (EPOCH.to_owned(), Attribute::N("6".to_owned())),
    ])));
    store
}

fn virtual_clock() -> SharedClock {
    Arc::new(TokioClock::starting_at(WallTime::from_unix_ms(1_700_000_000_000)))
}

async fn sleep_ms(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

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
