//! `flagship render`: what the clusters should hold, computed once from what they hold now.

use std::path::Path;

use anyhow::{Context, bail};
use tokio_util::sync::CancellationToken;

use super::setup;
use crate::clock::{Clock, SystemClock};
use crate::cluster::discovery;
use crate::cluster::event::{self, ClusterEvent};
use crate::cluster::reconcile::sync::Sync;
use crate::cluster::watch::kinds;
use crate::lease::Eligibility;
use crate::mesh::{ClusterId, MeshOptions, MeshSettings, Origin};
use crate::options::{ClusterOptions, RenderOptions};
use crate::plan::Planner;

/// How long the first lists of all clusters may take.
const LISTS_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// Writes what the clusters should hold, once, without touching them.
///
/// # Errors
/// When a cluster cannot be read, a manifest is wrong, or the output cannot be written.
pub async fn render(options: RenderOptions) -> anyhow::Result<()> {
    let mut planner = Planner::new(MeshOptions::new(options.mesh.clone())?);
    let problems = tokio::time::timeout(LISTS_WITHIN, observe(&options.clusters, &options.mesh, &mut planner))
        .await
        .context("a cluster has not delivered its first lists in time; see the log")??;
    planner.plan(SystemClock.wall());
    let wanted = crate::render::desired(&planner)?;
    for cluster in planner.clusters().iter().map(|view| &view.id) {
        let text = wanted.get(cluster).map_or("", String::as_str);
        match &options.output_dir {
            Some(directory) => write(directory, cluster, text)?,
            None => crate::text::print(&format!("# cluster {cluster}\n{text}"))?,
        }
    }
    for condition in planner.conditions() {
        let cluster = condition.cluster.as_ref().map_or_else(|| "mesh".to_owned(), ToString::to_string);
        tracing::warn!(reason = %condition.reason, "{cluster}: {}: {}", condition.subject, condition.message);
    }
    if problems > 0 {
        bail!("{problems} inputs could not be read (see above); the output was made from the rest");
    }
    Ok(())
}

/// Feeds the planner until every cluster has delivered its first lists. Returns how many inputs were refused.
pub(super) async fn observe(
    clusters: &ClusterOptions,
    mesh: &MeshSettings,
    planner: &mut Planner,
) -> anyhow::Result<usize> {
    let stop = CancellationToken::new();
    let (sender, mut events) = event::channel();
    let discovery = discovery::run(setup::discovery_options(clusters, mesh), sender, stop.clone());
    let discovery = tokio::spawn(discovery);
    let _guard = stop.drop_guard();
    let watched = mesh.watched_kinds();
    let mut sync = Sync::new(SystemClock.now(), kinds(&Origin::Control, &watched), false);
    let mut problems = 0;
    while sync.eligibility(crate::instant::Instant::default()) != Eligibility::Yes {
        let Some(event) = events.recv().await else {
            discovery.await??;
            bail!("the clusters are gone");
        };
        match event {
            ClusterEvent::Added { cluster, .. } => {
                sync.add(&cluster, kinds(&Origin::Cluster(cluster.clone()), &watched));
                planner.add_cluster(&cluster);
            }
            ClusterEvent::Removed { cluster } => {
                sync.remove(&cluster);
                planner.remove_cluster(&cluster);
            }
            ClusterEvent::Listed { origin, kind, objects } => {
                // What could not be read is among the conditions.
                let _ = planner.replace(&origin, kind, None, &objects);
                if sync.listed(&origin, kind) {
                    planner.set_synced(&origin, true);
                }
            }
            ClusterEvent::WatchFailed { origin, error, .. } => {
                problems += 1;
                tracing::error!("{origin}: {error}");
            }
            ClusterEvent::Refused { subject, message } => {
                problems += 1;
                tracing::error!("{subject}: {message}");
            }
            ClusterEvent::DiscoveryListed => sync.discovered(),
            ClusterEvent::Applied { origin, object } => drop(planner.apply(&origin, &object)),
            ClusterEvent::Deleted { origin, key } => planner.delete(&origin, &key),
            ClusterEvent::Replaced { .. }
            | ClusterEvent::WatchRecovered { .. }
            | ClusterEvent::Accepted { .. }
            | ClusterEvent::Suspended(_) => {}
        }
    }
    Ok(problems)
}

fn write(directory: &Path, cluster: &ClusterId, text: &str) -> anyhow::Result<()> {
    // A cluster's name comes from a flag or a secret's key; it must not lead out of the directory.
    if cluster.as_str().contains(['/', '\\']) || cluster.as_str().starts_with('.') {
        bail!("the cluster name {:?} cannot be a file name; rename the cluster", cluster.as_str());
    }
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let file = directory.join(format!("{cluster}.yaml"));
    std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
}
