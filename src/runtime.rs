//! The wiring of an instance: checker, clusters, reconciler, HTTP.
//!
//! Invariant: no task ends alone. Whatever ends first (a signal, the checker, a watch, a listener) ends the
//! instance: the gate closes, the lease is given up, the process exits.

mod explain;
mod render;
mod setup;
mod watchdog;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use anyhow::{Context, anyhow};
use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{oneshot, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

pub use explain::explain;
pub use render::render;
pub use setup::lease_init;

use crate::checker::permit::mode;
use crate::checker::status::StatusBoard;
use crate::checker::{self, CheckerContext, CheckerError};
use crate::clock::{SharedClock, SystemClock};
use crate::cluster::discovery;
use crate::cluster::event::{self, EventSender};
use crate::cluster::gate::{DEFAULT_REQUEST_TIMEOUT, Gate};
use crate::cluster::query::MeshHandle;
use crate::cluster::reconcile::{Reconciler, Wiring};
use crate::http::{self, HttpState, Instance};
use crate::instant::Instant;
use crate::lease::{Eligibility, Identity};
use crate::mesh::MeshOptions;
use crate::metrics::Metrics;
use crate::options::RunOptions;
use crate::plan::Planner;
use crate::suspension;

/// How long giving up the lease may take before the process exits all the same: a few tries of one request.
const RELEASE_WITHIN: Duration = Duration::from_secs(8);

/// How long everything else may take to end.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// Every task tells its name and how it ended.
type Tasks = JoinSet<(&'static str, End)>;
type End = anyhow::Result<()>;

/// Runs an instance until it is told to stop.
///
/// # Errors
/// When it cannot start, or when one of its tasks ended by itself.
pub async fn run(options: RunOptions) -> anyhow::Result<()> {
    let mut stop = Signals::install()?;
    let (checker_stop, shutdown) = (CancellationToken::new(), CancellationToken::new());
    let Started { mut checker_end, mut tasks } = start(&options, &checker_stop, &shutdown).await?;
    let end = tokio::select! {
        name = stop.next() => {
            tracing::info!("{name}: closing the gate, giving up the lease, ending");
            Ok(())
        }
        end = &mut checker_end => Err(ended_alone(end)),
        Some(ended) = tasks.join_next() => Err(task_ended(ended)),
    };
    wind_down(&checker_stop, checker_end, &shutdown, tasks, &mut stop).await;
    end
}

/// An instance that runs.
struct Started {
    checker_end: oneshot::Receiver<Result<(), CheckerError>>,
    tasks: Tasks,
}

async fn start(
    options: &RunOptions,
    checker_stop: &CancellationToken,
    shutdown: &CancellationToken,
) -> anyhow::Result<Started> {
    let clock: SharedClock = Arc::new(SystemClock);
    let planner = Planner::new(MeshOptions::new(options.mesh.clone())?);
    setup::check_suspension(options)?;
    let checker_options = setup::checker_options(options)?;
    let identity = checker_options.identity.clone();
    let lease_duration = options.lease.lease_duration;
    let checker = checker::by_name(&options.state_checker, checker_options)?;
    let beat_within = checker.runs_on_own_task().then_some(lease_duration);

    let (mode_writer, mode) = mode();
    let board = StatusBoard::new(checker.name(), clock.clone());
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let gate = Arc::new(Gate::new(mode.clone(), clock.clone(), gate_timeout(lease_duration)));
    let (mesh, queries) = MeshHandle::channel();
    let (events_sender, events) = event::channel();
    let (eligibility, eligible) = watch::channel(Eligibility::No);
    let (synced, epoch_floor) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));

    let mut tasks = Tasks::new();
    let state = HttpState {
        mode: mode.clone(),
        board: board.clone(),
        mesh,
        clock: clock.clone(),
        synced: synced.clone(),
        beat_within,
        instance: Arc::new(instance(&identity, clock.now())?),
        metrics: metrics.clone(),
    };
    listen(&mut tasks, options, state, shutdown).await?;
    tracing::info!(instance = %identity.owner, id = %identity.instance_id, "listening on {}", options.listen);

    follow_suspensions(&mut tasks, options, &events_sender, &metrics, shutdown);
    let found = setup::discovery_options(&options.clusters, &options.mesh);
    let discovery = discovery::run(found, events_sender, shutdown.clone());
    tasks.spawn(async move { ("cluster discovery", discovery.await.map_err(Into::into)) });
    let wiring = Wiring {
        events,
        queries,
        gate: gate.clone(),
        mode,
        clock: clock.clone(),
        eligibility,
        synced,
        epoch_floor: epoch_floor.clone(),
        awaits_suspensions: options.suspension.is_some(),
        metrics,
        shutdown: shutdown.clone(),
    };
    let reconciler = Reconciler::new(planner, wiring).run();
    tasks.spawn(async move {
        reconciler.await;
        ("reconciler", Ok(()))
    });
    if beat_within.is_some() {
        let (dog, until) = (watchdog::watch(board.clone(), lease_duration), shutdown.clone());
        tasks.spawn(async move { ("watchdog", until.run_until_cancelled_owned(dog).await.map_or(Ok(()), Err)) });
    }
    let shutdown = checker_stop.clone();
    let context =
        CheckerContext { mode: mode_writer, board, clock, shutdown, eligibility: eligible, epoch_floor, drain: gate };
    Ok(Started { checker_end: checker::thread::start(checker, context)?, tasks })
}

fn instance(identity: &Identity, started: Instant) -> anyhow::Result<Instance> {
    Ok(Instance {
        name: identity.owner.clone(),
        id: identity.instance_id.parse().context("the instance's uuid")?,
        region: identity.region.clone(),
        endpoint: identity.endpoint.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started,
    })
}

/// Gate first, lease second, everything else last.
async fn wind_down(
    checker_stop: &CancellationToken,
    checker_end: oneshot::Receiver<Result<(), CheckerError>>,
    shutdown: &CancellationToken,
    mut tasks: Tasks,
    stop: &mut Signals,
) {
    checker_stop.cancel();
    if !checker_end.is_terminated() {
        tokio::select! {
            _ = tokio::time::timeout(RELEASE_WITHIN, checker_end) => {}
            name = stop.next() => tracing::warn!("{name} again: not waiting for the lease"),
        }
    }
    shutdown.cancel();
    let ended = tokio::time::timeout(STOP_WITHIN, async { while tasks.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!("{} tasks did not end in time", tasks.len());
    }
}

/// A write must end well within a lease, or the gate would hardly ever be open.
fn gate_timeout(lease_duration: Duration) -> Duration {
    DEFAULT_REQUEST_TIMEOUT.min(lease_duration / 3)
}

/// Who is suspended is asked beside everything else: neither the lease nor the clusters wait for the table.
fn follow_suspensions(
    tasks: &mut Tasks,
    options: &RunOptions,
    events: &EventSender,
    metrics: &Arc<Metrics>,
    shutdown: &CancellationToken,
) {
    let Some(options) = options.suspension.clone() else { return };
    let (events, metrics, until) = (events.clone(), metrics.clone(), shutdown.clone());
    tasks.spawn(async move {
        // The SDK's search for settings makes a large future.
        let following = Box::pin(async move {
            let table = setup::suspension_table(&options).await;
            suspension::follow(table, options.interval, events, metrics).await;
        });
        until.run_until_cancelled_owned(following).await;
        ("suspension table's follower", Ok(()))
    });
}

/// The API, and the metrics a second time.
async fn listen(
    tasks: &mut Tasks,
    options: &RunOptions,
    state: HttpState,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    let api = bind("--listen", options.listen).await?;
    if let Some(address) = options.metrics_listen {
        let listener = bind("--metrics-listen", address).await?;
        serve(tasks, "metrics listener", listener, http::metrics_router(state.clone()), shutdown);
    }
    serve(tasks, "API listener", api, http::router(state), shutdown);
    Ok(())
}

async fn bind(flag: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{flag} {address}: cannot listen there; choose a free port or another address"))
}

fn serve(tasks: &mut Tasks, name: &'static str, listener: TcpListener, router: Router, shutdown: &CancellationToken) {
    let shutdown = shutdown.clone();
    tasks.spawn(async move {
        http::serve(listener, router, shutdown.cancelled()).await;
        (name, Ok(()))
    });
}

fn ended_alone(end: Result<Result<(), CheckerError>, oneshot::error::RecvError>) -> anyhow::Error {
    match end {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) => anyhow!("the state checker ended by itself; this instance is read-only and ends"),
        Err(_) => anyhow!("the state checker's thread is gone; this instance is read-only and ends"),
    }
}

fn task_ended(ended: Result<(&'static str, End), JoinError>) -> anyhow::Error {
    match ended {
        Ok((name, Err(error))) => error.context(format!("the {name} failed")),
        Ok((name, Ok(()))) => anyhow!("the {name} ended by itself"),
        Err(error) => anyhow!("a task died: {error}"),
    }
}

/// The signals that end an instance.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn install() -> anyhow::Result<Self> {
        let install = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self { terminate: install(SignalKind::terminate())?, interrupt: install(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
