//! What keeps an object from being what its owner expects, so that a person sees why.

use std::fmt;

use super::ClusterId;

/// One finding. Conditions are ordered by cluster, subject and reason, so that a list of them is stable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The cluster that it concerns; `None` for the mesh or the control cluster.
    pub cluster: Option<ClusterId>,
    /// What it concerns, such as `Deployment sample/greeting`.
    pub subject: String,
    /// Which rule.
    pub reason: Reason,
    /// One sentence: what happened, to what, and what to do.
    pub message: String,
}

impl Condition {
    /// A condition from its parts.
    pub fn new(
        cluster: Option<&ClusterId>,
        subject: impl Into<String>,
        reason: Reason,
        message: impl Into<String>,
    ) -> Self {
        Self { cluster: cluster.cloned(), subject: subject.into(), reason, message: message.into() }
    }
}

/// The rule that a [`Condition`] reports. Displayed in CamelCase, as Kubernetes does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// No Service selects the workload (reconcile-spec 2.4 S1).
    NoMatchingService,
    /// Services select it, none has the port that the mesh uses (reconcile-spec 2.5 P2).
    NoMeshPort,
    /// The strategy of a Rollout is none that has a place in the mesh (reconcile-spec R6).
    UnknownStrategy,
    /// A Rollout names a Service that cannot serve it (reconcile-spec R1 to R3).
    UnknownService,
    /// The VirtualService or route that should hold a canary's weights is not there (reconcile-spec R2).
    UnknownRoute,
    /// No Node of the cluster says in which region it is (reconcile-spec 2.6).
    NoRegion,
    /// The cluster's gateway has no address that other clusters could use (reconcile-spec 3.2.4).
    NoGatewayAddress,
    /// Another workload of the cluster has the same identity and env (case w25).
    DuplicateIdentity,
    /// Another workload spells the identity or env with other upper and lower case.
    IdentityCaseConflict,
    /// Clusters disagree on the protocol of one host (case w37).
    ProtocolConflict,
    /// A port cannot be offered under a host.
    PortConflict,
    /// Two identities lead to one host.
    HostConflict,
    /// A name that Kubernetes or Istio would refuse.
    InvalidName,
    /// An object of the name that we need belongs to somebody else (case w27).
    ForeignObject,
    /// No free address in the prefix.
    AddressSpaceFull,
    /// Clusters disagree on a host's address, or two hosts have one.
    AddressConflict,
    /// Two RoutingPolicies would be one (reconcile-spec 3.8).
    PolicyConflict,
    /// A customer's object is not copied although copying was asked for (reconcile-spec 3.6.1).
    NotCopied,
    /// A value of a traffic policy cannot be used.
    InvalidPolicy,
    /// A traffic policy shapes nobody's traffic.
    PolicyWithoutEffect,
    /// A table keeps identities from being written or deleted for (reconcile-spec 6.3).
    Suspended,
    /// A watched object could not be read; its previous version stays in force.
    InvalidObject,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The derived name is the CamelCase name, by construction.
        fmt::Debug::fmt(self, f)
    }
}
