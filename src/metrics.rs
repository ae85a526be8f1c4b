//! What Prometheus reads.
//!
//! Invariant: whether this instance is active is computed when it is asked for, from the permit and the time
//! of the scrape. No event has to arrive for the gauge to fall to 0.

mod families;
mod labels;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checker::permit::{Permit, State};
use crate::checker::status::CheckerStatus;
use crate::instant::Instant;
use families::Families;
use labels::{Cluster, ClusterReason, Outcome, Reason, StateLabel, Write};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric of the process. Reasons, verbs and outcomes become label values: pass words from a fixed set,
/// never an error's text.
#[derive(Debug)]
pub struct Metrics {
    registry: prometheus_client::registry::Registry,
    families: Families,
}

impl Metrics {
    /// All metrics at zero, for the given version of Flagship.
    pub fn new(version: &str) -> Self {
        let (registry, families) = Families::register(version);
        Self { registry, families }
    }

    /// The text of a scrape at `now`. `epoch` is the permit's, or the highest one seen when there is none.
    ///
    /// # Errors
    /// When a metric cannot be written as text, which would be a mistake in this module.
    pub fn encode(&self, permit: Option<Permit>, epoch: u64, now: Instant) -> Result<String, std::fmt::Error> {
        let remaining = match permit {
            None => 0.0,
            Some(permit) if permit == Permit::unlimited() => f64::INFINITY,
            Some(permit) => permit.deadline.saturating_since(now).as_secs_f64(),
        };
        self.families.active.set(i64::from(permit.is_some()));
        self.families.epoch.set(i64::try_from(epoch).unwrap_or(i64::MAX));
        self.families.permit_remaining.set(remaining);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        // The encoder writes `inf`, which OpenMetrics does not know.
        Ok(text.replace("_permit_remaining_seconds inf\n", "_permit_remaining_seconds +Inf\n"))
    }

    /// Takes over what the state checker counts, before a scrape.
    pub fn follow(&self, checker: &CheckerStatus) {
        use std::sync::atomic::Ordering::Relaxed;
        for (outcome, count) in [("answered", checker.store_successes), ("unknown", checker.store_failures)] {
            let label = Outcome { outcome: outcome.to_owned() };
            self.families.lease_requests.get_or_create(&label).inner().store(count, Relaxed);
        }
        self.families.takeovers.inner().store(checker.takeovers, Relaxed);
        for (state, count) in [(State::Active, checker.activations), (State::Passive, checker.deactivations)] {
            let label = StateLabel { state: state.as_str().to_owned() };
            self.families.transitions.get_or_create(&label).inner().store(count, Relaxed);
        }
    }

    /// How many changes are still to be written to `cluster` (on a passive: would be).
    pub fn set_pending(&self, cluster: &str, changes: usize) {
        self.families.pending.get_or_create(&Cluster::new(cluster)).set(gauge(changes));
    }

    /// A write took effect after `duration`.
    pub fn wrote(&self, cluster: &str, verb: &str, kind: &str, duration: Duration) {
        let labels = Write { cluster: cluster.to_owned(), verb: verb.to_owned(), kind: kind.to_owned() };
        self.families.writes.get_or_create(&labels).inc();
        self.families.write_seconds.get_or_create(&Cluster::new(cluster)).observe(duration.as_secs_f64());
    }

    /// A write failed.
    pub fn write_failed(&self, cluster: &str, reason: &str) {
        self.families.write_failures.get_or_create(&ClusterReason::new(cluster, reason)).inc();
    }

    /// A write in flight was cancelled because the gate closed.
    pub fn write_cancelled(&self) {
        self.families.writes_cancelled.inc();
    }

    /// Whether every watch of `cluster` has delivered its first list.
    pub fn set_synced(&self, cluster: &str, synced: bool) {
        self.families.synced.get_or_create(&Cluster::new(cluster)).set(i64::from(synced));
    }

    /// How many clusters are watched; Admiral's `clusters_monitored`.
    pub fn set_clusters(&self, count: usize) {
        self.families.clusters.set(gauge(count));
    }

    /// Drops the gauges of a cluster that left the mesh; its counters stay, as counters must.
    pub fn forget_cluster(&self, cluster: &str) {
        self.families.pending.remove(&Cluster::new(cluster));
        self.families.synced.remove(&Cluster::new(cluster));
    }

    /// All conditions by reason. A reason that is no longer among them disappears.
    pub fn set_conditions(&self, by_reason: &BTreeMap<String, usize>) {
        self.families.conditions.clear();
        for (reason, count) in by_reason {
            self.families.conditions.get_or_create(&Reason { reason: reason.clone() }).set(gauge(*count));
        }
    }

    /// A watch broke and has to start again.
    pub fn watch_failed(&self, cluster: &str) {
        self.families.watch_failures.get_or_create(&Cluster::new(cluster)).inc();
    }

    /// The suspension table was read, or could not be.
    pub fn suspension_read(&self, answered: bool) {
        let outcome = if answered { "answered" } else { "failed" }.to_owned();
        self.families.suspension_reads.get_or_create(&Outcome { outcome }).inc();
    }

    /// Whom the suspension table names, and whether it suspends everybody.
    pub fn set_suspended(&self, identities: usize, all: bool) {
        self.families.suspended.set(gauge(identities));
        self.families.suspended_all.set(i64::from(all));
    }

    /// The gate refused a write: `passive`, `epoch`, `deadline`, ...
    pub fn gate_refused(&self, reason: &str) {
        self.families.gate_refusals.get_or_create(&Reason { reason: reason.to_owned() }).inc();
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn the_state_is_computed_at_the_scrape() {
        let metrics = Metrics::new("1.2.3");
        let permit = Permit { epoch: 7, deadline: at(10) };
        let text = metrics.encode(Some(permit), 7, at(4)).unwrap();
        assert!(text.contains("flagship_active 1\n"), "{text}");
        assert!(text.contains("flagship_epoch 7\n"), "{text}");
        assert!(text.contains("flagship_permit_remaining_seconds 6.0\n"), "{text}");
        let text = metrics.encode(None, 7, at(11)).unwrap();
        assert!(text.contains("flagship_active 0\n"), "{text}");
        assert!(text.contains("flagship_permit_remaining_seconds 0.0\n"), "{text}");
        assert!(text.contains("flagship_build_info{version=\"1.2.3\"} 1\n"), "{text}");
    }

    #[test]
    fn every_promised_name_is_there_with_its_labels() {
        let metrics = Metrics::new("1");
        metrics.follow(&CheckerStatus { store_successes: 5, takeovers: 1, activations: 2, ..CheckerStatus::default() });
        metrics.set_pending("west", 3);
        metrics.wrote("west", "create", "ServiceEntry", Duration::from_millis(20));
        metrics.write_failed("west", "conflict");
        metrics.write_cancelled();
        metrics.set_synced("west", true);
        metrics.set_clusters(2);
        metrics.set_conditions(&BTreeMap::from([("NoGateway".to_owned(), 2)]));
        metrics.watch_failed("west");
        metrics.gate_refused("passive");
        metrics.suspension_read(false);
        metrics.set_suspended(3, true);
        let text = metrics.encode(None, 0, at(0)).unwrap();
        for line in [
            "flagship_lease_requests_total{outcome=\"answered\"} 5",
            "flagship_takeovers_total 1",
            "flagship_state_transitions_total{state=\"active\"} 2",
            "flagship_plan_pending_changes{cluster=\"west\"} 3",
            "flagship_writes_total{cluster=\"west\",verb=\"create\",kind=\"ServiceEntry\"} 1",
            "flagship_write_failures_total{cluster=\"west\",reason=\"conflict\"} 1",
            "flagship_writes_cancelled_total 1",
            "flagship_write_seconds_count{cluster=\"west\"} 1",
            "flagship_cluster_synced{cluster=\"west\"} 1",
            "flagship_conditions{reason=\"NoGateway\"} 2",
            "flagship_watch_failures_total{cluster=\"west\"} 1",
            "flagship_gate_refusals_total{reason=\"passive\"} 1",
            "clusters_monitored 2",
            "flagship_suspension_reads_total{outcome=\"failed\"} 1",
            "flagship_suspended_identities 3",
            "flagship_suspended_all 1",
        ] {
            assert!(text.lines().any(|l| l == line), "missing: {line}\n{text}");
        }
    }

    #[test]
    fn a_condition_that_ended_and_a_cluster_that_left_disappear() {
        let metrics = Metrics::new("1");
        metrics.set_conditions(&BTreeMap::from([("NoGateway".to_owned(), 2)]));
        metrics.set_conditions(&BTreeMap::new());
        metrics.set_pending("west", 3);
        metrics.forget_cluster("west");
        let text = metrics.encode(None, 0, at(0)).unwrap();
        assert!(!text.contains("NoGateway"), "{text}");
        assert!(!text.contains("west"), "{text}");
    }
}
