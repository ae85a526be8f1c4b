//! The conformance cases: what a Go Admiral was seen to do, step by step, and the verdicts where Flagship
//! differs on purpose. `tests/cases/README.md` says how the cases are laid out.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/api.rs"]
mod api;
#[path = "../support/cases.rs"]
mod cases;
#[path = "../support/compare.rs"]
mod compare;
#[path = "../support/replay.rs"]
mod replay;

use cases::Case;
use compare::{Mesh, differences};
use serde_json::{Value, json};

/// Runs the case; `overridden` lists, as `after-NN/cluster`, every expectation that is ours and not Admiral's.
fn run(name: &str, overridden: &[&str]) {
    let case = Case::read(name);
    case.assert_overrides(overridden);
    replay::replay(&case, |step, world| {
        let found = differences(&case.expected(step), &world.mesh());
        assert!(found.is_empty(), "{name} after step {step}:\n{}", found.join("\n"));
    });
}

#[test]
fn a_difference_is_seen() {
    let entry = |address: &str, endpoint: &str| {
        json!({"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry", "metadata": {"name": "a",
            "namespace": "s", "uid": "x"}, "spec": {"hosts": ["a"], "addresses": [address],
            "endpoints": [{"address": "z"}, {"address": endpoint}]}})
    };
    let mesh = |a: Value, b: Value| Mesh::from([("a".to_owned(), vec![a]), ("b".to_owned(), vec![b])]);
    let one = mesh(entry("1", "e"), entry("1", "e"));
    assert!(differences(&one, &mesh(entry("2", "e"), entry("2", "e"))).is_empty());
    assert_eq!(differences(&one, &mesh(entry("1", "e"), entry("2", "e"))).len(), 1);
    assert_eq!(differences(&one, &mesh(entry("1", "e"), entry("1", "f"))).len(), 1);
    assert_eq!(differences(&one, &Mesh::from([("a".to_owned(), vec![entry("1", "e")])])).len(), 1);
}

#[test]
fn w01_two_clusters_and_client() {
    run("w01-two-clusters-and-client", &[]);
}

/// Without a gateway address there is neither ServiceEntry nor DestinationRule; Admiral writes the latter.
#[test]
fn w02_no_ingress_address() {
    run("w02-no-ingress-address", &["after-03/cluster-c"]);
}

#[test]
fn w03_rollout_bluegreen() {
    run("w03-rollout-bluegreen", &[]);
}

#[test]
fn w06_identity_and_env() {
    run("w06-identity-and-env", &[]);
}

#[test]
fn w07_ignore_rules() {
    run("w07-ignore-rules", &[]);
}

/// When the Deployment goes, the other endpoints of its cluster say at once what they are; in Admiral only at
/// the next event.
#[test]
fn w14_deployment_rollout_migration() {
    run("w14-deployment-rollout-migration", &["after-05/cluster-a"]);
}

#[test]
fn w16_last_deployment_deleted() {
    run("w16-last-deployment-deleted", &[]);
}

/// A complete plan at once upon promotion: Admiral's end state, without waiting for a resync.
#[test]
fn w18_passive_then_active() {
    run("w18-passive-then-active", &[]);
}

#[test]
fn w19_service_and_port_selection() {
    run("w19-service-and-port-selection", &[]);
}

/// Admiral pins the rules of a host to the other region and sends the calls of its own by VirtualServices inside the
/// cluster. The ServiceEntry leads them to the local Service already, so neither is made.
#[test]
fn w20_in_cluster_routing() {
    run(
        "w20-in-cluster-routing-pinned-dr",
        &["after-04/cluster-a", "after-04/cluster-b", "after-05/cluster-a", "after-05/cluster-b"],
    );
}

#[test]
fn w21_gateway_address_forms() {
    run("w21-gateway-address-forms", &[]);
}

#[test]
fn w22_late_dependency() {
    run("w22-late-dependency", &[]);
}

/// The newer region label is read, so cluster-a gets its objects; Admiral writes none.
#[test]
fn w24_no_region_label() {
    run("w24-no-region-label", &["after-03/cluster-a"]);
}

/// The older workload keeps the host; when it goes the younger one takes over. In Admiral the last event
/// wins, and the deletion removes the live host.
#[test]
fn w25_same_identity_two_namespaces() {
    run("w25-same-identity-two-namespaces", &["after-03/cluster-a", "after-04/cluster-a"]);
}

#[test]
fn w26_canary_without_istio() {
    run("w26-canary-without-istio", &[]);
}

#[test]
fn w27_foreign_objects() {
    run("w27-foreign-objects", &[]);
}

/// What was deleted while the instance was passive is cleaned up on promotion; in Admiral it stays for ever.
#[test]
fn w29_delete_while_passive() {
    run(
        "w29-delete-while-passive",
        &["after-06/cluster-a", "after-06/cluster-c", "after-07/cluster-a", "after-07/cluster-c"],
    );
}

/// Drift is repaired at once; in Admiral it stays.
#[test]
fn w30_drift_is_repaired() {
    run("w30-drift-not-repaired", &["after-03/cluster-a", "after-04/cluster-a", "after-05/cluster-a"]);
}

/// A dependency that is removed takes its objects with it; in Admiral they stay.
#[test]
fn w31_dependency_removed() {
    run("w31-dependency-removed", &["after-04/cluster-c"]);
}

#[test]
fn w32_service_deleted() {
    run("w32-service-deleted", &[]);
}

#[test]
fn w33_ingress_hostname_changes() {
    run("w33-ingress-hostname-changes", &[]);
}

/// A workload that becomes ignored loses its host; in Admiral the host stays.
#[test]
fn w34_deployment_becomes_ignored() {
    run("w34-deployment-becomes-ignored", &["after-04/cluster-a", "after-04/cluster-c"]);
}

/// A workload that changes its env loses the old host; in Admiral the host stays.
#[test]
fn w35_env_changes() {
    run("w35-env-changes", &["after-04/cluster-a", "after-04/cluster-c"]);
}

/// Each cluster has its own Services and weights; in Admiral those of a canary leak into other clusters.
#[test]
fn w36_canary_weights() {
    run("w36-canary-weights-leak", &["after-05/cluster-b"]);
}

/// The oldest source cluster's protocol is everybody's; in Admiral the result is random.
#[test]
fn w37_protocol_conflict() {
    run("w37-protocol-conflict", &["after-03/cluster-a", "after-03/cluster-b", "after-03/cluster-c"]);
}

#[test]
fn w39_port_forms() {
    run("w39-port-forms", &[]);
}

/// A former source that is no client loses the host; in Admiral it keeps a stale gateway.
#[test]
fn w41_former_source_goes_stale() {
    run("w41-former-source-goes-stale", &["after-04/cluster-a", "after-05/cluster-a"]);
}

/// As w14: the end is Admiral's, one event earlier.
#[test]
fn w42_migration_next_event() {
    run("w42-migration-next-event", &["after-05/cluster-a"]);
}

/// Every cluster of the case has a region by the newer label, so nothing is frozen; in Admiral one cluster
/// without the older label freezes the host everywhere.
#[test]
fn w43_one_cluster_without_region() {
    run("w43-one-cluster-without-region", &["after-04/cluster-a", "after-04/cluster-b", "after-04/cluster-c"]);
}

/// Copies are made for those who ask (the case's flag); what is copied, and where to, is as in Admiral.
#[test]
fn w08_customer_istio_objects() {
    run("w08-customer-istio-objects", &[]);
}

/// The host is added at once and nothing else changes; Admiral lags one event and drops labels.
#[test]
fn w09_sidecar_update() {
    run("w09-sidecar-update", &["after-03/cluster-a", "after-04/cluster-a", "after-05/cluster-a"]);
}

#[test]
fn w13_routing_policy() {
    run("w13-routing-policy", &[]);
}

#[test]
fn w15_routing_at_gateways() {
    run("w15-vs-routing-ingress", &[]);
}

#[test]
fn w17_additional_endpoints() {
    run("w17-additional-endpoints", &[]);
}

/// A passive writes nothing; Admiral's writes EnvoyFilters.
#[test]
fn w38_a_passive_writes_no_envoy_filter() {
    run("w38-passive-writes-envoyfilter", &["after-04/cluster-c"]);
}

/// Nobody asked for copies. (Admiral makes them before it knows who calls the host, and never corrects them.)
#[test]
fn w40_restart_copies_nothing() {
    let clusters = ["after-00", "after-04"].map(|step| ["a", "b", "c"].map(|c| format!("{step}/cluster-{c}")));
    let overridden: Vec<&str> = clusters.iter().flatten().map(String::as_str).collect();
    run("w40-restart-copies-vs-everywhere", &overridden);
}

/// A policy takes its prefixed hosts with it; in Admiral they stay for ever.
#[test]
fn w04_gtp_topology_and_prefixes() {
    run("w04-gtp-topology-and-prefixes", &["after-05/cluster-a", "after-05/cluster-b", "after-05/cluster-c"]);
}

#[test]
fn w05_outlier_and_connection_config() {
    run("w05-outlier-and-connection-config", &[]);
}

#[test]
fn w10_export_to() {
    run("w10-export-to", &[]);
}

#[test]
fn w11_san_suffix_noip() {
    run("w11-san-suffix-noip", &[]);
}

#[test]
fn w12_active_passive_default() {
    run("w12-active-passive-default", &[]);
}

#[test]
fn w23_disable_default_failover() {
    run("w23-disable-default-failover", &[]);
}

#[test]
fn w28_gtp_priority() {
    run("w28-gtp-priority", &[]);
}
