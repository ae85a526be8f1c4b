//! Settings of workloads beyond Deployments.

use std::collections::BTreeSet;

use serde::Serialize;

/// What counts as a workload or as a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkloadSettings {
    /// `--argo_rollouts`: Argo Rollouts are workloads too.
    pub argo_rollouts: bool,
    /// `--enable_client_discovery`: Jobs count as clients (reconcile-spec 2.8).
    pub client_discovery: bool,
    /// `--client_discovery_clusters_for_jobs`: only in these clusters; empty means in all.
    pub client_discovery_clusters: BTreeSet<String>,
}

impl Default for WorkloadSettings {
    fn default() -> Self {
        Self { argo_rollouts: true, client_discovery: true, client_discovery_clusters: BTreeSet::new() }
    }
}
