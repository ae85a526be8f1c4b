//! Rollouts, the Services and routes that they name, and Jobs as clients (reconcile-spec 2.7, 2.8).

use super::*;
use crate::index::observed;

const HOST: &str = "stage.shop.global";

fn world(strategy: Value, services: &[&str]) -> World {
    let mut world = World::new(&["a", "b"]);
    world.put("a", rollout("ns", "shop", "shop", "stage", strategy));
    for (i, name) in services.iter().enumerate() {
        world.put("a", service_of("ns", name, "shop", i));
    }
    world.settle();
    world
}

/// A Service for the pods of `app`, the older the lower its `age`.
fn service_of(namespace: &str, name: &str, app: &str, age: usize) -> Value {
    let mut object = service(namespace, name);
    object["spec"]["selector"]["app"] = json!(app);
    object["metadata"]["creationTimestamp"] = json!(format!("2024-01-01T00:00:{age:02}Z"));
    object
}

fn routes(http: Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
        "metadata": {"name": "vs", "namespace": "ns"}, "spec": {"hosts": ["x"], "http": http}})
}

fn route(name: &str, stable: u32, canary: u32) -> Value {
    json!({"name": name, "route": [{"destination": {"host": "s"}, "weight": stable},
        {"destination": {"host": "c.ns.svc.cluster.local"}, "weight": canary}]})
}

/// A canary with Istio, Services `s` and `c`, whose weights are in VirtualService `vs`.
fn istio_canary(route: &[&str]) -> Value {
    json!({"canary": {"stableService": "s", "canaryService": "c",
        "trafficRouting": {"istio": {"virtualService": {"name": "vs", "routes": route}}}}})
}

/// `service weight` of each endpoint of the default host.
fn weights(world: &World) -> Vec<String> {
    let entry = world.entry("a", HOST).unwrap_or_default();
    let endpoint =
        |e: &Value| format!("{} {}", e["address"].as_str().unwrap(), e["weight"]).replace(".svc.cluster.local", "");
    let mut weights: Vec<_> = observed::endpoints(&entry).iter().map(endpoint).collect();
    weights.sort();
    weights
}

fn messages(world: &World, reason: Reason) -> Vec<String> {
    world.planner.conditions().into_iter().filter(|c| c.reason == reason).map(|c| c.message).collect()
}

#[test]
fn blue_green_has_a_host_for_the_preview() {
    let mut world = world(json!({"blueGreen": {"activeService": "s", "previewService": "p"}}), &["p", "s"]);
    world.put("b", deployment("ns", "web", "web", "stage"));
    world.put("control", dependency("w", "web", &["shop"]));
    world.settle();
    assert_eq!(world.addresses("a", HOST), ["s.ns.svc.cluster.local"]);
    assert_eq!(world.addresses("a", &format!("preview.{HOST}")), ["p.ns.svc.cluster.local"]);
    assert_eq!(world.addresses("b", &format!("preview.{HOST}")), ["a.lb."]);
    // The preview ends: its host goes, in all clusters.
    world.put("a", rollout("ns", "shop", "shop", "stage", json!({"blueGreen": {"activeService": "s"}})));
    world.settle();
    assert_eq!(world.entry("a", &format!("preview.{HOST}")).or(world.entry("b", &format!("preview.{HOST}"))), None);
    assert_eq!(world.addresses("b", HOST), ["a.lb."]);
}

#[test]
fn a_strategy_that_names_no_usable_service_is_reported_with_field_value_and_remedy() {
    let mut world = world(json!({"blueGreen": {"activeService": "s", "previewService": "p"}}), &[]);
    assert_eq!(world.entry("a", HOST), None);
    let message = &messages(&world, Reason::UnknownService)[0];
    assert_eq!(
        message,
        "spec.strategy.blueGreen.activeService is \"s\": there is no such Service in namespace ns; create it, or \
         correct the name"
    );
    // A Service of that name for other pods: the message follows, although nothing else changed.
    world.put("a", service_of("ns", "s", "other", 0));
    world.settle();
    assert!(messages(&world, Reason::UnknownService)[0].contains("its selector is not satisfied"));
    world.put("a", service_of("ns", "s", "shop", 0));
    world.settle();
    assert_eq!(world.addresses("a", HOST), ["s.ns.svc.cluster.local"]);
    let [message] = &messages(&world, Reason::UnknownService)[..] else { panic!("one") };
    assert!(message.starts_with("spec.strategy.blueGreen.previewService is \"p\""), "{message}");

    world.put("a", rollout("ns", "shop", "shop", "stage", json!({"recreate": {}})));
    world.settle();
    assert_eq!(world.entry("a", HOST), None);
    let expected =
        "spec.strategy is {\"recreate\":{}}, which gives the Rollout no place in the mesh; use blueGreen or canary";
    assert_eq!(messages(&world, Reason::UnknownStrategy), [expected]);
}

#[test]
fn a_canary_without_istio_goes_by_the_names_of_services() {
    let chosen = |services: &[&str]| weights(&world(json!({"canary": {}}), services));
    assert_eq!(chosen(&["x", "y"]), ["y.ns null"], "the newest");
    assert_eq!(chosen(&["a-stable-service", "b-stable-service", "y"]), ["b-stable-service.ns null"]);
    assert_eq!(chosen(&["a-root-service", "a-stable-service", "y"]), ["a-root-service.ns null"]);
    assert_eq!(chosen(&["root-service-1", "y"]), ["root-service-1.ns null"]);
    let none = world(json!({"canary": {}}), &[]);
    assert_eq!(none.reasons(), ["Rollout ns/shop: NoMatchingService"]);
}

#[test]
fn a_canary_with_istio_follows_the_weights_of_its_route() {
    let mut world = world(istio_canary(&["main"]), &["s", "c"]);
    assert_eq!(weights(&world), ["s.ns null"]);
    assert_eq!(world.addresses("a", &format!("canary.{HOST}")), ["c.ns.svc.cluster.local"]);
    let entry = world.entry("a", &format!("canary.{HOST}")).unwrap();
    assert_eq!(entry["metadata"]["annotations"]["dns-prefix"], "canary");
    assert!(messages(&world, Reason::UnknownRoute)[0].contains("virtualService.name is \"vs\": there is no such"));

    world.put("a", routes(json!([route("other", 1, 99), route("main", 75, 25)])));
    world.settle();
    assert_eq!(weights(&world), ["c.ns 25", "s.ns 75"]);
    assert_eq!(world.reasons(), Vec::<String>::new());
    // A weight of 0 is no weight; the stable Service keeps the 1 that it starts with.
    world.put("a", routes(json!([route("main", 0, 100)])));
    world.settle();
    assert_eq!(weights(&world), ["c.ns 100", "s.ns 1"]);
    world.put("a", routes(json!([route("main", 100, 0)])));
    world.settle();
    assert_eq!(weights(&world), ["s.ns null"]);

    world.put("a", routes(json!([route("x", 50, 50)])));
    world.settle();
    assert_eq!(weights(&world), ["s.ns null"]);
    let message = &messages(&world, Reason::UnknownRoute)[0];
    assert!(message.contains("virtualService.routes[0] is \"main\"") && message.contains("\"x\""), "{message}");
    // Without a name the only route counts; of several none.
    world.put("a", rollout("ns", "shop", "shop", "stage", istio_canary(&[])));
    world.settle();
    assert_eq!(weights(&world), ["c.ns 50", "s.ns 50"]);
    world.put("a", routes(json!([route("x", 50, 50), route("y", 1, 1)])));
    world.settle();
    assert_eq!(weights(&world), ["s.ns null"]);
    assert!(messages(&world, Reason::UnknownRoute)[0].contains("has 2 http routes"));
    let key = key_of(&routes(json!([])));
    world.remove("a", &key);
    world.settle();
    assert_eq!(world.planner.conditions().len(), 1);
}

#[test]
fn without_the_canary_service_all_traffic_goes_to_the_stable_one() {
    let mut world = world(istio_canary(&[]), &["s"]);
    world.put("a", routes(json!([route("x", 50, 50)])));
    world.settle();
    assert_eq!(weights(&world), ["s.ns null"]);
    assert_eq!(world.entry("a", &format!("canary.{HOST}")), None);
    assert!(messages(&world, Reason::UnknownService)[0].starts_with("spec.strategy.canary.canaryService is \"c\""));
}

#[test]
fn a_deployment_and_a_rollout_behind_one_service_are_one_endpoint() {
    let mut world = world(json!({"canary": {}}), &["shop"]);
    world.put("a", deployment("ns", "shop", "shop", "stage"));
    world.settle();
    assert_eq!(weights(&world), ["shop.ns null"]);
    let kind = |world: &World| world.entry("a", HOST).unwrap()["spec"]["endpoints"][0]["labels"]["type"].clone();
    assert_eq!(kind(&world), "deployment");
    world.remove("a", &key_of(&deployment("ns", "shop", "shop", "stage")));
    world.settle();
    assert_eq!(kind(&world), "rollout");
    assert_eq!(world.reasons(), Vec::<String>::new());
}

#[test]
fn an_env_that_looks_like_a_canary_host_is_reported() {
    let mut world = world(istio_canary(&[]), &["s", "c"]);
    world.put("a", deployment("other", "d", "shop", "canary.stage"));
    world.put("a", service("other", "d"));
    world.settle();
    assert_eq!(world.addresses("a", &format!("canary.{HOST}")), ["d.other.svc.cluster.local"], "default hosts first");
    let message = &messages(&world, Reason::HostConflict)[0];
    assert!(message.contains("belongs to env \"canary.stage\" already"), "{message}");
}

#[test]
fn without_the_flag_rollouts_do_not_count() {
    let workload = crate::mesh::WorkloadSettings { argo_rollouts: false, ..crate::mesh::WorkloadSettings::default() };
    let settings = crate::mesh::MeshSettings { workload, ..crate::mesh::MeshSettings::default() };
    let mut world = World::with_options(&["a"], MeshOptions::new(settings).unwrap());
    world.put("a", rollout("ns", "shop", "shop", "stage", json!({"canary": {}})));
    world.put("a", service("ns", "shop"));
    world.settle();
    assert_eq!(world.entry("a", HOST), None);
}

#[test]
fn a_job_is_a_client_and_nothing_else() {
    let mut world = World::with_greeting();
    world.planner.add_cluster(&ClusterId::new("b"));
    world.put("b", node("b"));
    world.planner.set_synced(&origin("b"), true);
    world.put("control", dependency("r", "report", &["greeting"]));
    world.put("b", job("ns", "nightly", "report"));
    world.put("b", service("ns", "nightly"));
    world.settle();
    assert_eq!(
        world.istio_names("b").into_iter().collect::<Vec<_>>(),
        ["stage.greeting.global-default-dr", "stage.greeting.global-se"]
    );
    assert_eq!(world.reasons(), Vec::<String>::new(), "no Service, gateway or region is missed");
    let mut hidden = job("ns", "nightly", "report");
    hidden["spec"]["template"]["metadata"]["annotations"]["admiral.io/ignore"] = json!("true");
    world.put("b", hidden);
    world.settle();
    assert!(world.istio_names("b").is_empty());
}

#[test]
fn jobs_count_only_where_the_flags_say() {
    let names = |workload: crate::mesh::WorkloadSettings| {
        let settings = crate::mesh::MeshSettings { workload, ..crate::mesh::MeshSettings::default() };
        let mut world = World::with_options(&["a", "b", "c"], MeshOptions::new(settings).unwrap());
        world.put("a", deployment("ns", "shop", "shop", "stage"));
        world.put("a", service("ns", "shop"));
        world.put("control", dependency("r", "report", &["shop"]));
        for cluster in ["b", "c"] {
            world.put(cluster, job("ns", "nightly", "report"));
        }
        world.settle();
        ["b", "c"].map(|cluster| world.istio_names(cluster).len())
    };
    let settings = crate::mesh::WorkloadSettings::default();
    assert_eq!(names(settings.clone()), [2, 2]);
    let only = BTreeSet::from(["c".to_owned()]);
    assert_eq!(names(crate::mesh::WorkloadSettings { client_discovery_clusters: only, ..settings.clone() }), [0, 2]);
    assert_eq!(names(crate::mesh::WorkloadSettings { client_discovery: false, ..settings }), [0, 0]);
}
