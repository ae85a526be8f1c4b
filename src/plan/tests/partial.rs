//! While part of the mesh has never been seen.

use super::*;

/// Clusters `a` (source), `b` (source) and `c` (client) as an earlier instance left them, seen by a new one;
/// `unsynced` has delivered nothing yet.
fn restarted(unsynced: &str) -> World {
    let mut world = World::new(&["a", "b", "c"]);
    for cluster in ["a", "b"] {
        world.put(cluster, deployment("ns", "greeting", "greeting", "stage"));
        world.put(cluster, service("ns", "greeting"));
    }
    world.put("b", deployment("ns", "only-b", "only-b", "stage"));
    world.put("b", service("ns", "only-b"));
    world.put("c", deployment("ns", "web", "web", "stage"));
    world.put("c", service("ns", "web"));
    world.put("control", dependency("web", "web", &["greeting", "only-b"]));
    world.settle();
    let mut fresh = World::new(&[]);
    for cluster in ["a", "b", "c"] {
        fresh.planner.add_cluster(&ClusterId::new(cluster));
    }
    if unsynced == "control" {
        fresh.planner.set_synced(&Origin::Control, false);
    }
    for ((cluster, _), object) in world.objects() {
        let stored = fresh.store(&cluster, object);
        if cluster != unsynced {
            fresh.planner.apply(&origin(&cluster), &stored).unwrap();
        }
    }
    for cluster in ["a", "b", "c"].into_iter().filter(|cluster| *cluster != unsynced) {
        fresh.planner.set_synced(&origin(cluster), true);
    }
    fresh
}

#[test]
fn a_restart_with_everything_in_sight_changes_nothing() {
    let mut world = restarted("nothing");
    world.planner.plan(NOW);
    assert_eq!(world.planner.pending_count(), 0);
}

#[test]
fn an_unseen_source_loses_neither_endpoints_nor_hosts() {
    let mut world = restarted("b");
    world.planner.plan(NOW);
    assert_eq!(world.planner.pending_count(), 0, "{:?}", world.planner.changes);
    world.settle();
    assert_eq!(world.addresses("c", "stage.greeting.global"), ["a.lb.", "b.lb."]);
    assert!(world.entry("c", "stage.only-b.global").is_some());
    // What is known still changes: a's gateway moves. Its old address might be b's, so it stays for now.
    world.put("a", gateway("new-a.lb"));
    world.settle();
    assert_eq!(world.addresses("c", "stage.greeting.global"), ["a.lb.", "b.lb.", "new-a.lb."]);
    // b is seen at last and does not run greeting any more.
    let nothing: [Value; 0] = [];
    world.put("b", node("b"));
    world.put("b", gateway("b.lb"));
    world.planner.replace(&origin("b"), Kind::Deployment, None, &nothing);
    world.planner.set_synced(&origin("b"), true);
    world.settle();
    assert_eq!(world.addresses("c", "stage.greeting.global"), ["new-a.lb."]);
    assert!(world.entry("c", "stage.only-b.global").is_none());
}

#[test]
fn a_workload_that_goes_while_a_cluster_is_unseen_keeps_its_host_until_then() {
    let mut world = restarted("c");
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "greeting"));
    world.remove("b", &ObjectKey::new(Kind::Deployment, "ns", "greeting"));
    world.planner.plan(NOW);
    assert_eq!(world.planner.pending_count(), 0, "nothing is deleted");
    assert!(world.planner.changes(&ClusterId::new("c")).next().is_none());
}

#[test]
fn nothing_at_all_is_planned_before_the_control_cluster_is_seen() {
    let mut world = restarted("control");
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "greeting"));
    world.put("a", deployment("ns", "new", "new", "stage"));
    world.put("a", service("ns", "new"));
    world.planner.plan(NOW);
    assert_eq!(world.planner.pending_count(), 0);
}

#[test]
fn a_local_service_of_a_seen_cluster_is_not_kept() {
    let mut world = restarted("c");
    world.remove("a", &ObjectKey::new(Kind::Service, "ns", "greeting"));
    world.put("a", deployment("ns", "web", "web", "stage"));
    world.settle();
    assert_eq!(world.addresses("a", "stage.greeting.global"), ["b.lb."], "a is a client now");
}

#[test]
fn a_cluster_that_was_seen_and_is_unreachable_keeps_its_last_state() {
    let mut world = restarted("nothing");
    world.remove("a", &ObjectKey::new(Kind::Deployment, "ns", "greeting"));
    world.settle();
    assert_eq!(world.addresses("c", "stage.greeting.global"), ["b.lb."]);
}
