//! Optional objects: EnvoyFilters of RoutingPolicies, Sidecars, copies of customers' objects, further hosts, routes at
//! gateways.

mod copies;

use super::*;
use crate::mesh::{MeshSettings, RoutingSettings};

fn options(change: impl FnOnce(&mut RoutingSettings)) -> MeshOptions {
    let mut settings = MeshSettings::default();
    settings.entry.san_prefix = "prod.example.com".into();
    change(&mut settings.routing);
    MeshOptions::new(settings).unwrap()
}

/// Everything that can be asked for.
pub(super) fn all() -> MeshOptions {
    options(|routing| {
        routing.copy_customer_routing = true;
        routing.additional_suffixes = vec!["intuit".into(), "svc.example.com".into()];
        routing.additional_label_filters = BTreeSet::from(["extra".to_owned()]);
        routing.sidecar_update = true;
        routing.routing_policy = true;
        routing.routing_policy_clusters = BTreeSet::from(["*".to_owned()]);
        routing.envoy_filter_versions = vec!["1.20".into()];
        routing.ingress_routing = true;
        routing.ingress_gateways = vec!["istio-system/passthrough".into()];
    })
}

/// Clusters `a` (runs `greeting`), `b` (empty) and `c` (runs its client `web`).
fn world(options: MeshOptions) -> World {
    let mut world = World::with_options(&["a", "b", "c"], options);
    world.put("a", deployment("ns", "greeting", "greeting", "stage"));
    world.put("a", service("ns", "greeting"));
    world.put("c", deployment("client", "web", "web", "stage"));
    world.put("c", service("client", "web"));
    world.put("control", dependency("web", "web", &["greeting"]));
    world
}

fn key(kind: Kind, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey::new(kind, namespace, name)
}

pub(super) fn policy(name: &str, identity: &str, hosts: &[&str]) -> Value {
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "RoutingPolicy",
        "metadata": {"name": name, "namespace": "ns", "labels": {"identity": identity}, "creationTimestamp":
            "2024-01-01T00:00:00Z"}, "spec": {"plugin": "P", "hosts": hosts, "config": {"k": "v"}}})
}

pub(super) fn customers(kind: Kind, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "networking.istio.io/v1", "kind": kind.name(), "metadata": {"name": name, "namespace": "ns",
        "creationTimestamp": "2024-01-01T00:00:00Z", "labels": {"team": "x"}}, "spec": spec})
}

fn routes(host: &str, destination: &str) -> Value {
    json!({"hosts": [host], "http": [{"route": [{"destination": {"host": destination, "port": {"number": 8080}}}]}]})
}

pub(super) fn sidecar(namespace: &str, hosts: &[&str]) -> Value {
    json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "Sidecar", "metadata": {"name": "default",
        "namespace": namespace, "labels": {"keep": "me"}}, "spec": {"egress": [{"hosts": hosts}, {"hosts": ["x/*"]}],
        "outboundTrafficPolicy": {"mode": "ALLOW_ANY"}}})
}

fn egress(world: &World) -> Vec<String> {
    let object = world.get("c", &key(Kind::Sidecar, "client", "default")).unwrap();
    serde_json::from_value(object["spec"]["egress"][0]["hosts"].clone()).unwrap()
}

#[test]
fn envoy_filters_follow_policy_client_and_dependency() {
    let mut world = world(all());
    world.put("a", policy("p", "greeting", &["stage.greeting.global"]));
    world.settle();
    let filters = |world: &World, cluster| world.names(cluster, Kind::EnvoyFilter);
    assert_eq!((filters(&world, "a").len(), filters(&world, "c").len()), (0, 1));
    // The policy may come from anywhere: where its identity has no workload too.
    world.remove("a", &key(Kind::RoutingPolicy, "ns", "p"));
    world.settle();
    assert!(filters(&world, "c").is_empty());
    world.put("b", policy("p", "greeting", &["stage.greeting.global"]));
    world.settle();
    assert_eq!(filters(&world, "c").len(), 1);
    world.put("b", deployment("ns", "web", "web", "prod"));
    world.settle();
    assert_eq!((filters(&world, "b"), filters(&world, "b").len()), (filters(&world, "c"), 1));
    world.put("control", dependency("web", "web", &["other"]));
    world.settle();
    assert!(filters(&world, "b").is_empty() && filters(&world, "c").is_empty());
}

#[test]
fn of_two_policies_under_one_name_the_older_wins_and_filters_of_others_stay() {
    let mut world = world(all());
    let mut younger = policy("p", "greeting", &["b"]);
    younger["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    world.put("a", younger);
    world.put("b", policy("p", "greeting", &["a"]));
    let filter = |name: &str, annotations: Value| {
        json!({"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter", "metadata": {"name": name,
            "namespace": "istio-system", "annotations": annotations}, "spec": {}})
    };
    let made_of = json!({marks::ROUTING_POLICY_NAME: "gone", marks::ROUTING_POLICY_IDENTITY: "greeting"});
    world.put("a", filter("p-dr-0123-4567-1.20", made_of));
    world.put("a", filter("theirs", json!({})));
    world.put("a", filter("theirs-dr-1", json!({marks::CREATED_BY: "admiral"})));
    world.settle();
    assert_eq!(world.names("a", Kind::EnvoyFilter), ["theirs", "theirs-dr-1"], "the one of no policy goes");
    assert_eq!(world.reasons(), ["RoutingPolicy ns/p: PolicyConflict"]);
    let name = world.names("c", Kind::EnvoyFilter).remove(0);
    // Somebody else's object of that very name is left alone.
    world.put("c", filter(&name, json!({})));
    world.settle();
    assert!(world.reasons().contains(&format!("EnvoyFilter istio-system/{name}: ForeignObject")));
}

#[test]
fn the_older_policy_wins_wherever_it_is() {
    for (older, younger) in [("a", "b"), ("b", "a")] {
        let mut world = world(all());
        world.put(older, policy("p", "greeting", &["old"]));
        let mut newer = policy("p", "greeting", &["new"]);
        newer["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
        world.put(younger, newer);
        world.settle();
        let name = world.names("c", Kind::EnvoyFilter).remove(0);
        let made = world.get("c", &key(Kind::EnvoyFilter, "istio-system", &name)).unwrap();
        assert!(made.to_string().contains("hosts: old"), "{older}: {made}");
    }
}

#[test]
fn a_sidecar_is_merged_into_and_cleaned_of_what_was_added() {
    let mut world = world(all());
    world.put("c", sidecar("client", &["istio-system/*"]));
    world.settle();
    assert_eq!(egress(&world), ["istio-system/*"], "the server is in another cluster");
    world.put("c", deployment("ns", "greeting", "greeting", "stage"));
    world.put("c", service("ns", "greeting"));
    world.settle();
    assert_eq!(egress(&world), ["istio-system/*", "ns/greeting.ns.svc.cluster.local"]);
    let key = key(Kind::Sidecar, "client", "default");
    let merged = world.get("c", &key).unwrap();
    assert_eq!(merged["metadata"]["labels"], json!({"keep": "me"}));
    assert_eq!(merged["spec"]["egress"][1], json!({"hosts": ["x/*"]}));
    assert_eq!(merged["spec"]["outboundTrafficPolicy"], json!({"mode": "ALLOW_ANY"}));
    // Its owner applies it again, with a host that another Flagship host would have been.
    let mut again = sidecar("client", &["istio-system/*", "ns/other.ns.svc.cluster.local"]);
    again["metadata"]["annotations"] = merged["metadata"]["annotations"].clone();
    world.put("c", again);
    world.settle();
    assert_eq!(egress(&world).len(), 3);
    world.put("control", dependency("web", "web", &[]));
    world.settle();
    assert_eq!(egress(&world), ["istio-system/*", "ns/other.ns.svc.cluster.local"]);
    let mut expected = sidecar("client", &["istio-system/*", "ns/other.ns.svc.cluster.local"]);
    let mut clean = world.get("c", &key).unwrap();
    for object in [&mut expected, &mut clean] {
        object["metadata"] = json!({"labels": object["metadata"]["labels"], "record":
            object["metadata"]["annotations"].get(marks::EGRESS_HOSTS)});
    }
    assert_eq!(clean, expected, "as its owner wrote it");
}

#[test]
fn a_sidecar_that_is_ignored_or_has_no_egress_is_left_alone() {
    for change in [json!({"metadata": {"annotations": {marks::IGNORE: "true"}}}), json!({"spec": {"egress": null}})] {
        let mut world = world(all());
        let mut object = sidecar("client", &["istio-system/*"]);
        for (part, fields) in change.as_object().unwrap() {
            let fields = fields.as_object().unwrap().clone();
            object[part].as_object_mut().unwrap().extend(fields);
        }
        world.put("c", object.clone());
        world.put("c", deployment("ns", "greeting", "greeting", "stage"));
        world.put("c", service("ns", "greeting"));
        world.settle();
        let kept = world.get("c", &key(Kind::Sidecar, "client", "default")).unwrap();
        assert_eq!(kept["spec"], object["spec"]);
    }
}

#[test]
fn nothing_is_taken_out_of_a_sidecar_while_a_cluster_is_unknown_or_the_identity_excluded() {
    let mut world = world(all());
    world.put("c", sidecar("client", &["istio-system/*"]));
    world.put("c", deployment("ns", "greeting", "greeting", "stage"));
    world.put("c", service("ns", "greeting"));
    world.settle();
    let before = egress(&world);
    world.planner.add_cluster(&ClusterId::new("late"));
    world.put("control", dependency("web", "web", &[]));
    world.settle();
    assert_eq!(egress(&world), before);
    world.planner.set_synced(&origin("late"), true);
    world.settle();
    assert_eq!(egress(&world), ["istio-system/*"]);
}

#[test]
fn further_hosts_follow_the_label_of_a_workload_or_of_its_client() {
    let mut world = world(all());
    world.settle();
    assert!(world.names("c", Kind::VirtualService).iter().all(|name| name.ends_with("-routing-vs")));
    let further = key(Kind::VirtualService, "admiral-sync", "stage.greeting.intuit-vs");
    let mut client = deployment("client", "web", "web", "stage");
    client["metadata"]["labels"] = json!({"extra": ""});
    world.put("c", client);
    world.settle();
    for cluster in ["a", "c"] {
        let made = world.get(cluster, &further).unwrap();
        assert_eq!(made["spec"]["hosts"], json!(["stage.greeting.intuit", "stage.greeting.svc.example.com"]));
    }
    world.put("c", deployment("client", "web", "web", "stage"));
    world.settle();
    assert!(world.get("a", &further).is_none() && world.get("c", &further).is_none());
}

#[test]
fn further_hosts_under_a_suffix_that_is_given_up_go() {
    let label = |routing: &mut RoutingSettings| routing.additional_label_filters = BTreeSet::from(["*".to_owned()]);
    let mut world = world(options(|routing| {
        label(routing);
        routing.additional_suffixes = vec!["old".into()];
    }));
    world.settle();
    let old = key(Kind::VirtualService, "admiral-sync", "stage.greeting.old-vs");
    assert!(world.get("c", &old).is_some());
    world.restart(options(|routing| {
        label(routing);
        routing.additional_suffixes = vec!["new".into()];
    }));
    world.settle();
    assert_eq!(world.get("c", &old), None);
    assert!(world.get("c", &key(Kind::VirtualService, "admiral-sync", "stage.greeting.new-vs")).is_some());
}

#[test]
fn identities_of_one_namespace_share_its_rule_at_the_gateway() {
    let mut world = world(all());
    world.put("a", deployment("ns", "pay", "Pay", "stage"));
    world.put("a", service("ns", "pay"));
    world.settle();
    let rule = key(Kind::DestinationRule, "istio-system", "ns.svc.cluster.local-routing-dr");
    let trusted = |world: &World| {
        let rule = world.get("a", &rule).unwrap();
        rule.pointer("/spec/trafficPolicy/tls/subjectAltNames").cloned().unwrap_or_default()
    };
    assert_eq!(trusted(&world), json!(["spiffe://prod.example.com/Pay", "spiffe://prod.example.com/greeting"]));
    assert_eq!(world.names("c", Kind::VirtualService), ["stage.web.global-routing-vs"], "only where it runs");
    world.remove("a", &key(Kind::Deployment, "ns", "greeting"));
    world.settle();
    assert_eq!(trusted(&world), json!(["spiffe://prod.example.com/Pay"]));
    world.remove("a", &key(Kind::Deployment, "ns", "pay"));
    world.settle();
    assert_eq!(world.get("a", &rule), None);
    assert!(world.names("a", Kind::VirtualService).is_empty());
}

#[test]
fn routes_and_names_that_may_be_due_to_an_unknown_cluster_stay_until_it_is_known() {
    let mut world = world(all());
    world.settle();
    let routes = key(Kind::VirtualService, "istio-system", "stage.greeting.global-routing-vs");
    let rule = key(Kind::DestinationRule, "istio-system", "ns.svc.cluster.local-routing-dr");
    world.planner.add_cluster(&ClusterId::new("late"));
    let sni = "outbound_.80_._.west.stage.greeting.global";
    let mut object = world.get("a", &routes).unwrap();
    object["spec"]["hosts"].as_array_mut().unwrap().push(json!(sni));
    let route = json!({"match": [{"port": 15443, "sniHosts": [sni]}], "route": [{"destination": {"host": "h"}}]});
    object["spec"]["tls"].as_array_mut().unwrap().push(route);
    world.put("a", object);
    let mut object = world.get("a", &rule).unwrap();
    let trusted = json!(["spiffe://prod.example.com/greeting", "spiffe://prod.example.com/west"]);
    object["spec"]["trafficPolicy"]["tls"]["subjectAltNames"] = trusted;
    world.put("a", object);
    let mut changed = service("ns", "greeting");
    changed["spec"]["ports"][0]["port"] = json!(81);
    world.put("a", changed);
    world.settle();
    let text = |world: &World, key| world.get("a", key).unwrap().to_string();
    assert!(text(&world, &routes).contains(sni) && text(&world, &routes).contains("\"number\":81"));
    assert!(text(&world, &rule).contains("/west"));
    world.planner.set_synced(&origin("late"), true);
    world.settle();
    assert!(!text(&world, &routes).contains(sni) && !text(&world, &rule).contains("/west"));
}

#[test]
fn excluded_identities_keep_their_optional_objects() {
    let mut world = world(all());
    world.put("a", policy("p", "greeting", &["stage.greeting.global"]));
    world.put("c", sidecar("client", &["istio-system/*"]));
    world.put("c", deployment("ns", "greeting", "greeting", "stage"));
    world.put("c", service("ns", "greeting"));
    world.put("a", customers(Kind::VirtualService, "vs", routes("stage.greeting.global", "greeting")));
    world.settle();
    let before = world.objects();
    let mut settings = MeshSettings::clone(&all());
    settings.excluded_identity_list = BTreeSet::from(["greeting".to_owned()]);
    world.restart(MeshOptions::new(settings).unwrap());
    world.put("control", dependency("web", "web", &[]));
    world.settle();
    let record = key(Kind::Dependency, "admiral", "web");
    let others = |objects: BTreeMap<(String, ObjectKey), Value>| {
        objects.into_iter().filter(|((_, key), _)| *key != record).collect::<Vec<_>>()
    };
    assert_eq!(others(world.objects()), others(before));
}
