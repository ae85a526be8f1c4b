//! One host of the mesh: which clusters run it, and which call it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::index::service::{Gateway, Port, Protocol};
use crate::index::workload::WorkloadKind;
use crate::mesh::ClusterId;

use super::names;
use super::policy::HostPolicy;

/// One host of the mesh. Cheap to clone: hosts of one workload share where it runs and who calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshService {
    /// As the oldest workload writes it.
    pub identity: String,
    /// As the oldest workload writes it.
    pub env: String,
    /// Which of the workload's hosts it is.
    pub role: HostRole,
    /// In lower case unless the oldest source asks otherwise (reconcile-spec N3).
    pub host: String,
    /// That of the oldest source (case w37).
    pub protocol: Protocol,
    /// Ports beside the one that is number 80, in ascending order.
    pub further_ports: Vec<Port>,
    /// The clusters that run it; never empty.
    pub sources: Arc<BTreeMap<ClusterId, Source>>,
    /// The clusters that only call it.
    pub dependents: Arc<BTreeSet<ClusterId>>,
    /// What traffic policies say of the host.
    pub policy: HostPolicy,
}

/// The hosts that one workload may have (reconcile-spec 2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostRole {
    /// `env.identity.suffix`.
    Default,
    /// `preview.` before it: the coming version of a blue/green Rollout (R1).
    Preview,
    /// `canary.` before it: the coming version of a canary Rollout with Istio (R3).
    Canary,
}

impl HostRole {
    /// Every role, the default first.
    pub const ALL: [Self; 3] = [Self::Default, Self::Preview, Self::Canary];

    /// What stands before the default host; empty for that itself.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Default => "",
            Self::Preview => "preview",
            Self::Canary => "canary",
        }
    }
}

/// One cluster that runs a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its region.
    pub region: String,
    /// Its region, with the zone if that is known.
    pub locality: String,
    /// When its oldest workload was made, in Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
    /// Where other clusters reach it.
    pub gateway: Option<Gateway>,
    /// Where it is reached within the cluster, by kind of workload and Service; never empty.
    pub locals: Vec<Local>,
}

/// A Service behind a host, in its own cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// The kind of workload that it was found for.
    pub kind: WorkloadKind,
    /// The Service's namespace.
    pub namespace: String,
    /// The Service's name.
    pub service: String,
    /// The Service's port.
    pub port: u16,
    /// Its share of the traffic, beside the others' (reconcile-spec R2).
    pub weight: Option<u32>,
}

impl MeshService {
    /// The name of its ServiceEntry, by which its address is kept.
    pub fn entry_name(&self) -> String {
        names::entry(&self.host)
    }

    /// The name of its DestinationRule (reconcile-spec DR1).
    pub fn rule_name(&self) -> String {
        match self.policy.prefix {
            None => names::rule(&self.host),
            Some(_) => names::prefixed_rule(&self.host),
        }
    }
}

impl Source {
    /// Whether a Service of that namespace answers.
    pub fn is_in(&self, namespace: &str) -> bool {
        self.locals.iter().any(|local| local.namespace == namespace)
    }

    /// The kind of workload that answers at the gateway: of two the Deployment (reconcile-spec R5, case w14).
    pub fn kind(&self) -> Option<WorkloadKind> {
        self.locals.iter().map(|local| local.kind).min()
    }

    /// Whether a Deployment and a Rollout share the host, as during a migration (reconcile-spec R5).
    pub fn is_migrating(&self) -> bool {
        WorkloadKind::SERVING.into_iter().all(|kind| self.locals.iter().any(|local| local.kind == kind))
    }
}

impl Local {
    /// The Service's name within the cluster, without a dot at the end.
    pub fn host(&self) -> String {
        format!("{}.{}.svc.cluster.local", self.service, self.namespace)
    }
}
