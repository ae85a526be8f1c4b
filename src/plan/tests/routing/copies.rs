//! Copies of customers' VirtualServices and DestinationRules.

use super::*;

#[test]
fn copies_go_where_the_host_is_and_nowhere_else_in_whatever_order_things_are_seen() {
    let mut world = World::with_options(&["a", "b", "c"], all());
    // The original comes first, as at a start (case w40).
    let original = customers(Kind::VirtualService, "vs", routes("stage.greeting.global", "greeting"));
    world.put("a", original.clone());
    world.put("a", customers(Kind::DestinationRule, "dr", json!({"host": "stage.greeting.global", "new": 1})));
    world.settle();
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    world.put("a", service("ns", "greeting"));
    world.put("c", deployment("client", "web", "web", "stage"));
    world.put("control", dependency("web", "web", &["greeting"]));
    world.settle();
    assert!(world.writes.iter().all(|(cluster, ..)| cluster != "b"), "{:?}", world.writes);
    let copy = key(Kind::VirtualService, "admiral-sync", "ns-vs");
    let made = world.get("a", &copy).unwrap();
    assert_eq!(
        made["spec"]["http"][0]["route"][0]["destination"],
        json!({"host": "stage.greeting.global", "port": {"number": 80}})
    );
    assert_eq!(made["metadata"]["annotations"][marks::COPIED_FROM], "a/ns/vs");
    assert_eq!(made["metadata"]["labels"], json!({"team": "x"}));
    let rule = key(Kind::DestinationRule, "admiral-sync", "dr");
    assert_eq!(world.get("a", &rule), None, "not beside its original");
    assert_eq!(world.get("c", &rule).unwrap()["spec"]["new"], 1, "fields that nobody knows are kept");
    // The copy follows its original, in what it has and in what it has not.
    let mut changed = original;
    changed["metadata"]["labels"] = json!({});
    changed["spec"]["http"][0]["retries"] = json!({"attempts": 3});
    world.put("a", changed);
    world.settle();
    let made = world.get("c", &copy).unwrap();
    assert!(made["metadata"]["labels"].as_object().is_none_or(serde_json::Map::is_empty), "{made}");
    assert_eq!(made["spec"]["http"][0]["retries"]["attempts"], 3);
    // It goes with the dependency, and with its original.
    world.put("control", dependency("web", "web", &[]));
    world.settle();
    assert!(world.get("c", &copy).is_none() && world.get("c", &rule).is_none() && world.get("a", &copy).is_some());
    world.remove("a", &key(Kind::VirtualService, "ns", "vs"));
    world.settle();
    assert_eq!(world.get("a", &copy), None);
}

#[test]
fn other_hosts_are_copied_as_they_are_with_names_written_out() {
    let mut world = world(all());
    let mut spec = routes("foo.example.com", "foo");
    spec["gateways"] = json!(["mesh", "gw", "x/gw"]);
    world.put("a", customers(Kind::VirtualService, "vs", spec));
    world.put("a", customers(Kind::DestinationRule, "dr", json!({"host": "foo.example.com"})));
    let private = json!({"hosts": ["bar.example.com"], "exportTo": ["."]});
    world.put("a", customers(Kind::VirtualService, "private", private));
    world.put("a", customers(Kind::VirtualService, "two", json!({"hosts": ["a.x", "b.x"]})));
    world.put("a", customers(Kind::DestinationRule, "x.global-default-dr", json!({"host": "foo.example.com"})));
    world.settle();
    for cluster in ["a", "b", "c"] {
        let made = world.get(cluster, &key(Kind::VirtualService, "admiral-sync", "ns-vs")).unwrap();
        assert_eq!(made["spec"]["gateways"], json!(["mesh", "ns/gw", "x/gw"]));
        assert_eq!(
            made["spec"]["http"][0]["route"][0]["destination"],
            json!({"host": "foo.ns.svc.cluster.local", "port": {"number": 8080}})
        );
        let rule = world.get(cluster, &key(Kind::DestinationRule, "admiral-sync", "dr"));
        assert_eq!(rule.is_some(), cluster != "a");
        assert_eq!(world.get(cluster, &key(Kind::VirtualService, "admiral-sync", "ns-private")), None);
    }
    let told = world.reasons();
    assert_eq!(told, ["DestinationRule ns/x.global-default-dr: NotCopied", "VirtualService ns/two: NotCopied"]);
}

#[test]
fn of_two_originals_under_one_name_the_older_wins() {
    let mut world = world(all());
    let rule = |version| customers(Kind::DestinationRule, "dr", json!({"host": "foo.example.com", "v": version}));
    let mut younger = rule(2);
    younger["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    world.put("b", younger.clone());
    world.put("a", rule(1));
    world.settle();
    let copy = key(Kind::DestinationRule, "admiral-sync", "dr");
    assert_eq!(world.get("c", &copy).unwrap()["spec"]["v"], 1);
    assert_eq!(world.get("a", &copy).unwrap()["spec"]["v"], 2, "where only the younger goes");
    assert_eq!(world.reasons(), ["DestinationRule ns/dr: NotCopied"]);
    younger["spec"] = rule(1)["spec"].clone();
    world.put("b", younger);
    world.settle();
    assert!(world.reasons().is_empty(), "alike: {:?}", world.reasons());
    world.remove("a", &key(Kind::DestinationRule, "ns", "dr"));
    world.settle();
    assert_eq!(world.get("c", &copy).unwrap()["metadata"]["annotations"][marks::COPIED_FROM], "b/ns/dr");
    assert_eq!(world.get("b", &copy), None);
}

#[test]
fn a_rollouts_own_routes_are_not_copied() {
    let mut world = world(all());
    let copy = key(Kind::VirtualService, "admiral-sync", "ns-vs");
    world.put("a", customers(Kind::VirtualService, "vs", routes("foo.example.com", "foo")));
    world.settle();
    assert!(world.get("b", &copy).is_some());
    let mut rollout = deployment("ns", "r", "r", "stage");
    rollout["apiVersion"] = json!("argoproj.io/v1alpha1");
    rollout["kind"] = json!("Rollout");
    let istio = json!({"virtualService": {"name": "vs"}});
    rollout["spec"]["strategy"] = json!({"canary": {"stableService": "s", "trafficRouting": {"istio": istio}}});
    world.put("a", rollout);
    world.settle();
    assert_eq!(world.get("b", &copy), None);
    world.remove("a", &key(Kind::Rollout, "ns", "r"));
    world.settle();
    assert!(world.get("b", &copy).is_some());
}

#[test]
fn copies_and_further_hosts_are_exported_as_their_host_is() {
    let mut settings = MeshSettings::clone(&all());
    settings.entry.export_to_clients = true;
    settings.routing.additional_label_filters = BTreeSet::from(["*".to_owned()]);
    let mut world = world(MeshOptions::new(settings).unwrap());
    world.put("a", customers(Kind::VirtualService, "vs", routes("stage.greeting.global", "greeting")));
    world.put("a", customers(Kind::VirtualService, "other", routes("foo.example.com", "foo")));
    world.settle();
    let seen_by = |name: &str| {
        let object = world.get("c", &key(Kind::VirtualService, "admiral-sync", name)).unwrap();
        object["spec"]["exportTo"].clone()
    };
    assert_eq!((seen_by("ns-vs"), seen_by("stage.greeting.intuit-vs")), (json!(["client"]), json!(["client"])));
    assert_eq!(seen_by("ns-other"), Value::Null, "of a host that is not the mesh's");
}

#[test]
fn copies_of_a_go_admiral_are_taken_over_if_wanted_and_left_alone_if_not() {
    let mut world = world(all());
    let admirals = |name: &str| {
        json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService", "metadata": {"name": name,
            "namespace": "admiral-sync", "annotations": {marks::CREATED_BY: "admiral"}}, "spec": {"hosts": ["foo"]}})
    };
    world.put("c", admirals("ns-vs"));
    world.put("c", admirals("ns-gone"));
    world.put("a", customers(Kind::VirtualService, "vs", routes("foo.example.com", "foo")));
    world.settle();
    let of = |name: &str| world.get("c", &key(Kind::VirtualService, "admiral-sync", name)).unwrap();
    assert_eq!(of("ns-vs")["metadata"]["annotations"][marks::COPIED_FROM], "a/ns/vs");
    assert_eq!(of("ns-gone")["spec"]["hosts"], json!(["foo"]));
}
