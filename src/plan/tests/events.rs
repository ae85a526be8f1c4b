//! Kubernetes Events: told once, taken back when the condition ends, bounded, and nothing for a takeover to write.

use super::policies::options;
use super::*;

fn told() -> MeshOptions {
    options(|s| s.extension.kubernetes_events = true)
}

fn tell(world: &mut World) {
    world.settle();
    let conditions = world.planner.conditions();
    world.planner.announce(&conditions).expect("the plan is up to date");
    world.settle();
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
