//! What goes beyond Admiral, and is off unless it is asked for.

use super::policies::options;
use super::*;
use crate::index::observed;

fn with_ports(ports: Value) -> Value {
    let mut object = service("ns", "greeting");
    object["spec"]["ports"] = ports;
    object
}

fn entry(world: &World, cluster: &str) -> Value {
    world.entry(cluster, "stage.greeting.global").unwrap_or_default()
}

#[test]
fn a_cluster_in_one_zone_says_which() {
    let localities = |asked: bool, zones: &[&str]| {
        let mut world = World::with_options(&["a", "b"], options(|s| s.extension.zone_locality = asked));
        for (i, zone) in zones.iter().enumerate() {
            let mut object = node("a");
            object["metadata"]["name"] = json!(format!("n{i}"));
            object["metadata"]["labels"]["topology.kubernetes.io/zone"] = json!(zone);
            world.put("a", object);
        }
        world.remove("a", &ObjectKey::new(Kind::Node, "", "n"));
        for cluster in ["a", "b"] {
            world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
            world.put(cluster, service("ns", "greeting"));
        }
        world.settle();
        let entry = entry(&world, "b");
        observed::endpoints(&entry).iter().map(|e| e["locality"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(localities(true, &["z1", "z1"]), ["a/z1", "b"]);
    assert_eq!(localities(true, &["z1", "z2"]), ["a", "b"]);
    assert_eq!(localities(false, &["z1", "z1"]), ["a", "b"]);
}

#[test]
fn all_ports_that_every_service_has_are_offered() {
    let common = json!([{"name": "http", "port": 8080}, {"name": "grpc-x", "port": 9090}, {"name": "web", "port": 80},
        {"name": "dns", "port": 53, "protocol": "UDP"}]);
    let mut wider = common.clone();
    wider.as_array_mut().unwrap().push(json!({"name": "only-here", "port": 7070}));
    let mesh = |asked: bool| {
        let mut world = World::with_options(&["a", "b"], options(|s| s.extension.all_ports = asked));
        for (cluster, ports) in [("a", &common), ("b", &wider)] {
            world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
            world.put(cluster, with_ports(ports.clone()));
        }
        world.settle();
        world
    };
    let first = json!({"name": "http", "number": 80, "protocol": "http"});
    let world = mesh(true);
    let spec = entry(&world, "a")["spec"].clone();
    assert_eq!(spec["ports"], json!([first, {"name": "grpc-9090", "number": 9090, "protocol": "grpc"}]));
    let ports: Vec<_> =
        spec["endpoints"].as_array().unwrap().iter().map(|endpoint| endpoint["ports"].clone()).collect();
    assert_eq!(ports, [json!({"http": 8080, "grpc-9090": 9090}), json!({"http": 15443, "grpc-9090": 15443})]);
    let conditions = world.planner.conditions();
    let messages: Vec<_> = conditions.iter().map(|condition| condition.message.as_str()).collect();
    assert!(conditions.iter().all(|condition| condition.reason == Reason::PortConflict) && messages.len() == 2);
    assert!(
        messages.iter().any(|m| m.starts_with("port 7070 (http) is not offered: not every Service")),
        "{messages:?}"
    );
    assert!(messages.iter().any(|m| m.starts_with("port 80 (http) is not offered: 80 is")), "{messages:?}");
    let world = mesh(false);
    assert_eq!(entry(&world, "a")["spec"]["ports"], json!([first]));
    assert!(world.planner.conditions().is_empty());
}

#[test]
fn protocols_follow_istios_rules_where_that_is_asked_for() {
    for (asked, expected) in [(true, "tcp"), (false, "http")] {
        let mut world = World::with_options(&["a"], options(|s| s.extension.istio_protocols = asked));
        world.put("a", deployment("ns", "greeting", "greeting", "stage"));
        world.put("a", with_ports(json!([{"name": "http", "appProtocol": "tcp", "port": 5432}])));
        world.settle();
        let spec = entry(&world, "a")["spec"].clone();
        assert_eq!(spec["ports"], json!([{"name": expected, "number": 80, "protocol": expected}]));
        assert_eq!(spec["endpoints"][0]["ports"], json!({expected: 5432}));
    }
}

#[test]
fn all_forms_of_membership_count_where_that_is_asked_for() {
    let namespace =
        |labels: Value| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns", "labels": labels}});
    let is_there = |asked: bool, space: Value, labels: Value, annotations: Value| {
        let mut world = World::with_options(&["a"], options(|s| s.extension.istio_injection = asked));
        let mut object = deployment("ns", "greeting", "greeting", "stage");
        let template = &mut object["spec"]["template"]["metadata"];
        template["annotations"] = annotations;
        template["annotations"]["admiral.io/env"] = json!("stage");
        for (key, value) in labels.as_object().unwrap() {
            template["labels"][key] = value.clone();
        }
        world.put("a", object);
        world.put("a", service("ns", "greeting"));
        world.settle();
        // The namespace comes last: the workload appears by it.
        world.put("a", namespace(space));
        world.settle();
        !entry(&world, "a").is_null()
    };
    let (none, inject, ambient) = (json!({}), "sidecar.istio.io/inject", "istio.io/dataplane-mode");
    for (space, labels, annotations, expected) in [
        (none.clone(), json!({inject: "true"}), none.clone(), true),
        (none.clone(), none.clone(), json!({inject: "true"}), true),
        (none.clone(), none.clone(), none.clone(), false),
        (json!({"istio-injection": "enabled"}), none.clone(), none.clone(), true),
        (json!({"istio-injection": "enabled"}), json!({inject: "false"}), json!({inject: "true"}), false),
        (json!({"istio-injection": "disabled", "istio.io/rev": "1"}), none.clone(), none.clone(), false),
        (json!({"istio.io/rev": "canary"}), none.clone(), none.clone(), true),
        (json!({ambient: "ambient"}), none.clone(), none.clone(), true),
        (json!({ambient: "ambient"}), json!({ambient: "none"}), none.clone(), false),
        (none.clone(), json!({ambient: "ambient"}), none.clone(), true),
    ] {
        assert_eq!(is_there(true, space.clone(), labels.clone(), annotations.clone()), expected, "{space} {labels}");
        let by_annotation = annotations.get(inject) == Some(&json!("true"));
        assert_eq!(is_there(false, space.clone(), labels.clone(), annotations), by_annotation, "{space} {labels}");
    }
}

/// Reconcile-spec 3.2.5.
#[test]
fn an_nlb_goes_first_where_that_is_asked_for_and_it_has_an_address() {
    let mut world = World::with_options(
        &["a", "b", "c"],
        options(|s| s.entry.nlb_clusters = BTreeSet::from(["a".into(), "b".into()])),
    );
    let nlb = |address: &str| {
        let mut object = gateway(address);
        object["metadata"]["name"] = json!("nlb");
        object["metadata"]["labels"]["app"] = json!("istio-ingressgateway-nlb");
        object
    };
    world.put("a", nlb("a.nlb"));
    world.put("b", nlb(""));
    world.put("c", nlb("c.nlb"));
    for cluster in ["a", "b", "c"] {
        world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
        world.put(cluster, service("ns", "greeting"));
    }
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    world.settle();
    assert_eq!(world.addresses("c", "stage.greeting.global"), ["a.nlb.", "b.lb.", "greeting.ns.svc.cluster.local"]);
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["b.lb.", "c.lb.", "greeting.ns.svc.cluster.local"]);
    world.put("b", nlb("b.nlb"));
    world.settle();
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["b.nlb.", "c.lb.", "greeting.ns.svc.cluster.local"]);
}
