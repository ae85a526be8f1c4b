//! The annotations and labels by which objects of the mesh are known.

use serde_json::Value;

/// Admiral's mark of ownership; both sides leave objects without it alone (reconcile-spec 3.2.10).
pub const CREATED_BY: &str = "app.kubernetes.io/created-by";
/// The value of [`CREATED_BY`].
pub const CREATED_BY_US: &str = "admiral";
/// Takes a workload, Service or namespace out of the mesh when `"true"` (reconcile-spec 2.3 N7).
pub const IGNORE: &str = "admiral.io/ignore";
/// Istio's label of pods and namespaces that says by what they are in the mesh.
pub const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";
/// The value of [`DATAPLANE_MODE`] for a mesh without sidecars.
pub const AMBIENT: &str = "ambient";
/// Istio's label of namespaces whose pods get sidecars when `enabled`.
pub const INJECTION: &str = "istio-injection";
/// Istio's label of namespaces whose pods get sidecars of a revision.
pub const REVISION: &str = "istio.io/rev";
/// Keeps upper and lower case in the host when exactly `"true"` (reconcile-spec 2.3 N3).
pub const CASE_SENSITIVE: &str = "admiral.io/cname-case-sensitive";
/// The inbound ports of a workload (reconcile-spec 2.5 P1).
pub const INBOUND_PORTS: &str = "traffic.sidecar.istio.io/includeInboundPorts";
/// The epoch of the last write; stamped by the gate, ignored by the plan.
pub const EPOCH: &str = "flagship.io/epoch";
/// Marks objects that only Flagship knows.
pub const MANAGED: &str = "flagship.io/managed";
/// Annotations besides the identity key that Admiral sets on ServiceEntries (reconcile-spec 3.2.1).
pub const POLICY_ANNOTATIONS: [&str; 2] = [ASSOCIATED_POLICY, DNS_PREFIX];
/// The GlobalTrafficPolicy that governs a host.
pub const ASSOCIATED_POLICY: &str = "associated-gtp";
/// On EnvoyFilters: the RoutingPolicy that they were made from (reconcile-spec 3.8).
pub const ROUTING_POLICY_NAME: &str = "associated-routing-policy-name";
/// On EnvoyFilters: whose policy it was.
pub const ROUTING_POLICY_IDENTITY: &str = "associated-routing-policy-identity";
/// On ServiceEntries: what a policy or a Rollout put in front of the host (reconcile-spec 3.2.1); on VirtualServices of
/// further hosts, a label: what stands before env and identity (3.6.2).
pub const DNS_PREFIX: &str = "dns-prefix";
/// On objects that route at gateways, a label with the value [`VS_ROUTING_ENABLED`] (reconcile-spec 3.6.5).
pub const VS_ROUTING: &str = "admiral.io/vs-routing";
/// The value of [`VS_ROUTING`].
pub const VS_ROUTING_ENABLED: &str = "enabled";
/// On copies of customers' objects: the original, as CLUSTER/NAMESPACE/NAME.
pub const COPIED_FROM: &str = "flagship.io/copied-from";
/// On customers' Sidecars: the egress hosts that Flagship added, in JSON, each with the identity that it leads to.
pub const EGRESS_HOSTS: &str = "flagship.io/egress-hosts";
/// The gateway port of the mesh (reconcile-spec 3.2.4).
pub const GATEWAY_PORT: u16 = 15443;
/// The ConfigMap of addresses that were set free a short while ago.
pub const RELEASED_ADDRESSES: &str = "flagship-released-addresses";

/// Whether `object` carries Admiral's mark of ownership.
pub fn is_owned(object: &Value) -> bool {
    annotation(object, CREATED_BY).and_then(Value::as_str) == Some(CREATED_BY_US)
}

/// The value of an annotation, if `object` has it.
pub fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object.pointer("/metadata/annotations")?.get(name)
}
