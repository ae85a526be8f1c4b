//! Istio's own validator, which is what istiod's admission webhook runs, accepts every object that the
//! conformance cases produce.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/api.rs"]
mod api;
#[path = "support/cases.rs"]
mod cases;
#[path = "support/compare.rs"]
mod compare;
#[path = "support/istio.rs"]
mod istio;
#[path = "support/replay.rs"]
mod replay;
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeSet;

use cases::Case;
use flagship::mesh::Kind;
use serde_json::{Value, json};

#[test]
fn istio_accepts_what_the_cases_produce() {
    let directory = tempfile::tempdir().unwrap();
    let (mut written, mut files) = (0, 0);
    let mut kinds = BTreeSet::new();
    let cases = Case::all();
    for case in &cases {
        replay::replay(case, |step, world| {
            for (cluster, objects) in world.desired() {
                let path = directory.path().join(format!("{}-after-{step:02}-{cluster}.yaml", case.name));
                written += istio::write(&path, &objects);
                files += 1;
                kinds.extend(objects.iter().filter_map(|object| object["kind"].as_str().map(str::to_owned)));
            }
        });
    }
    for kind in ["ServiceEntry", "DestinationRule", "VirtualService", "Sidecar", "EnvoyFilter"] {
        assert!(kinds.contains(kind), "no case produces a {kind}: {kinds:?}");
    }
    assert!(written > 0);
    istio::assert_accepts(directory.path(), written);
    println!("{} cases, {files} files: {written} objects of Istio's, none refused", cases.len());
}

/// The validator has to be able to refuse, each of these for its own reason, or its consent would be worth nothing.
#[test]
fn istio_refuses_what_is_wrong() {
    for (kind, spec, reason) in [
        (Kind::DestinationRule, rule("loadBalancer", &json!({"simple": "LEAST_REQUEST"})), ""),
        (
            Kind::DestinationRule,
            rule("loadBalancer", &json!({"simple": "LEAST_REQUEST", "warmupDurationSecs": "soon"})),
            "bad Duration",
        ),
        (Kind::DestinationRule, rule("outlierDetection", &json!({"maxEjectionPercent": 300})), "percent"),
        (Kind::DestinationRule, rule("outlierDetektion", &json!({})), "unknown field"),
        (Kind::DestinationRule, rule("tls", &json!({"mode": "MUTUAL_ISTIO"})), "unknown value"),
        (Kind::VirtualService, json!({"hosts": ["a.global"], "http": [{"route": []}]}), "route"),
        (Kind::Sidecar, json!({"egress": [{"hosts": ["no-namespace"]}]}), "host"),
        (Kind::EnvoyFilter, json!({"configPatches": [{"applyTo": "HTTP_FILTERS"}]}), "unknown value"),
        (Kind::ServiceEntry, entry(&json!(["a.global"]), 80), ""),
        (Kind::ServiceEntry, entry(&json!([]), 80), "at least one host"),
        (Kind::ServiceEntry, entry(&json!(["a.global"]), 70_000), "port number 70000"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let object = json!({"apiVersion": kind.api_version(), "kind": kind.name(),
            "metadata": {"name": "a", "namespace": "admiral-sync"}, "spec": spec});
        assert_eq!(istio::write(&directory.path().join("a.yaml"), &[object]), 1);
        let verdict = istio::judge(directory.path());
        let refused = usize::from(!reason.is_empty());
        assert_eq!((verdict.objects, verdict.refused), (1, refused), "{spec}\n{}", verdict.text);
        assert_eq!(verdict.code, Some(i32::from(!reason.is_empty())), "{spec}\n{}", verdict.text);
        assert!(verdict.text.contains(reason), "{spec}: {reason:?} is not in\n{}", verdict.text);
    }
}

fn rule(field: &str, policy: &Value) -> Value {
    json!({"host": "a.global", "trafficPolicy": {field: policy}})
}

fn entry(hosts: &Value, port: u32) -> Value {
    json!({"hosts": hosts, "location": "MESH_INTERNAL", "resolution": "DNS",
        "ports": [{"name": "http", "number": port, "protocol": "http"}]})
}
