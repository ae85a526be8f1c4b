//! Whole checkers in virtual time: the driver with a store whose network can be cut.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flagship::checker::driver::LeaseDriver;
use flagship::checker::permit::{ModeReader, State, mode};
use flagship::checker::status::StatusBoard;
use flagship::checker::{CheckerContext, CheckerError, Drain};
use flagship::clock::{Clock, SharedClock, TokioClock};
use flagship::instant::{Instant, WallTime};
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
pub struct Wire {
    pub store: MemoryStore,
    pub hangs: Arc<AtomicBool>,
    pub loses_answers: Arc<AtomicBool>,
    pub check: Result<(), CheckError>,
}

impl Wire {
    pub fn to(store: &MemoryStore) -> Self {
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
pub struct Writes {
    pub drained_at: Mutex<Option<tokio::time::Instant>>,
    pub take: Duration,
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

pub struct Instance {
    pub mode: ModeReader,
    pub clock: SharedClock,
    pub shutdown: CancellationToken,
    pub eligibility: watch::Sender<Eligibility>,
    pub run: JoinHandle<Result<(), CheckerError>>,
    pub board: StatusBoard,
    /// The highest epoch seen in the clusters.
    pub floor: Arc<AtomicU64>,
}

impl Instance {
    pub fn start(name: &str, wire: &Wire, clock: &SharedClock, drain: Arc<dyn Drain>) -> Self {
        let (writer, mode) = mode();
        let (eligibility, eligible) = watch::channel(Eligibility::Yes);
        let board = StatusBoard::new("test", clock.clone());
        let (shutdown, floor) = (CancellationToken::new(), Arc::new(AtomicU64::new(0)));
        let context = CheckerContext {
            mode: writer,
            board: board.clone(),
            clock: clock.clone(),
            shutdown: shutdown.clone(),
            eligibility: eligible,
            epoch_floor: floor.clone(),
            drain,
        };
        let me = Identity {
            owner: name.to_owned(),
            instance_id: format!("uuid-{name}"),
            endpoint: format!("http://{name}"),
            region: "us-west-2".to_owned(),
        };
        let config = LeaseConfig::new(Timings::default()).unwrap();
        let run = tokio::spawn(
            LeaseDriver::new(config, me, Arc::new(wire.clone())).titled("the-table", "the-lease").run(context),
        );
        Self { mode, clock: clock.clone(), shutdown, eligibility, run, board, floor }
    }

    pub fn epoch(&self) -> Option<u64> {
        self.mode.permit(self.clock.now()).map(|permit| permit.epoch)
    }

    pub fn state(&self) -> State {
        self.mode.state(self.clock.now())
    }
}

pub fn table() -> MemoryStore {
    let store = MemoryStore::new("flagship");
    store.put(Some(RawItem::from([
        (LEASE_OWNER.to_owned(), Attribute::S(String::new())),
        (VERSION.to_owned(), Attribute::S("initial".to_owned())),
        (EPOCH.to_owned(), Attribute::N("6".to_owned())),
    ])));
    store
}

/// Virtual time with a wall clock that can be set forward.
pub struct Jumping {
    pub clock: SharedClock,
    pub ahead_ms: AtomicU64,
}

impl Clock for Jumping {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_ms(self.clock.wall().unix_ms() + self.ahead_ms.load(Ordering::SeqCst))
    }
}

pub fn virtual_clock() -> SharedClock {
    Arc::new(TokioClock::starting_at(WallTime::from_unix_ms(1_700_000_000_000)))
}

pub async fn sleep_ms(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
