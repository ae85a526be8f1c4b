//! The table of metrics: name, help, type.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use super::labels::{Cluster, ClusterReason, Outcome, Reason, StateLabel, Write};

/// Upper bounds of the write histogram, in seconds: a healthy write takes milliseconds, the slowest allowed
/// one a request timeout.
const WRITE_BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

type ByCluster<M> = Family<Cluster, M>;
type HistogramByCluster = Family<Cluster, Histogram, fn() -> Histogram>;

/// One field per metric.
#[derive(Debug)]
pub struct Families {
    pub active: Gauge,
    pub epoch: Gauge,
    pub permit_remaining: Gauge<f64, AtomicU64>,
    pub lease_requests: Family<Outcome, Counter>,
    pub takeovers: Counter,
    pub transitions: Family<StateLabel, Counter>,
    pub pending: ByCluster<Gauge>,
    pub writes: Family<Write, Counter>,
    pub write_failures: Family<ClusterReason, Counter>,
    pub writes_cancelled: Counter,
    pub write_seconds: HistogramByCluster,
    pub synced: ByCluster<Gauge>,
    pub conditions: Family<Reason, Gauge>,
    pub watch_failures: ByCluster<Counter>,
    pub gate_refusals: Family<Reason, Counter>,
    pub clusters: Gauge,
    pub suspension_reads: Family<Outcome, Counter>,
    pub suspended: Gauge,
    pub suspended_all: Gauge,
}

impl Families {
    /// All families, registered. Counters are named without `_total`, which the encoder adds.
    pub fn register(version: &str) -> (Registry, Self) {
        let mut table = Table(Registry::default());
        let families = Self {
            active: table.add("flagship_active", "1 while this instance may write, else 0"),
            epoch: table.add("flagship_epoch", "Epoch of the permit, or the highest one seen"),
            permit_remaining: table.add("flagship_permit_remaining_seconds", "Time until the permit is void"),
            lease_requests: table.add("flagship_lease_requests", "Requests to the lease store by outcome"),
            takeovers: table.add("flagship_takeovers", "Claims of the lease that won"),
            transitions: table.add("flagship_state_transitions", "Changes of state by the state reached"),
            pending: table.add("flagship_plan_pending_changes", "Changes to be written, on a passive: that would be"),
            writes: table.add("flagship_writes", "Writes that took effect"),
            write_failures: table.add("flagship_write_failures", "Writes that failed"),
            writes_cancelled: table.add("flagship_writes_cancelled", "Writes cancelled because the gate closed"),
            write_seconds: table.add_as("flagship_write_seconds", "Duration of a write", histograms()),
            synced: table.add("flagship_cluster_synced", "1 once every watch of the cluster delivered its list"),
            conditions: table.add("flagship_conditions", "What was refused or is missing, by reason"),
            watch_failures: table.add("flagship_watch_failures", "Watches that broke and were started again"),
            gate_refusals: table.add("flagship_gate_refusals", "Writes that the gate refused"),
            clusters: table.add("clusters_monitored", "Clusters that are watched"),
            suspension_reads: table.add("flagship_suspension_reads", "Reads of the suspension table by outcome"),
            suspended: table.add("flagship_suspended_identities", "Identities that the suspension table names"),
            suspended_all: table.add("flagship_suspended_all", "1 while the suspension table suspends all, else 0"),
        };
        let build = Info::new(vec![("version".to_owned(), version.to_owned())]);
        table.0.register("flagship_build", "The version that runs", build);
        (table.0, families)
    }
}

struct Table(Registry);

impl Table {
    fn add<M: Metric + Clone + Default>(&mut self, name: &str, help: &str) -> M {
        self.add_as(name, help, M::default())
    }

    fn add_as<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }
}

fn histograms() -> HistogramByCluster {
    Family::new_with_constructor(|| Histogram::new(WRITE_BUCKETS))
}
