//! What is told once in a while: counts to the metrics, findings to the log and as Events to the clusters.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Reconciler;
use crate::mesh::Condition;

/// How often conditions and counts are told, if something changed.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Findings of one kind that are logged one by one; the rest is counted.
const MOST_LOGGED: usize = 20;

impl Reconciler {
    /// Events follow the conditions at the pace of the reports: both cost the whole mesh.
    fn announce(&mut self, conditions: &[Condition]) {
        if !self.planner.index().options().extension.tells() {
            return;
        }
        let before = self.planner.unannounced().clone();
        let members = &self.members;
        let takes_findings = |cluster: &_| members.get(cluster).is_some_and(|member| member.target.takes_findings());
        let told = conditions.iter().filter(|condition| condition.cluster.as_ref().is_some_and(takes_findings));
        let announced = self.planner.announce(told);
        let statuses = self.planner.tell_statuses(conditions, takes_findings);
        let (Some(mut changed), Some(statuses)) = (announced, statuses) else {
            self.report_soon();
            return;
        };
        changed.extend(statuses);
        for (cluster, count) in self.planner.unannounced().iter().filter(|(id, n)| before.get(id) != Some(n)) {
            tracing::warn!(%cluster, "{count} findings get no Event, there are too many; see /api/v1/conditions");
        }
        self.enqueue(changed);
        self.dispatch();
    }

    pub(super) fn report_soon(&mut self) {
        self.report_at.get_or_insert(self.wiring.clock.now() + REPORT_EVERY);
    }

    /// Tells what changed since the last report: counts to the metrics, findings to the log.
    pub(super) fn report(&mut self) {
        let now = self.wiring.clock.now();
        if self.report_at.is_none_or(|at| now < at) {
            return;
        }
        self.report_at = None;
        let written = std::mem::take(&mut self.written_since_report);
        if !written.is_empty() {
            let counts: Vec<String> = written.iter().map(|(verb, count)| format!("{count} {verb}d")).collect();
            tracing::info!("wrote to the clusters: {}; {} pending", counts.join(", "), self.planner.pending_count());
        }
        let conditions = self.planner.conditions();
        log_difference(&self.reported, &conditions);
        self.announce(&conditions);
        let mut by_reason = BTreeMap::<String, usize>::new();
        for condition in &conditions {
            *by_reason.entry(condition.reason.to_string()).or_default() += 1;
        }
        self.wiring.metrics.set_conditions(&by_reason);
        self.reported = conditions;
        self.wiring.metrics.set_clusters(self.members.len());
        for (cluster, synced, pending) in self.planner.progress() {
            self.wiring.metrics.set_synced(cluster.as_str(), synced);
            self.wiring.metrics.set_pending(cluster.as_str(), pending);
        }
    }
}

fn log_difference(before: &[Condition], after: &[Condition]) {
    let new: Vec<&Condition> = after.iter().filter(|condition| before.binary_search(condition).is_err()).collect();
    for condition in new.iter().take(MOST_LOGGED) {
        let cluster = condition.cluster.as_ref().map_or_else(|| "mesh".to_owned(), ToString::to_string);
        tracing::warn!(reason = %condition.reason, "{cluster}: {}: {}", condition.subject, condition.message);
    }
    if new.len() > MOST_LOGGED {
        tracing::warn!("and {} findings more; see /api/v1/conditions", new.len() - MOST_LOGGED);
    }
    for gone in before.iter().filter(|condition| after.binary_search(condition).is_err()).take(MOST_LOGGED) {
        tracing::info!(reason = %gone.reason, "no longer: {}", gone.subject);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    use serde_json::{Value, json};
    use tokio::sync::watch;
    use tokio_util::sync::CancellationToken;

    use super::super::{Reconciler, Wiring, kinds};
    use super::Duration;
    use crate::checker::permit::mode;
    use crate::clock::{SharedClock, TokioClock};
    use crate::cluster::event::{self, ClusterEvent};
    use crate::cluster::folder::FolderTarget;
    use crate::cluster::gate::Gate;
    use crate::cluster::query::MeshHandle;
    use crate::cluster::target::Target;
    use crate::instant::WallTime;
    use crate::lease::Eligibility;
    use crate::mesh::{ClusterId, MeshOptions, Origin};
    use crate::metrics::Metrics;
    use crate::plan::Planner;

    /// One record is in order, then not, then as it was; a workload shows that there is no gateway. Nothing is ever to be written.
    #[tokio::test(start_paused = true)]
    async fn a_finding_comes_and_goes_though_no_object_is_to_be_changed() {
        let clock: SharedClock = Arc::new(TokioClock::starting_at(WallTime::from_unix_ms(0)));
        let ((_writer, mode), (_mesh, queries), (tell, events)) = (mode(), MeshHandle::channel(), event::channel());
        let metrics = Arc::new(Metrics::new("test"));
        let wiring = Wiring {
            events,
            queries,
            gate: Arc::new(Gate::new(mode.clone(), clock.clone(), Duration::from_secs(1))),
            mode,
            clock: clock.clone(),
            eligibility: watch::channel(Eligibility::No).0,
            synced: Arc::new(AtomicBool::new(false)),
            epoch_floor: Arc::new(AtomicU64::new(0)),
            awaits_suspensions: false,
            metrics: metrics.clone(),
            shutdown: CancellationToken::new(),
        };
        let planner = Planner::new(MeshOptions::default());
        let watched = planner.index().options().watched_kinds();
        let _running = tokio::spawn(Reconciler::new(planner, wiring).run());
        let said = async |events: Vec<ClusterEvent>| {
            for event in events {
                tell.send(event).await.unwrap();
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
            let text = metrics.encode(None, 0, clock.now()).unwrap();
            text.lines().filter(|line| line.starts_with("flagship_conditions{")).map(str::to_owned).collect::<Vec<_>>()
        };
        let record = |source: Value| {
            let object = json!({"apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
                "metadata": {"name": "web", "namespace": "admiral"}, "spec": {"source": source, "destinations": ["x"]}});
            vec![ClusterEvent::Applied { origin: Origin::Control, object }]
        };
        let cluster = ClusterId::new("a");
        let target = Arc::new(Target::Folder(FolderTarget::open(Path::new(env!("CARGO_MANIFEST_DIR"))).await.unwrap()));
        let mut all = vec![ClusterEvent::DiscoveryListed, ClusterEvent::Added { cluster: cluster.clone(), target }];
        for origin in [Origin::Control, Origin::Cluster(cluster.clone())] {
            let lists = kinds(&origin, &watched).into_iter();
            all.extend(lists.map(|kind| ClusterEvent::Listed { origin: origin.clone(), kind, objects: Vec::new() }));
        }
        let no_region = ["flagship_conditions{reason=\"NoRegion\"} 1"];
        assert_eq!(said(all).await, no_region);
        assert_eq!(said(record(json!("web"))).await, no_region);
        let invalid = "flagship_conditions{reason=\"InvalidObject\"} 1";
        assert_eq!(said(record(json!(7))).await.iter().filter(|line| *line == invalid).count(), 1);
        assert_eq!(said(record(json!("web"))).await, no_region);

        let lonely = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "ns"},
            "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": {"metadata": {
                "labels": {"app": "d", "identity": "greeting"}, "annotations": {"sidecar.istio.io/inject": "true"}}}}});
        let told = said(vec![ClusterEvent::Applied { origin: Origin::Cluster(cluster), object: lonely }]).await;
        assert!(told.iter().any(|line| line.contains("NoGatewayAddress")), "{told:?}");
    }
}
