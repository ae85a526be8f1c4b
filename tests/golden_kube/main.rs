//! Conformance cases through a running instance and real API servers: alpha, beta and gamma stand for
//! cluster-a, cluster-b and cluster-c; alpha is the control cluster too. After every step the objects in the
//! servers are those of the case, and Istio's validator accepts them.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../support/cases.rs"]
mod cases;
mod cluster;
#[path = "../support/compare.rs"]
mod compare;
mod instance;
#[path = "../support/istio.rs"]
mod istio;
mod play;
#[path = "../support/servers.rs"]
mod servers;
mod shuffle;

use play::Order::{Any, InSteps, Written};

macro_rules! cases {
    ($order:ident: $($test:ident: $name:literal,)*) => {$(
        #[tokio::test]
        async fn $test() {
            Box::pin(play::run($name, $order)).await;
        }
    )*};
}

// Not here: w18 and w29 (the instance is passive for a while; this one is always active).
cases! {
    Written:
    w01: "w01-two-clusters-and-client",
    w02: "w02-no-ingress-address",
    w04: "w04-gtp-topology-and-prefixes",
    w05: "w05-outlier-and-connection-config",
    w03: "w03-rollout-bluegreen",
    w06: "w06-identity-and-env",
    w07: "w07-ignore-rules",
    w08: "w08-customer-istio-objects",
    w09: "w09-sidecar-update",
    w10: "w10-export-to",
    w11: "w11-san-suffix-noip",
    w12: "w12-active-passive-default",
    w14: "w14-deployment-rollout-migration",
    w16: "w16-last-deployment-deleted",
    w17: "w17-additional-endpoints",
    w19: "w19-service-and-port-selection",
    w21: "w21-gateway-address-forms",
    w22: "w22-late-dependency",
    w23: "w23-disable-default-failover",
    w24: "w24-no-region-label",
    w25: "w25-same-identity-two-namespaces",
    w26: "w26-canary-without-istio",
    w27: "w27-foreign-objects",
    w28: "w28-gtp-priority",
    w30: "w30-drift-not-repaired",
    w31: "w31-dependency-removed",
    w32: "w32-service-deleted",
    w33: "w33-ingress-hostname-changes",
    w34: "w34-deployment-becomes-ignored",
    w35: "w35-env-changes",
    w36: "w36-canary-weights-leak",
    w37: "w37-protocol-conflict",
    w39: "w39-port-forms",
    w40: "w40-restart-copies-vs-everywhere",
    w41: "w41-former-source-goes-stale",
    w43: "w43-one-cluster-without-region",
}

/// A passive instance is one of its own with the checker `standby`: it sees what happens and writes nothing, until an
/// active one takes its place.
mod shuffled {
    use super::*;

    cases! {
        Any:
        w01: "w01-two-clusters-and-client",
        w03: "w03-rollout-bluegreen",
        w04: "w04-gtp-topology-and-prefixes",
        w14: "w14-deployment-rollout-migration",
        w16: "w16-last-deployment-deleted",
        w21: "w21-gateway-address-forms",
        w22: "w22-late-dependency",
        w26: "w26-canary-without-istio",
        w29: "w29-delete-while-passive",
        w31: "w31-dependency-removed",
        w32: "w32-service-deleted",
        w33: "w33-ingress-hostname-changes",
        w34: "w34-deployment-becomes-ignored",
        w35: "w35-env-changes",
        w36: "w36-canary-weights-leak",
        w41: "w41-former-source-goes-stale",
    }

    // Here it counts which workload or cluster was first.
    cases! {
        InSteps:
        w12: "w12-active-passive-default",
        w25: "w25-same-identity-two-namespaces",
    }
}
