//! Settings of what Admiral does not have; all off by default, since each changes what is written.

use serde::Serialize;

/// Beyond Admiral.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExtensionSettings {
    /// `--traffic-policy-failover`: a region that gets all traffic gives way to the others when it fails.
    pub traffic_policy_failover: bool,
    /// `--zone-locality`: endpoints of a cluster within one zone say which.
    pub zone_locality: bool,
    /// `--istio-protocols`: the protocol of a port follows Istio's rules, `appProtocol` first.
    pub istio_protocols: bool,
    /// `--all-ports`: a host has all ports of its Service, not only the first.
    pub all_ports: bool,
    /// `--istio-injection`: sidecars by label and by namespace, and ambient workloads, count too.
    pub istio_injection: bool,
    /// `--kubernetes-events`: what keeps an object from having an effect is told by an Event beside it.
    pub kubernetes_events: bool,
    /// `--policy-status`: the status of a policy says whether it is used and where it is in place.
    pub policy_status: bool,
}

impl ExtensionSettings {
    /// Whether findings are told in the clusters, by Events or by status.
    pub fn tells(&self) -> bool {
        self.kubernetes_events || self.policy_status
    }
}
