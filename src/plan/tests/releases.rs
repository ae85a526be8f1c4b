//! Addresses that are set free.

use super::*;

fn address(world: &World, cluster: &str) -> String {
    world.entry(cluster, "stage.greeting.global").unwrap()["spec"]["addresses"][0].as_str().unwrap().to_owned()
}

fn delete_greeting(world: &mut World) {
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "greeting"));
}

#[test]
fn the_address_is_written_down_before_the_entry_is_deleted() {
    let mut world = World::with_greeting();
    let address = address(&world, "a");
    delete_greeting(&mut world);
    world.writes.clear();
    world.planner.plan(NOW);
    let id = ClusterId::new("a");
    let map = released::key(&MeshOptions::default());
    let delete = world.planner.change(&id, &entry_key("stage.greeting.global")).unwrap();
    assert!(matches!(&delete.op, Op::Delete { requires: Some(first), .. } if *first == map), "{delete:?}");
    // Time passes before anything is written: the plan stays as it is.
    let create = world.planner.change(&id, &map);
    world.put("a", node("a"));
    assert!(world.planner.plan(WallTime::from_unix_ms(NOW.unix_ms() + 60_000)).is_empty());
    assert_eq!(world.planner.change(&id, &map), create);
    world.settle();
    let verbs: Vec<_> = world.writes.iter().map(|(_, verb, name)| format!("{verb} {name}")).collect();
    assert_eq!(
        verbs,
        [
            "create flagship-released-addresses",
            "delete stage.greeting.global-se",
            "delete stage.greeting.global-default-dr"
        ]
    );
    assert_eq!(world.released("a"), json!({"stage.greeting.global-se": format!("{address} 1700000000")}));
}

#[test]
fn a_host_that_comes_back_gets_its_address_back() {
    let mut world = World::with_greeting();
    let mut entry = world.entry("a", "stage.greeting.global").unwrap();
    entry["spec"]["addresses"] = json!(["240.0.99.9"]);
    world.put("a", entry);
    world.settle();
    delete_greeting(&mut world);
    world.settle();
    assert!(world.entry("a", "stage.greeting.global").is_none());
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    world.settle();
    assert_eq!(address(&world, "a"), "240.0.99.9");
    assert_eq!(world.released("a"), json!({}), "and leaves the map, which stays");
}

#[test]
fn a_host_that_lives_elsewhere_releases_nothing() {
    let mut world = World::with_greeting();
    world.planner.add_cluster(&ClusterId::new("b"));
    world.put("b", node("b"));
    world.put("b", gateway("b.lb"));
    world.planner.set_synced(&origin("b"), true);
    world.put("b", deployment("ns", "greeting", "greeting", "stage"));
    world.put("b", service("ns", "greeting"));
    world.settle();
    delete_greeting(&mut world);
    world.settle();
    assert!(world.entry("a", "stage.greeting.global").is_none());
    assert_eq!((world.released("a"), world.released("b")), (Value::Null, Value::Null));
}

#[test]
fn expired_entries_leave_with_the_next_release() {
    let mut world = World::with_greeting();
    world.put("a", deployment("ns", "other", "other", "stage"));
    world.put("a", service("ns", "other"));
    world.settle();
    delete_greeting(&mut world);
    world.settle();
    world.now = WallTime::from_unix_ms(NOW.unix_ms() + 2 * 86_400_000);
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "other"));
    world.settle();
    let released = world.released("a");
    let names: Vec<_> = released.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["stage.other.global-se"]);
}

#[test]
fn a_foreign_map_is_left_alone_and_holds_nothing_back() {
    let mut world = World::with_greeting();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"x": "y"},
        "metadata": {"name": marks::RELEASED_ADDRESSES, "namespace": "admiral-sync"}});
    world.put("a", map);
    delete_greeting(&mut world);
    world.planner.plan(NOW);
    let reasons = world.reasons();
    assert!(reasons.iter().any(|r| r.contains("ForeignObject")), "{reasons:?}");
    world.settle();
    assert!(world.entry("a", "stage.greeting.global").is_none());
    assert_eq!(world.released("a"), json!({"x": "y"}));
}

#[test]
fn admirals_record_is_honoured_and_a_broken_one_reported() {
    let mut world = World::new(&["a"]);
    let record = |text: &str| {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"serviceEntryAddressStore": text},
            "metadata": {"name": "se-address-configmap", "namespace": "admiral-sync"}})
    };
    world
        .put("control", record("entry-addresses:\n  stage.greeting.global-se: 240.0.10.2\naddresses:\n- 240.0.10.2\n"));
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    world.put("a", service("ns", "greeting"));
    world.settle();
    assert_eq!(address(&world, "a"), "240.0.10.2");
    world.put("control", record("entry-addresses: [}"));
    world.settle();
    assert!(world.reasons().iter().any(|r| r == "ConfigMap admiral-sync/se-address-configmap: InvalidObject"));
    assert_eq!(address(&world, "a"), "240.0.10.2");
}
