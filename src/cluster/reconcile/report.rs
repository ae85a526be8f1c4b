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
        let before = self.planner.unannounced().clone();
        let Some(changed) = self.planner.announce(conditions) else {
            self.report_soon();
            return;
        };
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
