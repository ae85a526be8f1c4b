//! Suspension by a table: what stands still, what goes on, and what happens when it ends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::world::{NOW, World, deployment, key_of, service};
use crate::mesh::{ClusterId, Envs, Kind, MeshOptions, ObjectKey, Reason, Suspension, marks};

/// `greeting` in stage and prod, and `other`, in cluster `a`.
fn world() -> World {
    let mut world = World::new(&["a", "b"]);
    for (name, identity, env) in
        [("greeting", "greeting", "stage"), ("greeting-prod", "greeting", "prod"), ("other", "other", "stage")]
    {
        world.put("a", deployment("ns", name, identity, env));
        world.put("a", service("ns", name));
    }
    world.settle();
    world
}

fn table(rows: &[(&str, &[&str])]) -> Suspension {
    let envs = |envs: &[&str]| match envs {
        [] => Envs::Every,
        some => Envs::Only(some.iter().map(|env| (*env).to_owned()).collect()),
    };
    let rows: BTreeMap<_, _> = rows.iter().map(|(identity, of)| ((*identity).to_owned(), envs(of))).collect();
    Suspension::new("item dev", false, rows)
}

fn entry(env: &str, identity: &str) -> ObjectKey {
    ObjectKey::new(Kind::ServiceEntry, "admiral-sync", format!("{env}.{identity}.global-se"))
}

/// Somebody spoils the generated entry; whether the planner would repair it.
fn repairs(world: &mut World, env: &str, identity: &str) -> bool {
    let key = entry(env, identity);
    let mut object = world.get("a", &key).unwrap();
    object["spec"]["endpoints"] = json!([{"address": "spoilt"}]);
    world.put("a", object);
    world.planner.plan(NOW);
    world.planner.change(&ClusterId::new("a"), &key).is_some()
}

#[test]
fn a_suspended_identity_stands_still_in_its_envs_and_the_others_go_on() {
    let mut world = world();
    world.planner.suspend(table(&[("greeting", &["stage"])]));
    assert!(world.planner.plan(NOW).is_empty(), "suspension itself changes nothing");
    assert!(!repairs(&mut world, "stage", "greeting"));
    assert!(repairs(&mut world, "prod", "greeting"));
    assert!(repairs(&mut world, "stage", "other"));
    world.planner.suspend(table(&[("greeting", &[])]));
    world.planner.plan(NOW);
    assert!(world.planner.change(&ClusterId::new("a"), &entry("prod", "greeting")).is_none(), "no longer pending");
}

#[test]
fn nothing_is_made_or_deleted_until_the_suspension_ends() {
    let mut world = world();
    world.planner.suspend(table(&[("greeting", &[]), ("late", &[])]));
    world.put("a", deployment("ns", "late", "late", "stage"));
    world.put("a", service("ns", "late"));
    for name in ["greeting", "greeting-prod", "other"] {
        world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", name));
    }
    world.settle();
    let names = world.istio_names("a");
    assert!(names.contains("stage.greeting.global-se") && names.contains("prod.greeting.global-se"), "{names:?}");
    assert!(!names.contains("stage.late.global-se") && !names.contains("stage.other.global-se"), "{names:?}");

    world.planner.suspend(table(&[]));
    world.settle();
    let names = world.istio_names("a");
    assert!(!names.iter().any(|name| name.contains("greeting")), "{names:?}");
    assert!(names.contains("stage.late.global-se"), "{names:?}");
}

#[test]
fn a_pending_delete_is_withdrawn() {
    let mut world = world();
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "other"));
    world.planner.plan(NOW);
    let is_pending = |world: &World| world.planner.change(&ClusterId::new("a"), &entry("stage", "other")).is_some();
    assert!(is_pending(&world));
    world.planner.suspend(table(&[("OTHER", &[])]));
    world.planner.plan(NOW);
    assert!(!is_pending(&world), "objects are kept whatever the case");
}

#[test]
fn all_means_all_and_ends_without_a_trace() {
    let mut world = world();
    let before = world.objects();
    world.planner.suspend(Suspension::new("item dev", true, BTreeMap::new()));
    world.put("a", deployment("ns", "late", "late", "stage"));
    world.put("a", service("ns", "late"));
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "other"));
    world.now = crate::instant::WallTime::from_unix_ms(NOW.unix_ms() + 1_000_000_000);
    let writes = world.writes.len();
    world.settle();
    assert_eq!(world.writes.len(), writes, "not even the books");
    let condition = world.planner.conditions().into_iter().find(|c| c.reason == Reason::Suspended).unwrap();
    assert!(condition.message.contains("all identities") && condition.subject == "item dev", "{condition:?}");

    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "late"));
    world.put("a", deployment("ns", "other", "other", "stage"));
    world.planner.suspend(Suspension::default());
    world.settle();
    let generated = |objects: BTreeMap<(String, ObjectKey), Value>| {
        let istio = objects.into_iter().filter(|(_, o)| marks::is_owned(o));
        istio.map(|(at, o)| (at, o["spec"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(generated(world.objects()), generated(before), "addresses and all");
    assert!(!world.planner.conditions().iter().any(|c| c.reason == Reason::Suspended));
}

#[test]
fn a_change_costs_those_whose_suspension_changed() {
    let mut world = world();
    for n in 0..50 {
        world.put("a", deployment("ns", &format!("d{n}"), &format!("many{n}"), "stage"));
        world.put("a", service("ns", &format!("d{n}")));
    }
    world.settle();
    let cost = |world: &mut World, table| {
        let before = world.planner.recomputed();
        world.planner.suspend(table);
        world.planner.plan(NOW);
        world.planner.recomputed() - before
    };
    assert_eq!(cost(&mut world, table(&[("greeting", &[]), ("many1", &["stage"])])), 2);
    assert_eq!(cost(&mut world, table(&[("greeting", &[]), ("many1", &["stage"])])), 0, "the same again");
    assert_eq!(cost(&mut world, table(&[("greeting", &[])])), 1);
    assert_eq!(cost(&mut world, table(&[("greeting", &["prod"])])), 1);
}

#[test]
fn the_order_of_objects_and_suspension_does_not_matter() {
    let mut early = World::with_options(&["a", "b"], MeshOptions::default());
    early.planner.suspend(table(&[("greeting", &["stage"])]));
    for ((cluster, _), object) in world().objects() {
        if !marks::is_owned(&object) && cluster == "a" && key_of(&object).namespace == "ns" {
            early.put(&cluster, object);
        }
    }
    early.settle();
    let names = early.istio_names("a");
    assert!(names.contains("prod.greeting.global-se") && !names.contains("stage.greeting.global-se"), "{names:?}");
    early.planner.suspend(Suspension::default());
    early.settle();
    assert_eq!(early.istio_names("a"), world().istio_names("a"));
}
