//! Traffic policies on small meshes.

use super::*;
use crate::mesh::MeshSettings;

pub fn policy(name: &str, entries: Value) -> Value {
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy",
        "metadata": {"name": name, "namespace": "ns", "labels": {"identity": "greeting", "env": "stage"}},
        "spec": {"policy": entries}})
}

pub fn failover(prefix: &str, targets: &[(&str, i64)]) -> Value {
    let targets: Vec<_> = targets.iter().map(|(region, weight)| json!({"region": region, "weight": weight})).collect();
    json!({"dnsPrefix": prefix, "lbType": 1, "target": targets})
}

pub fn rule(world: &World, cluster: &str, name: &str) -> Value {
    let key = ObjectKey::new(Kind::DestinationRule, "admiral-sync", name);
    world.get(cluster, &key).unwrap_or_else(|| panic!("{cluster} has no {name}"))
}

fn locality(world: &World, cluster: &str, name: &str) -> Value {
    rule(world, cluster, name)["spec"]["trafficPolicy"]["loadBalancer"]["localityLbSetting"].clone()
}

pub fn options(change: impl FnOnce(&mut MeshSettings)) -> MeshOptions {
    let mut settings = MeshSettings::default();
    change(&mut settings);
    MeshOptions::new(settings).unwrap()
}

/// `greeting` runs in these clusters, each in a region of its own name.
pub fn mesh(clusters: &[&str], options: MeshOptions) -> World {
    let mut world = World::with_options(clusters, options);
    for cluster in clusters {
        run(&mut world, cluster, "2024-01-01T00:00:00Z");
    }
    world.settle();
    world
}

pub fn run(world: &mut World, cluster: &str, created: &str) {
    let mut object = deployment("ns", "greeting", "greeting", "stage");
    object["metadata"]["creationTimestamp"] = json!(created);
    world.put(cluster, object);
    world.put(cluster, service("ns", "greeting"));
}

/// An instance that starts now and reads what is there: it must find nothing to do.
fn assert_restart_finds_nothing(world: &World, clusters: &[&str], options: MeshOptions) {
    let mut planner = Planner::new(options);
    for cluster in clusters {
        planner.add_cluster(&ClusterId::new(cluster));
    }
    for ((cluster, _), object) in world.objects() {
        planner.apply(&origin(&cluster), &object).unwrap();
    }
    for cluster in clusters.iter().chain(&["control"]) {
        planner.set_synced(&origin(cluster), true);
    }
    planner.plan(NOW);
    assert_eq!(planner.pending_count(), 0);
}

#[test]
fn prefixed_hosts_come_and_go_with_their_entries() {
    let mut world = mesh(&["a", "b"], MeshOptions::default());
    let before = world.istio_names("a");
    world.put("a", policy("g", json!([failover("west", &[("a", 100), ("b", 0)]), failover("east", &[("b", 100)])])));
    world.settle();
    for host in ["west.stage.greeting.global", "east.stage.greeting.global"] {
        assert_eq!(world.addresses("b", host), world.addresses("b", "stage.greeting.global"));
    }
    let annotations = world.entry("b", "west.stage.greeting.global").unwrap()["metadata"]["annotations"].clone();
    assert_eq!((&annotations["associated-gtp"], &annotations["dns-prefix"]), (&json!("g"), &json!("west")));
    assert_eq!(
        locality(&world, "b", "west.stage.greeting.global-dr"),
        json!({"distribute": [{"from": "b/*", "to": {"a": 100}}]})
    );
    assert_eq!(world.planner.conditions(), []);

    world.put("a", policy("g", json!([failover("east", &[("b", 100)])])));
    world.settle();
    assert!(world.entry("b", "west.stage.greeting.global").is_none());
    assert!(world.entry("b", "east.stage.greeting.global").is_some());
    assert!(world.released("b").to_string().contains("west.stage.greeting.global"), "its address is held back");
    world.remove("a", &key_of(&policy("g", json!([]))));
    world.settle();
    assert_eq!(world.istio_names("a"), before);
}

/// What was in force stays in force, on an instance that never saw it too.
#[test]
fn a_broken_entry_keeps_the_regions_that_each_cluster_has() {
    let mut world = mesh(&["a", "b"], MeshOptions::default());
    let sound = json!([failover("default", &[("a", 70), ("b", 30)]), failover("west", &[("a", 100)])]);
    world.put("a", policy("g", sound));
    world.settle();
    let name = "stage.greeting.global-default-dr";
    let before = locality(&world, "b", name);
    world.put("a", policy("g", json!([failover("default", &[("a", 70), ("b", 40)]), failover("west", &[("b", 100)])])));
    world.settle();
    assert_eq!(locality(&world, "b", name), before);
    assert_eq!(
        locality(&world, "b", "west.stage.greeting.global-dr")["distribute"][0]["to"],
        json!({"b": 100}),
        "one bad entry does not block the others"
    );
    let conditions = world.planner.conditions();
    assert_eq!(conditions.len(), 1, "{conditions:?}");
    assert_eq!(
        (conditions[0].subject.as_str(), conditions[0].reason),
        ("GlobalTrafficPolicy ns/g", Reason::InvalidPolicy)
    );
    for part in ["spec.policy[0].target", "110 together", "100 together", "correct it"] {
        assert!(conditions[0].message.contains(part), "{part}: {}", conditions[0].message);
    }
    assert_restart_finds_nothing(&world, &["a", "b"], MeshOptions::default());
    world.put("a", policy("g", json!([failover("default", &[("a", 60), ("b", 40)])])));
    world.settle();
    assert_eq!(locality(&world, "b", name)["distribute"][0]["to"], json!({"a": 60, "b": 40}));
}

#[test]
fn what_has_no_effect_says_why() {
    let mut world = mesh(&["a"], MeshOptions::default());
    let entries = json!([failover("default", &[("a", 100)])]);
    let mut weak = policy("weak", entries.clone());
    weak["metadata"]["creationTimestamp"] = json!("2020-01-01T00:00:00Z");
    let mut elsewhere = policy("elsewhere", entries.clone());
    elsewhere["metadata"]["namespace"] = json!("other");
    let mut case = policy("case", entries.clone());
    case["metadata"]["labels"]["identity"] = json!("Greeting");
    let mut strong = policy("strong", entries);
    strong["metadata"]["labels"]["priority"] = json!("1");
    for object in [weak, elsewhere, case, strong] {
        world.put("a", object);
    }
    world.settle();
    let found: Vec<_> = world.planner.conditions();
    let message = |name: &str| found.iter().find(|c| c.subject.ends_with(name)).map(|c| c.message.as_str());
    assert!(message("/weak").unwrap().contains("ns/strong in cluster a"), "{found:?}");
    assert!(message("/elsewhere").unwrap().contains("it runs in ns in a"), "{found:?}");
    assert!(message("/case").unwrap().contains("identity \"Greeting\" and env \"stage\""), "{found:?}");
    assert_eq!((message("/strong"), found.len()), (None, 3));
    assert!(found.iter().all(|condition| condition.reason == Reason::PolicyWithoutEffect));
    assert_eq!(world.planner.traffic_policy("greeting", "stage").unwrap()["metadata"]["name"], "strong");
    assert_eq!(world.planner.traffic_policy("Greeting", "stage"), None);
}

#[test]
fn hosts_that_cannot_be_are_reported_and_the_others_made() {
    let mut world = mesh(&["a"], MeshOptions::default());
    world.put("a", deployment("ns", "other", "greeting", "x.stage"));
    world.put("a", service("ns", "other"));
    let long = ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(60)].join(".");
    world.put(
        "a",
        policy("g", json!([{"dnsPrefix": "x"}, {"dnsPrefix": long}, {"dnsPrefix": ""}, {"dnsPrefix": "ok"}, {"dnsPrefix": "ok"}])),
    );
    world.settle();
    assert!(world.entry("a", "ok.stage.greeting.global").is_some());
    let owner = world.entry("a", "x.stage.greeting.global").unwrap();
    assert_eq!(owner["metadata"]["annotations"].get("associated-gtp"), None, "the workload's own host comes first");
    let reasons: Vec<_> = world.planner.conditions().into_iter().map(|c| c.reason).collect();
    assert_eq!(reasons, [Reason::HostConflict, Reason::InvalidName, Reason::InvalidPolicy, Reason::InvalidPolicy]);
}

/// Reconcile-spec DR5; no state but the clusters'.
#[test]
fn the_first_region_stays_primary() {
    let active_passive = || options(|s| s.policy.active_passive = true);
    let name = "stage.greeting.global-default-dr";
    let primary = |region: &str| json!({"distribute": [{"from": "*", "to": {region: 100}}]});
    let mut world = World::with_options(&["a", "b"], active_passive());
    run(&mut world, "b", "2024-01-01T00:00:00Z");
    world.settle();
    assert_eq!(locality(&world, "b", name), primary("b"));
    // Older, but not first.
    run(&mut world, "a", "2020-01-01T00:00:00Z");
    world.settle();
    assert_eq!((locality(&world, "a", name), locality(&world, "b", name)), (primary("b"), primary("b")));
    assert_restart_finds_nothing(&world, &["a", "b"], active_passive());
    // A policy goes before it, and without the policy it is back.
    world.put("a", policy("g", json!([failover("default", &[("a", 100)])])));
    world.settle();
    assert_eq!(locality(&world, "a", name), json!({"distribute": [{"from": "a/*", "to": {"a": 100}}]}));
    world.remove("a", &key_of(&policy("g", json!([]))));
    world.settle();
    assert_eq!(locality(&world, "b", name), primary("a"), "nobody remembers: the oldest");
    // A region that has nothing left is primary no longer.
    world.remove("a", &key_of(&deployment("ns", "greeting", "greeting", "stage")));
    world.settle();
    assert_eq!(locality(&world, "b", name), primary("b"));
    // All at once: the oldest workload's region.
    let mut world = World::with_options(&["a", "b"], active_passive());
    run(&mut world, "a", "2022-01-01T00:00:00Z");
    run(&mut world, "b", "2021-01-01T00:00:00Z");
    world.settle();
    assert_eq!((locality(&world, "a", name), locality(&world, "b", name)), (primary("b"), primary("b")));
}

#[test]
fn a_region_that_gets_everything_can_give_way() {
    let mut world = mesh(&["a", "b", "c"], options(|s| s.extension.traffic_policy_failover = true));
    let entries =
        json!([failover("default", &[("a", 100), ("c", 0), ("b", 0)]), failover("split", &[("a", 60), ("b", 40)])]);
    world.put("a", policy("g", entries));
    world.settle();
    let name = "stage.greeting.global-default-dr";
    assert_eq!(locality(&world, "a", name), json!({"failover": [{"from": "a", "to": "c"}]}));
    assert_eq!(locality(&world, "b", name), json!({"failoverPriority": ["topology.kubernetes.io/region=a"]}));
    assert_eq!(
        locality(&world, "b", "split.stage.greeting.global-dr"),
        json!({"distribute": [{"from": "b/*", "to": {"a": 60, "b": 40}}]}),
        "Istio cannot split and order at once"
    );
    let both = || {
        options(|s| {
            s.extension.traffic_policy_failover = true;
            s.policy.active_passive = true;
        })
    };
    let world = mesh(&["a", "b"], both());
    for cluster in ["a", "b"] {
        assert_eq!(locality(&world, cluster, name), json!({"failoverPriority": ["topology.kubernetes.io/region=a"]}));
    }
    assert_restart_finds_nothing(&world, &["a", "b"], both());
}

/// Reconcile-spec 3.1.6.
#[test]
fn a_newly_preferred_region_is_written_first() {
    for prevents in [true, false] {
        let mut world = mesh(&["a", "b", "c"], options(|s| s.policy.prevent_split_brain = prevents));
        world.put("a", policy("g", json!([failover("default", &[("a", 100)])])));
        world.settle();
        world.put("a", policy("g", json!([failover("default", &[("b", 100)])])));
        world.planner.plan(NOW);
        let key = ObjectKey::new(Kind::DestinationRule, "admiral-sync", "stage.greeting.global-default-dr");
        let before = |world: &World, cluster: &str| {
            let cluster = ClusterId::new(cluster);
            world.planner.goes_before(&cluster, &key).map(ToString::to_string).collect::<Vec<_>>()
        };
        let expected: &[&str] = if prevents { &["b"] } else { &[] };
        assert_eq!(before(&world, "a"), expected);
        assert_eq!(before(&world, "c"), expected);
        assert!(before(&world, "b").is_empty());
        let id = ClusterId::new("b");
        let Some(Op::Update { object, .. }) = world.planner.change(&id, &key).map(|change| change.op) else { panic!() };
        world.put("b", object);
        world.planner.plan(NOW);
        assert!(before(&world, "a").is_empty(), "it was written");
    }
}
