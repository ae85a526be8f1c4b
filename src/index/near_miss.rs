//! Workloads that are outside the mesh only for want of an identity. Nothing is made from them; they are kept, by
//! name, so that whoever misses one can be told why.

/// What such a workload has and lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NearMiss {
    /// The sidecar is injected, but the pod template has no identity (reconcile-spec N1).
    NoIdentity,
    /// The workload itself has this identity, its pod template has not (reconcile-spec N1).
    IdentityOnWorkload(String),
}
