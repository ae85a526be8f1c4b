//! Kubernetes Events: told once, taken back when the condition ends, bounded, and nothing for a takeover to write.

use super::policies::options;
use super::*;

fn told() -> MeshOptions {
    options(|s| s.extension.kubernetes_events = true)
}

fn tell(world: &mut World) {
    world.settle();
    announce(world);
    world.settle();
}

/// What an instance does that may not write.
fn announce(world: &mut World) {
    world.planner.plan(NOW);
    let conditions = world.planner.conditions();
    world.planner.announce(&conditions).expect("the plan is up to date");
}

fn pending(world: &World) -> usize {
    world.planner.changes(&ClusterId::new("a")).filter(|change| change.key.kind == Kind::Event).count()
}

fn names(world: &World) -> Vec<String> {
    let objects = world.objects().into_keys().map(|(_, key)| key);
    objects.filter(|key| key.kind == Kind::Event).map(|key| key.name).collect()
}

fn lonely(count: usize) -> World {
    let mut world = World::with_options(&["a"], told());
    for i in 0..count {
        let name = format!("lonely-{i:03}");
        world.put("a", deployment("ns", &name, &name, "stage"));
    }
    tell(&mut world);
    world
}

#[test]
fn a_condition_has_one_event_until_it_ends() {
    let mut world = lonely(1);
    let made = names(&world);
    assert_eq!(made.len(), 1, "{made:?}");
    let event = world.get("a", &ObjectKey::new(Kind::Event, "ns", &made[0])).unwrap();
    let condition = world.planner.conditions().remove(0);
    assert_eq!(
        (event["reason"].as_str(), event["message"].as_str()),
        (Some("NoMatchingService"), Some(&*condition.message))
    );
    assert_eq!(event["involvedObject"]["uid"], json!("a-\"lonely-000\""));
    assert_eq!(event["involvedObject"]["name"], "lonely-000");

    let before = world.writes.len();
    tell(&mut world);
    assert_eq!(world.writes.len(), before, "told twice");

    world.remove("a", &ObjectKey::new(Kind::Event, "ns", &made[0]));
    world.settle();
    assert_eq!(names(&world), made, "one that expired is made again");

    world.put("a", service("ns", "lonely-000"));
    tell(&mut world);
    assert_eq!(names(&world), Vec::<String>::new());
}

#[test]
fn a_takeover_writes_no_event_and_deletes_none() {
    let mut world = lonely(3);
    let (made, before) = (names(&world), world.writes.len());
    assert_eq!(made.len(), 3);
    world.restart(told());
    world.settle();
    tell(&mut world);
    assert_eq!((names(&world), world.writes.len()), (made, before));
}

#[test]
fn events_of_a_cluster_are_bounded_and_the_rest_is_counted() {
    let world = lonely(130);
    assert_eq!(names(&world).len(), 100);
    assert_eq!(world.planner.unannounced().get(&ClusterId::new("a")), Some(&30));
}

#[test]
fn nothing_is_told_unless_asked_for() {
    let mut world = World::new(&["a"]);
    world.put("a", deployment("ns", "lonely", "lonely", "stage"));
    tell(&mut world);
    assert_eq!(names(&world), Vec::<String>::new());
}

#[test]
fn what_a_passive_would_tell_outlives_a_plan_of_everything() {
    let mut world = World::with_options(&["a"], told());
    world.put("a", deployment("ns", "lonely", "lonely", "stage"));
    announce(&mut world);
    assert_eq!(pending(&world), 1);
    world.planner.add_cluster(&ClusterId::new("b"));
    announce(&mut world);
    assert_eq!(pending(&world), 0, "what looks wrong may be only unknown while b has not been seen");
    world.planner.set_synced(&origin("b"), true);
    announce(&mut world);
    assert_eq!(pending(&world), 1);
}

#[test]
fn an_event_is_never_changed_and_only_ours_is_deleted() {
    let mut world = lonely(1);
    let key = ObjectKey::new(Kind::Event, "ns", &names(&world)[0]);
    let mut event = world.get("a", &key).unwrap();
    event["metadata"]["labels"] = json!({"team": "x"});
    event["count"] = json!(2);
    event["message"] = json!("something else");
    world.put("a", event.clone());
    tell(&mut world);
    assert_eq!(world.get("a", &key).unwrap()["count"], 2, "it was written over");

    event["metadata"]["name"] = json!("other.event");
    let mut foreign = event.clone();
    foreign["metadata"]["name"] = json!("foreign.event");
    foreign["source"]["component"] = json!("somebody");
    let mut unmarked = event.clone();
    unmarked["metadata"]["name"] = json!("unmarked.event");
    unmarked["metadata"]["annotations"] = json!({});
    for object in [event, foreign, unmarked] {
        world.put("a", object);
    }
    tell(&mut world);
    let mut left = vec!["foreign.event".to_owned(), key.name.clone(), "unmarked.event".to_owned()];
    left.sort();
    assert_eq!(names(&world), left);
}

#[test]
fn an_object_that_was_made_anew_has_an_event_of_its_own() {
    let mut world = lonely(1);
    let before = names(&world);
    let mut again = world.get("a", &ObjectKey::new(Kind::Deployment, "ns", "lonely-000")).unwrap();
    again["metadata"]["uid"] = json!("another");
    world.planner.apply(&origin("a"), &again).unwrap();
    assert!(world.planner.is_stale(), "there is something to tell, though nothing to compute");
    tell(&mut world);
    let after = names(&world);
    assert_eq!((after.len(), after == before), (1, false), "{after:?}");
    let event = world.get("a", &ObjectKey::new(Kind::Event, "ns", &after[0])).unwrap();
    assert_eq!(event["involvedObject"]["uid"], "another");
}
