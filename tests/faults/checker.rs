//! A dynamodb checker in this process, with no clusters around it.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use flagship::checker::driver::LeaseDriver;
use flagship::checker::permit::{ModeReader, mode};
use flagship::checker::status::StatusBoard;
use flagship::checker::{CheckerContext, CheckerError, Drain};
use flagship::clock::{SharedClock, SystemClock};
use flagship::instant::Instant;
use flagship::lease::{Eligibility, Identity, LeaseConfig, Timings};
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::dynamodb;

pub struct Checker {
    pub shutdown: CancellationToken,
    mode: ModeReader,
    task: JoinHandle<Result<(), CheckerError>>,
    /// The checker looks at it as long as it lives.
    _eligibility: watch::Sender<Eligibility>,
}

/// Nothing is ever in flight.
struct Idle;

impl Drain for Idle {
    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl Checker {
    /// One with a store of its own on `table`.
    pub fn start(endpoint: &str, table: &str, number: usize) -> Self {
        let clock: SharedClock = Arc::new(SystemClock);
        let (writer, mode) = mode();
        let (eligibility, eligible) = watch::channel(Eligibility::Yes);
        let shutdown = CancellationToken::new();
        let context = CheckerContext {
            mode: writer,
            board: StatusBoard::new("test", clock.clone()),
            clock,
            shutdown: shutdown.clone(),
            eligibility: eligible,
            epoch_floor: Arc::new(AtomicU64::new(0)),
            drain: Arc::new(Idle),
        };
        let me = Identity {
            owner: format!("n{number}"),
            instance_id: uuid::Uuid::new_v4().to_string(),
            endpoint: String::new(),
            region: String::new(),
        };
        let (endpoint, table) = (endpoint.to_owned(), table.to_owned());
        let task = tokio::spawn(async move {
            let store = Arc::new(dynamodb::store(&endpoint, &table, "flagship").await);
            let config = LeaseConfig::new(Timings::default()).unwrap();
            Box::pin(LeaseDriver::new(config, me, store).run(context)).await
        });
        Self { shutdown, mode, task, _eligibility: eligibility }
    }

    /// Under which epoch it may write.
    pub fn epoch(&self, now: Instant) -> Option<u64> {
        self.mode.permit(now).map(|permit| permit.epoch)
    }

    /// Waits for its end, which must be a good one.
    pub async fn end(self) {
        let end = tokio::time::timeout(Duration::from_secs(30), self.task).await;
        assert!(matches!(end, Ok(Ok(Ok(())))), "{end:?}");
    }
}
