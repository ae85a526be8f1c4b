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
use flagship::instant::WallTime;
use flagship::mesh::{ClusterId, ExtensionSettings, Kind, MeshOptions, MeshSettings, Origin};
use flagship::plan::Planner;
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

/// Everything that Admiral does not have, at once: policies that fail over, zones, all ports and protocols.
#[test]
fn istio_accepts_what_goes_beyond_admiral() {
    let mut settings = MeshSettings::default();
    settings.policy.active_passive = true;
    settings.extension = ExtensionSettings {
        traffic_policy_failover: true,
        zone_locality: true,
        istio_protocols: true,
        all_ports: true,
        istio_injection: true,
        // Neither makes objects of Istio.
        kubernetes_events: false,
        policy_status: false,
    };
    let mut planner = Planner::new(MeshOptions::new(settings).unwrap());
    planner.set_synced(&Origin::Control, true);
    let clusters = ["east", "north", "west"].map(ClusterId::new);
    for cluster in &clusters {
        planner.add_cluster(cluster);
        for object in beyond(cluster.as_str()) {
            planner.apply(&Origin::Cluster(cluster.clone()), &object).unwrap();
        }
        planner.set_synced(&Origin::Cluster(cluster.clone()), true);
    }
    planner.plan(WallTime::from_unix_ms(1_700_000_000_000));
    assert!(planner.conditions().is_empty(), "{:?}", planner.conditions());
    let directory = tempfile::tempdir().unwrap();
    let (mut written, mut text) = (0, String::new());
    for cluster in &clusters {
        let objects: Vec<_> = planner.desired(cluster).map(|(_, object)| object).collect();
        text += &json!(objects).to_string();
        written += istio::write(&directory.path().join(format!("{cluster}.yaml")), &objects);
    }
    for part in ["failoverPriority", "\"failover\"", "west/z1", "mongo-27017", "mysql-3306", "redis-6379", "tls-8443"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    istio::assert_accepts(directory.path(), written);
    println!("{written} objects, none refused");
}

/// A cluster that runs `shop` with ports of every protocol, and `pay` with one; `shop` has a policy.
fn beyond(cluster: &str) -> Vec<Value> {
    let ports = ["http", "grpc", "grpc-web", "http2", "https", "tcp", "mongo", "mysql", "redis", "tls"];
    let numbers = [8080, 9090, 9091, 9092, 443, 5432, 27017, 3306, 6379, 8443];
    let ports: Vec<_> =
        ports.iter().zip(numbers).map(|(name, port)| json!({"name": format!("{name}-x"), "port": port})).collect();
    let mut objects = vec![
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels":
            {"topology.kubernetes.io/region": cluster, "topology.kubernetes.io/zone": "z1"}}}),
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns", "labels": {"istio-injection": "enabled"}}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gw", "namespace": "istio-system",
            "labels": {"app": "istio-ingressgateway"}}, "spec": {"ports": [{"port": 15443}]},
            "status": {"loadBalancer": {"ingress": [{"hostname": format!("{cluster}.lb.example.com")}]}}}),
    ];
    if cluster == "east" {
        let targets = ["west", "north", "east"].map(|r| json!({"region": r, "weight": u32::from(r == "west") * 100}));
        let split = [json!({"region": "west", "weight": 60}), json!({"region": "east", "weight": 40})];
        objects.push(json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy", "metadata":
            {"name": "g", "namespace": "ns", "labels": {"identity": "shop"}}, "spec": {"policy": [
            {"dnsPrefix": "default", "lbType": 1, "target": targets}, {"dnsPrefix": "split", "lbType": 1, "target": split}]}}));
    }
    for (name, ports) in [("shop", json!(ports)), ("pay", json!([{"name": "tcp", "port": 5432}]))] {
        objects.push(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "ns"},
            "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {"labels":
            {"app": name, "identity": name, "env": "default"}}}}}),
        );
        objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "ns"},
            "spec": {"selector": {"app": name}, "ports": ports}}));
    }
    objects
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
