//! The status of policies: whether each is used, where it is in place, and nothing to write for whoever takes over.

use super::policies::{failover, mesh, options, policy};
use super::*;

fn told() -> MeshOptions {
    options(|s| s.extension.policy_status = true)
}

fn tell(world: &mut World) {
    for _ in 0..3 {
        world.settle();
        let conditions = world.planner.conditions();
        world.planner.tell_statuses(&conditions, |_| true).expect("the plan is up to date");
    }
    world.settle();
}

fn key() -> ObjectKey {
    ObjectKey::new(Kind::GlobalTrafficPolicy, "ns", "g")
}

fn status(world: &World, cluster: &str) -> Value {
    world.get(cluster, &key()).unwrap()["status"].clone()
}

/// Status, reason and message of a condition.
fn condition(status: &Value, kind: &str) -> (String, String, String) {
    let found = status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == kind).unwrap();
    let text = |field: &str| found[field].as_str().unwrap().to_owned();
    (text("status"), text("reason"), text("message"))
}

#[test]
fn a_policy_says_that_it_is_used_and_where_it_is_in_place() {
    let mut world = mesh(&["a", "b"], told());
    let mut object = policy("g", json!([failover("default", &[("a", 100), ("b", 0)])]));
    object["metadata"]["generation"] = json!(4);
    object["status"] = json!({"note": "mine", "conditions": [{"type": "Reviewed", "status": "True"}]});
    world.put("a", object);
    tell(&mut world);
    let told = status(&world, "a");
    assert_eq!(condition(&told, "Accepted").0, "True");
    assert_eq!(condition(&told, "Synced"), ("True".into(), "Synced".into(), "in place in a, b".into()));
    assert_eq!((&told["clustersSynced"], &told["state"]), (&json!(2), &json!("Synced")));
    assert_eq!(told["conditions"][0]["observedGeneration"], 4);
    // What others say stays, and so does everything else.
    assert_eq!((&told["note"], &told["conditions"][2]["type"]), (&json!("mine"), &json!("Reviewed")));
    assert_eq!(world.get("a", &key()).unwrap()["spec"]["policy"][0]["dnsPrefix"], "default");

    let before = world.writes.len();
    tell(&mut world);
    assert_eq!(world.writes.len(), before, "told twice");
    world.restart(self::told());
    tell(&mut world);
    assert_eq!(world.writes.len(), before, "a takeover writes nothing");
}

#[test]
fn what_is_refused_is_told_by_its_field_until_it_is_corrected() {
    let mut world = mesh(&["a", "b"], told());
    world.put("a", policy("g", json!([failover("default", &[("a", 70), ("b", 70)])])));
    tell(&mut world);
    let (accepted, reason, message) = condition(&status(&world, "a"), "Accepted");
    assert_eq!((accepted.as_str(), reason.as_str()), ("False", "InvalidPolicy"));
    assert!(message.contains("spec.policy[0].target"), "{message}");
    assert_eq!(status(&world, "a")["state"], "InvalidPolicy");

    world.put("a", policy("g", json!([failover("default", &[("a", 70), ("b", 30)])])));
    tell(&mut world);
    assert_eq!(condition(&status(&world, "a"), "Accepted").0, "True");
}

/// One that cannot be read at all is told too, and written once.
#[test]
fn an_unreadable_policy_is_told() {
    let mut world = mesh(&["a"], told());
    let mut object = policy("g", json!("everything"));
    object["metadata"]["labels"] = json!({"env": "stage"});
    let stored = world.store("a", object);
    assert!(world.planner.apply(&origin("a"), &stored).is_err());
    tell(&mut world);
    let (accepted, reason, _) = condition(&status(&world, "a"), "Accepted");
    assert_eq!((accepted.as_str(), reason.as_str()), ("False", "InvalidObject"));
    assert_eq!(condition(&status(&world, "a"), "Synced").1, "NothingToSync");
    assert_eq!(world.writes.iter().filter(|(_, _, name)| name == "g").count(), 1);
}

#[test]
fn what_is_pending_is_not_in_place() {
    let mut world = mesh(&["a", "b"], told());
    world.put("a", policy("g", json!([failover("default", &[("a", 100), ("b", 0)])])));
    world.planner.plan(world.now);
    let conditions = world.planner.conditions();
    world.planner.tell_statuses(&conditions, |_| true).unwrap();
    let change = world.planner.change(&ClusterId::new("a"), &key()).unwrap();
    let Op::Update { object, .. } = change.op else { panic!("{change:?}") };
    assert_eq!(condition(&object["status"], "Synced").2, "not yet in a, b");
    assert_eq!(object["status"]["clustersSynced"], 0);
}

#[test]
fn no_status_is_written_unless_asked_for() {
    let mut world = mesh(&["a"], MeshOptions::default());
    world.put("a", policy("g", json!([failover("default", &[("a", 100)])])));
    tell(&mut world);
    assert_eq!(status(&world, "a"), Value::Null);
    // Nor where a cluster is made of files, which belong to people as a whole.
    let mut world = mesh(&["a"], told());
    world.put("a", policy("g", json!([failover("default", &[("a", 100)])])));
    world.settle();
    let conditions = world.planner.conditions();
    assert_eq!(world.planner.tell_statuses(&conditions, |_| false), Some(BTreeSet::new()));
}
