//! Which clusters there are: those named by flags and those whose kubeconfigs lie in secrets of the control
//! cluster (reconcile-spec 1; unlike Admiral, changed credentials rebuild the connection and vanished keys
//! remove the cluster).
//!
//! Invariant: one bad secret, key or flag is refused by name and delays nothing else. A cluster has one owner:
//! a flag, or one key of one secret.

mod fixed;
mod members;
mod owners;
mod secrets;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connection::{self, ConnectError};
use super::event::{ClusterEvent, EventSender};
use super::source::{ClusterSource, NamedSource, SourceError, check_unique};
use super::target::Target;
use super::watch::{WatchOptions, Watches};
use crate::mesh::Origin;
use members::Members;

/// How long the first attempt at the flags' clusters may hold up [`ClusterEvent::DiscoveryListed`]. Only a
/// kubeconfig whose exec plugin hangs takes that long: connecting itself is not part of the attempt.
const FIRST_ATTEMPTS: Duration = Duration::from_secs(15);

/// What to discover and watch.
#[derive(Clone, Debug)]
pub struct DiscoveryOptions {
    /// `--control`.
    pub control: ClusterSource,
    /// `--cluster`, any number.
    pub clusters: Vec<NamedSource>,
    /// `--secret-namespace`.
    pub secret_namespace: String,
    /// `--secret-filter-tags`: the label that a secret must carry with the value `true`.
    pub secret_label: String,
    /// Where namespaced kinds are watched.
    pub watch: WatchOptions,
}

/// Why discovery could not begin.
#[derive(Debug, thiserror::Error)]
pub enum DiscoveryError {
    /// The control cluster's source cannot be used.
    #[error("--control {0}")]
    Control(ConnectError),
    /// Two `--cluster` have one name.
    #[error(transparent)]
    Clusters(#[from] SourceError),
    /// The label cannot select anything.
    #[error("--secret-filter-tags {value:?} is not a label key; write one such as admiral/sync")]
    Label {
        /// What was given.
        value: String,
    },
}

/// Discovers and watches clusters until `shutdown`; then ends every task it started and returns.
///
/// # Errors
/// When the options cannot be used. Whatever goes wrong later is an event.
pub async fn run(
    options: DiscoveryOptions,
    events: EventSender,
    shutdown: CancellationToken,
) -> Result<(), DiscoveryError> {
    check_unique(&options.clusters)?;
    check_label(&options.secret_label)?;
    let control = Arc::new(connection::open(&options.control).await.map_err(DiscoveryError::Control)?);
    // Ends the tasks also if this future is dropped.
    let cancel = shutdown.child_token();
    let _guard = cancel.clone().drop_guard();
    let tasks = TaskTracker::new();
    let (publish, snapshots) = watch::channel(None);
    tasks.spawn({
        let (cancel, options, events) = (cancel.clone(), options.clone(), events.clone());
        let control = Arc::clone(&control);
        async move {
            cancel.run_until_cancelled(follow_secrets(&control, &options, publish, events)).await;
        }
    });
    let control_watches = Watches::start(&Origin::Control, &control, &options.watch, &events, &cancel);
    let attempts = start_fixed(&options, &events, &cancel, &tasks);
    let fixed: BTreeSet<_> = options.clusters.iter().map(|named| named.cluster.clone()).collect();
    let mut members = Members::new(fixed, options.watch, events.clone(), cancel.clone());

    cancel.run_until_cancelled(serve(&mut members, snapshots, attempts, &events)).await;

    cancel.cancel();
    tasks.close();
    control_watches.stop().await;
    members.stop().await;
    tasks.wait().await;
    Ok(())
}

/// Follows the snapshots of the secrets. Ends when nobody listens any more.
async fn serve(
    members: &mut Members,
    mut snapshots: watch::Receiver<Option<secrets::Snapshot>>,
    attempts: Vec<oneshot::Receiver<()>>,
    events: &EventSender,
) {
    let mut attempts = Some(attempts);
    while snapshots.changed().await.is_ok() {
        let Some(snapshot) = snapshots.borrow_and_update().clone() else { continue };
        if !members.follow(&snapshot).await {
            return;
        }
        if let Some(attempts) = attempts.take() {
            let _ = tokio::time::timeout(FIRST_ATTEMPTS, futures::future::join_all(attempts)).await;
            if events.send(ClusterEvent::DiscoveryListed).await.is_err() {
                return;
            }
        }
    }
}

async fn follow_secrets(
    control: &Target,
    options: &DiscoveryOptions,
    publish: watch::Sender<Option<secrets::Snapshot>>,
    events: EventSender,
) {
    let (namespace, label) = (&options.secret_namespace, &options.secret_label);
    match control {
        Target::Kube(target) => secrets::follow_kube(target, namespace, label, publish, events).await,
        Target::Folder(target) => secrets::follow_folder(target, namespace, label, publish).await,
    }
}

fn start_fixed(
    options: &DiscoveryOptions,
    events: &EventSender,
    cancel: &CancellationToken,
    tasks: &TaskTracker,
) -> Vec<oneshot::Receiver<()>> {
    let start = |named: &NamedSource| {
        let (attempted, attempt) = oneshot::channel();
        tasks.spawn(fixed::run(named.clone(), options.watch.clone(), events.clone(), cancel.clone(), attempted));
        attempt
    };
    options.clusters.iter().map(start).collect()
}

fn check_label(value: &str) -> Result<(), DiscoveryError> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
    if !value.is_empty() && value.chars().all(sound) {
        return Ok(());
    }
    Err(DiscoveryError::Label { value: value.to_owned() })
}
