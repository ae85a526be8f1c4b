//! Watches: one task per API server and kind, one task per folder.
//!
//! Invariant: a `Listed` is complete or is not sent. After any error the kind is listed anew, so that what was
//! missed in between cannot stay unknown. Objects are pruned before they are sent: managedFields and status go
//! (a Service keeps `status.loadBalancer`), a workload loses its pod spec.

pub mod follow;
mod kube;
pub mod object;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::event::EventSender;
use super::target::Target;
use super::{folder, watch};
use crate::mesh::{Kind, MeshSettings, Origin, WatchScope};

/// What is watched, and in which namespace; `None` for all, or for a kind without namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    kinds: BTreeMap<Kind, Option<String>>,
}

impl From<&MeshSettings> for WatchOptions {
    fn from(settings: &MeshSettings) -> Self {
        let namespace = |kind: Kind| kind.watched_namespace(settings).map(str::to_owned);
        Self { kinds: settings.watched_kinds().into_iter().map(|kind| (kind, namespace(kind))).collect() }
    }
}

impl WatchOptions {
    /// The kinds that are watched at all.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        self.kinds.keys().copied().collect()
    }

    /// The one namespace in which `kind` is watched; `None` for all, or for a kind without namespace.
    pub fn namespace(&self, kind: Kind) -> Option<&str> {
        self.kinds.get(&kind)?.as_deref()
    }
}

/// Those of the `watched` kinds that are watched at `origin`.
pub fn kinds(origin: &Origin, watched: &BTreeSet<Kind>) -> Vec<Kind> {
    let there = match origin {
        Origin::Control => WatchScope::Control,
        Origin::Cluster(_) => WatchScope::EachCluster,
    };
    let is_there = |kind: &Kind| kind.watch_scope() == there || kind.watch_scope() == WatchScope::Everywhere;
    watched.iter().copied().filter(is_there).collect()
}

/// The tasks that watch one cluster.
#[derive(Debug)]
pub struct Watches {
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Watches {
    /// Starts all watches of `origin`. They end when `parent` is cancelled, or by [`Watches::stop`].
    pub fn start(
        origin: &Origin,
        target: &Arc<Target>,
        options: &WatchOptions,
        events: &EventSender,
        parent: &CancellationToken,
    ) -> Self {
        let watches = Self { cancel: parent.child_token(), tasks: TaskTracker::new() };
        match &**target {
            Target::Kube(target) => {
                for kind in watch::kinds(origin, &options.kinds()) {
                    let namespace = options.namespace(kind).map(str::to_owned);
                    watches.spawn(kube::watch(origin.clone(), kind, target.clone(), namespace, events.clone()));
                }
            }
            Target::Folder(target) => {
                watches.spawn(folder::watch(origin.clone(), target.clone(), options.clone(), events.clone()));
            }
        }
        watches.tasks.close();
        watches
    }

    /// Ends all of them; nothing of them arrives after this returns.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.wait().await;
    }

    /// Tasks that still run.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        self.tasks.spawn(async move { cancel.run_until_cancelled(task).await });
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::ClusterId;

    #[test]
    fn each_origin_has_its_kinds() {
        let watched = MeshSettings::default().watched_kinds();
        assert_eq!(kinds(&Origin::Control, &watched), [Kind::ConfigMap, Kind::Dependency]);
        let cluster = kinds(&Origin::Cluster(ClusterId::new("east")), &watched);
        assert!(cluster.contains(&Kind::ServiceEntry) && !cluster.contains(&Kind::Dependency));
    }
}
