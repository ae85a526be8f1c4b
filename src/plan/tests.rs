//! The whole pipeline on small meshes.

mod conditions;
mod events;
mod extensions;
mod limits;
mod partial;
mod policies;
mod properties;
mod releases;
mod rollouts;
mod routing;
mod status;
mod suspensions;
mod world;

use super::*;
use crate::desired::released;
use crate::mesh::{Change, Reason, marks};
use serde_json::json;
use world::*;

#[test]
fn a_change_recomputes_only_the_identities_that_it_touches() {
    let mut world = World::new(&["a", "b"]);
    for i in 0..20 {
        world.put("a", deployment("ns", &format!("d{i}"), &format!("id{i}"), "stage"));
        world.put("a", service("ns", &format!("d{i}")));
    }
    world.put("control", dependency("c", "id3", &["id7"]));
    world.settle();
    let before = world.planner.recomputed();
    let mut changed = deployment("ns", "d5", "id5", "stage");
    changed["spec"]["replicas"] = json!(7);
    world.put("a", changed);
    assert!(world.planner.plan(NOW).is_empty());
    assert_eq!(world.planner.recomputed() - before, 0, "no field that counts has changed");
    world.put("a", deployment("ns", "d5", "id5", "prod"));
    let keys = world.planner.plan(NOW);
    assert_eq!(world.planner.recomputed() - before, 1);
    assert!(keys.iter().all(|(_, key)| key.name.contains(".id5.") || key.kind == Kind::ConfigMap), "{keys:?}");
    world.settle();
    let before = world.planner.recomputed();
    world.put("b", deployment("ns", "client", "id3", "stage"));
    world.settle();
    assert_eq!(world.planner.recomputed() - before, 2, "the client and what it calls");
}

#[test]
fn updates_and_deletes_carry_the_newest_observed_version() {
    let mut world = World::with_greeting();
    let mut entry = world.entry("a", "stage.greeting.global").unwrap();
    entry["spec"]["endpoints"][0]["address"] = json!("drift.example.com");
    entry["metadata"]["labels"]["team"] = json!("x");
    world.put("a", entry);
    let key = entry_key("stage.greeting.global");
    let id = ClusterId::new("a");
    assert!(world.planner.plan(NOW).contains(&(id.clone(), key.clone())));
    let first = world.planner.change(&id, &key).unwrap();
    let Op::Update { object, uid: Some(_), resource_version } = &first.op else { panic!("{first:?}") };
    assert_eq!(object["metadata"]["labels"]["team"], "x");
    assert!(object["metadata"].get("resourceVersion").is_none());
    // Somebody else writes again: the pending change follows.
    let mut entry = world.entry("a", "stage.greeting.global").unwrap();
    entry["metadata"]["labels"]["team"] = json!("y");
    world.put("a", entry);
    assert!(!world.planner.plan(NOW).is_empty());
    let Some(Change { op: Op::Update { resource_version: newer, .. }, .. }) = world.planner.change(&id, &key) else {
        panic!("still an update")
    };
    assert_ne!(&newer, resource_version);
    world.settle();
    let entry = world.entry("a", "stage.greeting.global").unwrap();
    assert_eq!(entry["metadata"]["labels"]["team"], "y");
    assert_eq!(entry["spec"]["endpoints"][0]["address"], "greeting.ns.svc.cluster.local");
}

#[test]
fn an_epoch_stamp_is_no_difference() {
    let mut world = World::with_greeting();
    let mut entry = world.entry("a", "stage.greeting.global").unwrap();
    entry["metadata"]["annotations"][marks::EPOCH] = json!("12");
    entry["spec"]["exportTo"] = json!([]);
    world.put("a", entry);
    assert!(world.planner.plan(NOW).is_empty());
}

#[test]
fn orphans_of_our_shape_go_and_everything_else_stays() {
    let mut world = World::with_greeting();
    let owned = |kind: &str, name: &str, spec: Value| {
        json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": kind, "metadata": {"name": name,
            "namespace": "admiral-sync", "annotations": {marks::CREATED_BY: "admiral"}}, "spec": spec})
    };
    let gone = [
        owned("ServiceEntry", "west.stage.old.global-se", json!({"hosts": ["West.stage.old.global"]})),
        owned("DestinationRule", "west.stage.old.global-dr", json!({"host": "west.stage.old.global"})),
        owned("DestinationRule", "stage.old.global-default-dr", json!({"host": "stage.old.global"})),
    ];
    let mut foreign = gone[0].clone();
    foreign["metadata"] = json!({"name": "stage.hand.global-se", "namespace": "admiral-sync"});
    let stay = [
        owned("DestinationRule", "sample-greeting-dr", json!({"host": "stage.greeting.global"})),
        owned("DestinationRule", "stage.x.example.com-default-dr", json!({"host": "stage.x.example.com"})),
        owned("ServiceEntry", "stage.y.global-se", json!({"hosts": ["stage.z.global"]})),
        owned("ServiceEntry", "odd", json!({"hosts": 7})),
        foreign,
    ];
    let before = world.istio_names("a");
    for object in gone.iter().chain(&stay) {
        world.put("a", object.clone());
    }
    world.settle();
    let after = world.istio_names("a");
    assert_eq!(after.len(), before.len() + stay.len(), "{after:?}");
    for object in stay {
        assert!(after.contains(object["metadata"]["name"].as_str().unwrap()), "{object}");
    }
}

#[test]
fn excluded_identities_are_frozen() {
    let settings = crate::mesh::MeshSettings {
        excluded_identity_list: BTreeSet::from(["Frozen".to_owned()]),
        ..crate::mesh::MeshSettings::default()
    };
    let mut world = World::with_options(&["a"], MeshOptions::new(settings).unwrap());
    world.put(
        "a",
        json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "ServiceEntry",
        "metadata": {"name": "stage.frozen.global-se", "namespace": "admiral-sync",
            "annotations": {marks::CREATED_BY: "admiral"}}, "spec": {"hosts": ["stage.frozen.global"]}}),
    );
    world.put("a", deployment("ns", "d", "Frozen", "prod"));
    world.put("a", service("ns", "d"));
    world.settle();
    assert_eq!(world.istio_names("a").into_iter().collect::<Vec<_>>(), ["stage.frozen.global-se"]);
}

#[test]
fn a_cluster_that_is_removed_gives_no_endpoints_and_has_no_plan() {
    let mut world = World::new(&["a", "b"]);
    for cluster in ["a", "b"] {
        world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
        world.put(cluster, service("ns", "greeting"));
    }
    world.settle();
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["b.lb.", "greeting.ns.svc.cluster.local"]);
    world.planner.remove_cluster(&ClusterId::new("b"));
    world.settle();
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["greeting.ns.svc.cluster.local"]);
    assert_eq!((world.planner.clusters().len(), world.planner.hosts().len()), (1, 1));
    // Late events of a cluster that is gone change nothing.
    world.put("b", deployment("ns", "late", "late", "stage"));
    assert!(world.planner.plan(NOW).is_empty());
}

#[test]
fn clusters_behind_one_address_are_one_endpoint() {
    let mut world = World::new(&["a", "b", "c"]);
    for cluster in ["a", "b"] {
        world.put(cluster, gateway("shared.lb"));
        world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
        world.put(cluster, service("ns", "greeting"));
    }
    world.put("c", deployment("ns", "web", "web", "stage"));
    world.put("control", dependency("w", "web", &["greeting"]));
    world.settle();
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["greeting.ns.svc.cluster.local"]);
    assert_eq!(world.addresses("c", "stage.greeting.global"), ["shared.lb."]);
}
