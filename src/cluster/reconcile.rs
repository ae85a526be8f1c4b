//! The reconciler: one task that owns the mesh, folds what the watches tell, plans, and has the gate write.
//!
//! Invariants: it never waits for a cluster or the lease (writes run beside it, each with a bound on its time);
//! a passive does all of it but the write; whatever a write's outcome, the next plan is made from an
//! observation, not from a belief.

mod answer;
mod limit;
mod order;
mod pace;
pub mod queue;
mod readiness;
mod report;
mod suspend;
pub mod sync;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::event::ClusterEvent;
use super::gate::Gate;
use super::query::Query;
use super::target::Target;
use super::watch::kinds;
use crate::checker::permit::ModeReader;
use crate::clock::SharedClock;
use crate::instant::Instant;
use crate::lease::Eligibility;
use crate::mesh::{ClusterId, Condition, Kind, ObjectKey, Origin, marks};
use crate::metrics::Metrics;
use crate::plan::Planner;
use pace::Pace;
use queue::Queue;
use sync::Sync;
use write::Finished;

/// Events folded before the plan is brought up to date.
const BATCH: usize = 512;

/// What the reconciler is connected to.
pub struct Wiring {
    /// What the watches tell.
    pub events: mpsc::Receiver<ClusterEvent>,
    /// What people ask.
    pub queries: mpsc::Receiver<Query>,
    /// The only way to change a cluster.
    pub gate: Arc<Gate>,
    /// Whether this instance may write.
    pub mode: ModeReader,
    /// The time.
    pub clock: SharedClock,
    /// Tells the checker whether this instance sees the clusters.
    pub eligibility: watch::Sender<Eligibility>,
    /// Tells the health check the same.
    pub synced: Arc<AtomicBool>,
    /// Tells the checker the highest epoch seen on an object.
    pub epoch_floor: Arc<AtomicU64>,
    /// Nothing may be written before the suspension table has answered once.
    pub awaits_suspensions: bool,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Ends the reconciler.
    pub shutdown: CancellationToken,
}

/// One cluster that can be written.
struct Member {
    target: Arc<Target>,
    queue: Queue,
}

/// The mesh and everything that is under way.
pub struct Reconciler {
    wiring: Wiring,
    planner: Planner,
    watched: BTreeSet<Kind>,
    members: BTreeMap<ClusterId, Member>,
    sync: Sync,
    pace: Pace,
    writes: JoinSet<Finished>,
    watch_errors: BTreeMap<(Origin, Option<Kind>), String>,
    refused: BTreeMap<String, String>,
    reported: Vec<Condition>,
    report_at: Option<Instant>,
    written_since_report: BTreeMap<&'static str, u64>,
}

impl Reconciler {
    /// A reconciler that knows nothing yet.
    pub fn new(planner: Planner, wiring: Wiring) -> Self {
        let watched = planner.index().options().watched_kinds();
        let sync = Sync::new(wiring.clock.now(), kinds(&Origin::Control, &watched), wiring.awaits_suspensions);
        Self {
            wiring,
            planner,
            watched,
            members: BTreeMap::new(),
            sync,
            pace: Pace::default(),
            writes: JoinSet::new(),
            watch_errors: BTreeMap::new(),
            refused: BTreeMap::new(),
            reported: Vec::new(),
            report_at: None,
            written_since_report: BTreeMap::new(),
        }
    }

    /// Runs until shutdown, or until nothing can tell it anything any more.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if self.waits_to_plan().is_none() {
                self.plan();
                self.dispatch();
            }
            self.report();
            let pause = self.wake_at().map(|at| at.saturating_since(self.wiring.clock.now()));
            tokio::select! {
                () = self.wiring.shutdown.cancelled() => return,
                received = self.wiring.events.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        tracing::error!("every watch has ended; the reconciler ends too");
                        return;
                    }
                    for event in batch.drain(..) {
                        self.fold(event);
                    }
                }
                Some(finished) = self.writes.join_next() => match finished {
                    Ok(finished) => self.finish(&finished),
                    Err(error) => {
                        tracing::error!("a write task died, its object is unknown; the reconciler ends: {error}");
                        return;
                    }
                },
                Some(query) = self.wiring.queries.recv() => self.answer(query),
                () = self.wiring.mode.changed() => {}
                () = sleep(pause), if pause.is_some() => {}
            }
        }
    }

    fn fold(&mut self, event: ClusterEvent) {
        match event {
            ClusterEvent::Added { cluster, target } => {
                tracing::info!(%cluster, "cluster joined: {} {}", target.kind(), target.location());
                self.sync.add(&cluster, kinds(&Origin::Cluster(cluster.clone()), &self.watched));
                self.planner.add_cluster(&cluster);
                self.members.insert(cluster, Member { target, queue: Queue::default() });
            }
            ClusterEvent::Replaced { cluster, target } => {
                tracing::info!(%cluster, "credentials or address changed: {}", target.location());
                if let Some(member) = self.members.get_mut(&cluster) {
                    member.target = target;
                }
            }
            ClusterEvent::Removed { cluster } => {
                tracing::info!(%cluster, "cluster left; its objects stay, its endpoints leave the others");
                self.sync.remove(&cluster);
                self.planner.remove_cluster(&cluster);
                self.members.remove(&cluster);
                self.watch_errors.retain(|(origin, _), _| *origin != Origin::Cluster(cluster.clone()));
                self.wiring.metrics.forget_cluster(cluster.as_str());
            }
            ClusterEvent::Listed { origin, kind, objects } => {
                objects.iter().for_each(|object| self.note_epoch(object));
                // What could not be read is among the conditions.
                let _ = self.planner.replace(&origin, kind, None, &objects);
                if self.sync.listed(&origin, kind) {
                    tracing::info!("{origin}: every watch has delivered its first list");
                    self.planner.set_synced(&origin, true);
                }
            }
            ClusterEvent::Applied { origin, object } => {
                self.note_epoch(&object);
                let _ = self.planner.apply(&origin, &object);
            }
            ClusterEvent::Deleted { origin, key } => self.planner.delete(&origin, &key),
            ClusterEvent::WatchFailed { origin, kind, error } => {
                tracing::warn!("{origin}: watching {} fails: {error}", what(kind));
                self.wiring.metrics.watch_failed(&origin.to_string());
                self.watch_errors.insert((origin, kind), error);
            }
            ClusterEvent::WatchRecovered { origin, kind } => {
                tracing::info!("{origin}: watching {} works again", what(kind));
                self.watch_errors.remove(&(origin, kind));
            }
            ClusterEvent::Refused { subject, message } => {
                tracing::error!("{subject}: {message}");
                self.refused.insert(subject, message);
            }
            ClusterEvent::Accepted { subject } => {
                tracing::info!("{subject}: in order");
                self.refused.remove(&subject);
            }
            ClusterEvent::Suspended(table) => self.suspend(table),
            ClusterEvent::DiscoveryListed => self.sync.discovered(),
        }
    }

    /// A takeover must not fall behind an epoch that some object carries (rule 3).
    fn note_epoch(&self, object: &Value) {
        if let Some(epoch) =
            marks::annotation(object, marks::EPOCH).and_then(Value::as_str).and_then(|text| text.parse().ok())
        {
            self.wiring.epoch_floor.fetch_max(epoch, Ordering::Relaxed);
        }
    }

    /// Until when it rather folds what else comes, if everything is to be planned anew once more. Nothing is written
    /// meanwhile: what an old plan deletes may belong to a cluster that has just joined.
    fn waits_to_plan(&self) -> Option<Instant> {
        let next = self.pace.next();
        (self.planner.is_all_stale() && next > self.wiring.clock.now()).then_some(next)
    }

    fn plan(&mut self) {
        self.announce_eligibility();
        // A finding may come or go with no object to be written.
        if self.planner.is_stale() {
            self.report_soon();
        }
        let (began, everything) = (self.wiring.clock.now(), self.planner.is_all_stale());
        let changed = self.planner.plan(self.wiring.clock.wall());
        if everything {
            self.pace.planned(began, self.wiring.clock.now());
        }
        self.enqueue(changed);
    }

    fn enqueue(&mut self, changed: BTreeSet<(ClusterId, ObjectKey)>) {
        for (cluster, key) in changed {
            let Some(member) = self.members.get_mut(&cluster) else { continue };
            match self.planner.pending(&cluster, &key) {
                Some(_) => member.queue.want(&key),
                None => member.queue.settle(&key),
            }
        }
    }

    fn wake_at(&self) -> Option<Instant> {
        let now = self.wiring.clock.now();
        let grace = Some(self.sync.grace_ends()).filter(|ends| *ends > now);
        // Without a permit nothing waits for time: the mode wakes the reconciler.
        let waits_to_plan = self.waits_to_plan();
        let may_write = self.wiring.gate.permit().is_some() && self.sync.is_plannable() && waits_to_plan.is_none();
        let queues = self.members.values().filter(|_| may_write).filter_map(|member| member.queue.wake_at(now));
        queues.chain(grace).chain(self.report_at).chain(waits_to_plan).min()
    }
}

fn what(kind: Option<Kind>) -> String {
    kind.map_or_else(|| "the cluster".to_owned(), |kind| kind.plural().to_owned())
}

async fn sleep(pause: Option<Duration>) {
    tokio::time::sleep(pause.unwrap_or_default()).await;
}
