//! Label sets, one type per combination.

use prometheus_client::encoding::EncodeLabelSet;

/// `{cluster}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Cluster {
    cluster: String,
}

impl Cluster {
    pub fn new(cluster: &str) -> Self {
        Self { cluster: cluster.to_owned() }
    }
}

/// `{cluster,reason}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ClusterReason {
    cluster: String,
    reason: String,
}

impl ClusterReason {
    pub fn new(cluster: &str, reason: &str) -> Self {
        Self { cluster: cluster.to_owned(), reason: reason.to_owned() }
    }
}

/// `{reason}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    pub reason: String,
}

/// `{outcome}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Outcome {
    pub outcome: String,
}

/// `{state}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    pub state: String,
}

/// `{cluster,verb,kind}`
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Write {
    pub cluster: String,
    pub verb: String,
    pub kind: String,
}
