//! What people are told, and that one bad object disturbs no other.

use super::*;

#[test]
fn a_long_identity_disturbs_nobody() {
    let mut world = World::with_greeting();
    for (name, identity, env) in [
        ("long", "i".repeat(300), "stage"),
        ("label", "i".repeat(64), "stage"),
        ("underscore", "a_b".to_owned(), "stage"),
        ("dash", "-a".to_owned(), "stage"),
        ("space", "a b".to_owned(), "stage"),
        ("env", "fine".to_owned(), "a_b"),
        ("letter", "\u{212a}elvin".to_owned(), "stage"),
        ("names", format!("{}.{}.{}.{}", "i".repeat(60), "j".repeat(60), "k".repeat(60), "l".repeat(47)), "stage"),
    ] {
        world.put("a", deployment("ns", name, &identity, env));
        world.put("a", service("ns", name));
    }
    world.settle();
    assert_eq!(world.istio_names("a").len(), 2, "{:?}", world.istio_names("a"));
    let invalid = world.planner.conditions();
    assert_eq!(invalid.iter().filter(|c| c.reason == Reason::InvalidName).count(), 8);
    assert!(invalid.iter().all(|c| c.message.len() < 500 && c.cluster == Some(ClusterId::new("a"))));
    assert!(invalid.iter().any(|c| c.message.contains("env \"a_b\" cannot be part of a host: it contains '_'")));
    assert!(invalid.iter().any(|c| c.subject.contains("names") && c.message.contains("object names would have")));
}

#[test]
fn missing_services_and_ports_are_reported() {
    let mut world = World::new(&["a"]);
    world.put("a", deployment("ns", "lonely", "lonely", "stage"));
    let mut portless = service("ns", "portless");
    portless["spec"]["ports"] = json!(null);
    world.put("a", portless);
    world.put("a", deployment("ns", "portless", "portless", "stage"));
    let mut selectorless = service("ns", "selectorless");
    selectorless["spec"]["selector"] = json!({"rollouts-pod-template-hash": "x"});
    world.put("a", selectorless);
    world.put("a", deployment("ns", "selectorless", "selectorless", "stage"));
    world.settle();
    assert_eq!(
        world.reasons(),
        [
            "Deployment ns/lonely: NoMatchingService",
            "Deployment ns/portless: NoMeshPort",
            "Deployment ns/selectorless: NoMatchingService"
        ]
    );
    assert!(world.istio_names("a").is_empty());
}

#[test]
fn a_cluster_without_a_region_is_left_as_it_is_and_blocks_nobody() {
    let mut world = World::new(&["a", "b"]);
    for cluster in ["a", "b"] {
        world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
        world.put(cluster, service("ns", "greeting"));
    }
    world.settle();
    let before = world.entry("a", "stage.greeting.global");
    world.put("a", json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}));
    world.settle();
    assert_eq!(world.reasons(), ["Node: NoRegion"]);
    assert_eq!(world.entry("a", "stage.greeting.global"), before);
    assert_eq!(world.addresses("b", "stage.greeting.global"), ["greeting.ns.svc.cluster.local"]);
    let views = world.planner.clusters();
    assert_eq!((views[0].region.clone(), views[1].region.as_deref()), (None, Some("b")));
}

#[test]
fn a_gateway_without_an_address_is_reported() {
    let mut world = World::with_greeting();
    let mut pending = gateway("x");
    pending["status"] = json!({});
    world.put("a", pending);
    world.settle();
    assert_eq!(world.reasons(), ["Service istio-system app=istio-ingressgateway: NoGatewayAddress"]);
    world.remove("a", &ObjectKey::new(Kind::Service, "istio-system", "gw"));
    let message = &world.planner.conditions()[0].message;
    assert!(message.contains("no Service in istio-system has the label app=istio-ingressgateway"), "{message}");
}

#[test]
fn of_workloads_that_contradict_one_another_the_oldest_wins() {
    let mut world = World::new(&["a", "b"]);
    let mut put = |cluster: &str, name: &str, identity: &str, env: &str, year: &str, port: &str| {
        let mut workload = deployment("ns", name, identity, env);
        workload["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
        let mut service = service("ns", name);
        service["spec"]["ports"][0]["name"] = json!(port);
        world.put(cluster, workload);
        world.put(cluster, service);
    };
    put("a", "young", "Shop", "stage", "2024", "http");
    put("b", "old", "shop", "stage", "2020", "grpc");
    put("b", "twin", "shop", "stage", "2021", "http");
    put("b", "shouting", "shop", "Stage", "2022", "http");
    put("a", "other", "shop", "stage", "2023", "http");
    world.settle();
    assert_eq!(
        world.reasons(),
        [
            "Deployment ns/other: ProtocolConflict",
            "Deployment ns/young: IdentityCaseConflict",
            "Deployment ns/shouting: IdentityCaseConflict",
            "Deployment ns/twin: DuplicateIdentity",
        ]
    );
    let entry = world.entry("a", "stage.shop.global").unwrap();
    assert_eq!(entry["metadata"]["annotations"]["identity"], "shop");
    assert_eq!(entry["spec"]["ports"][0]["protocol"], "grpc");
    assert_eq!(world.addresses("b", "stage.shop.global"), ["a.lb.", "old.ns.svc.cluster.local"]);
}

#[test]
fn an_older_workload_without_a_service_does_not_shadow_one_with_a_service() {
    let mut world = World::with_greeting();
    let mut worker = deployment("ns", "a-worker", "greeting", "stage");
    worker["metadata"]["creationTimestamp"] = json!("2019-01-01T00:00:00Z");
    world.put("a", worker);
    world.settle();
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["greeting.ns.svc.cluster.local"]);
    assert_eq!(world.reasons(), ["Deployment ns/a-worker: DuplicateIdentity"]);
}

#[test]
fn two_identities_with_one_host_are_told_apart() {
    let mut world = World::new(&["a"]);
    for (name, identity, env) in [("two", "c", "a.b"), ("one", "b.c", "a")] {
        world.put("a", deployment("ns", name, identity, env));
        world.put("a", service("ns", name));
    }
    world.settle();
    assert_eq!(world.reasons(), ["identity c: HostConflict"]);
    assert_eq!(world.addresses("a", "a.b.c.global"), ["one.ns.svc.cluster.local"]);
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "one"));
    world.settle();
    assert_eq!(world.addresses("a", "a.b.c.global"), ["two.ns.svc.cluster.local"]);
}

#[test]
fn a_bad_object_is_reported_and_the_others_go_on() {
    let mut world = World::with_greeting();
    let mut bad = deployment("ns", "greeting", "greeting", "stage");
    bad["spec"]["template"]["metadata"]["annotations"]["admiral.io/env"] = json!(5);
    assert!(world.planner.apply(&origin("a"), &bad).is_err());
    world.put("a", deployment("ns", "other", "other", "stage"));
    world.put("a", service("ns", "other"));
    world.settle();
    assert!(world.entry("a", "stage.other.global").is_some() && world.entry("a", "stage.greeting.global").is_some());
    let condition = &world.planner.conditions()[0];
    assert_eq!((condition.subject.as_str(), condition.reason), ("Deployment ns/greeting", Reason::InvalidObject));
    assert!(condition.message.starts_with("spec.template.metadata.annotations[\"admiral.io/env\"] is 5"));
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    assert!(world.planner.conditions().is_empty());
}

#[test]
fn foreign_objects_stay_each_kind_for_itself() {
    let mut world = World::new(&["a"]);
    let foreign = json!({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule", "spec": {"host": "x"},
        "metadata": {"name": "stage.greeting.global-default-dr", "namespace": "admiral-sync"}});
    world.put("a", foreign);
    let rule = ObjectKey::new(Kind::DestinationRule, "admiral-sync", "stage.greeting.global-default-dr");
    let before = world.get("a", &rule);
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    world.put("a", service("ns", "greeting"));
    world.settle();
    assert!(world.entry("a", "stage.greeting.global").is_some());
    assert_eq!(world.get("a", &rule), before);
    assert_eq!(world.reasons(), ["DestinationRule admiral-sync/stage.greeting.global-default-dr: ForeignObject"]);
    world.remove("a", &rule);
    world.settle();
    assert!(world.reasons().is_empty() && world.get("a", &rule).is_some());
}
