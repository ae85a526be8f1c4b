//! What the command line, the environment and Admiral's file came to: plain values for the rest of the program.
//!
//! Invariant: whatever is here was parsed. What must fit together (the durations of the lease, the names of
//! the mesh) is checked by the module that uses it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::cluster::source::{ClusterSource, NamedSource};
use crate::explain::Question;
use crate::mesh::MeshSettings;

/// `flagship run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunOptions {
    /// A name of the checker registry.
    pub state_checker: String,
    /// The lease.
    pub lease: LeaseOptions,
    /// The Region in which this instance runs, empty when unknown.
    pub region: String,
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where the metrics listen a second time.
    pub metrics_listen: Option<SocketAddr>,
    /// The table of suspended identities, if one is followed.
    pub suspension: Option<SuspensionOptions>,
    /// The clusters.
    pub clusters: ClusterOptions,
    /// The mesh.
    pub mesh: MeshSettings,
}

/// `flagship render`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RenderOptions {
    /// The clusters.
    pub clusters: ClusterOptions,
    /// The mesh.
    pub mesh: MeshSettings,
    /// Where `NAME.yaml` is written for each cluster; standard output when there is none.
    pub output_dir: Option<PathBuf>,
}

/// `flagship explain`, from the clusters themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainOptions {
    /// The clusters.
    pub clusters: ClusterOptions,
    /// The mesh.
    pub mesh: MeshSettings,
    /// What is asked.
    pub question: Question,
}

/// `flagship lease init`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaseInitOptions {
    /// The table with the item to make.
    pub table: TableOptions,
    /// Whether to make the table too.
    pub create_table: bool,
}

/// Where the lease item is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TableOptions {
    /// Table name.
    pub table: String,
    /// The item's key.
    pub name: String,
    /// The table's Region; by default the SDK's own search.
    pub region: Option<String>,
    /// Role to assume on top of the SDK's own credentials.
    pub assume_role: Option<String>,
    /// Bound on one request.
    #[serde(serialize_with = "as_text")]
    pub request_timeout: Duration,
    /// Accept a global table with eventual consistency.
    pub allow_eventual_table: bool,
}

/// The lease: where it is, who asks for it, its durations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeaseOptions {
    /// Where the item is.
    pub table: TableOptions,
    /// `leaseOwner`: this instance's name for people. The process's uuid is made elsewhere.
    pub instance_id: String,
    /// Where this instance's API answers, as published in the item.
    pub endpoint: String,
    /// How long a lease holds after its last renewal was sent.
    #[serde(serialize_with = "as_text")]
    pub lease_duration: Duration,
    /// Time between two renewals.
    #[serde(serialize_with = "as_text")]
    pub renew_interval: Duration,
    /// Time between two looks of a passive.
    #[serde(serialize_with = "as_text")]
    pub poll_interval: Duration,
    /// Bound on the difference of two hosts' clock rates, in parts per million.
    pub drift_ppm: u32,
    /// The safety margin is never smaller than this.
    #[serde(serialize_with = "as_text")]
    pub min_margin: Duration,
    /// How long a Go Admiral's item must stay unchanged before it counts as abandoned.
    #[serde(serialize_with = "as_text")]
    pub foreign_threshold: Duration,
}

/// The table of suspended identities.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SuspensionOptions {
    /// Table name.
    pub table: String,
    /// The `clusterEnvironment` of the item in it.
    pub environment: String,
    /// The table's Region; by default the SDK's own search.
    pub region: Option<String>,
    /// Role to assume on top of the SDK's own credentials.
    pub assume_role: Option<String>,
    /// Time between two looks.
    #[serde(serialize_with = "as_text")]
    pub interval: Duration,
}

/// Which clusters, and how more of them are found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterOptions {
    /// Where Dependency records and cluster secrets are.
    #[serde(serialize_with = "as_display")]
    pub control: ClusterSource,
    /// Clusters given by flags.
    #[serde(serialize_with = "as_map")]
    pub named: Vec<NamedSource>,
    /// The namespace of cluster secrets, in the control cluster.
    pub secret_namespace: String,
    /// The label that such a secret carries, with the value `true`.
    pub secret_label: String,
}

fn as_text<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&humantime::format_duration(*duration))
}

fn as_display<S: Serializer>(source: &ClusterSource, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}

fn as_map<S: Serializer>(named: &[NamedSource], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(named.iter().map(|one| (one.cluster.to_string(), one.source.to_string())))
}
