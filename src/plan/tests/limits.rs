//! Ejection, limits of connections, and who sees a host.

use super::policies::{failover, mesh, options, policy, rule, run};
use super::*;

fn ejection(world: &World, cluster: &str) -> Value {
    rule(world, cluster, "stage.greeting.global-default-dr")["spec"]["trafficPolicy"]["outlierDetection"].clone()
}

fn detection(name: &str, created: &str, config: Value) -> Value {
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "OutlierDetection",
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": created},
        "spec": {"selector": {"identity": "greeting", "env": "stage"}, "outlier_config": config}})
}

#[test]
fn ejection_is_by_the_resource_then_the_policy_then_the_default() {
    let mut world = mesh(&["a", "b"], MeshOptions::default());
    let mut entry = failover("default", &[("a", 100)]);
    entry["outlier_detection"] = json!({"base_ejection_time": 9, "consecutive_gateway_errors": 0});
    world.put("a", policy("g", json!([entry])));
    world.settle();
    let seen = ejection(&world, "b");
    assert_eq!((&seen["baseEjectionTime"], &seen["consecutiveGatewayErrors"]), (&json!("9s"), &json!(50)));
    world.put("a", detection("old", "2020-01-01T00:00:00Z", json!({"interval": 5})));
    let newer = json!({"base_ejection_time": 7, "consecutive_gateway_errors": 0, "interval": 3});
    world.put("b", detection("new", "2021-01-01T00:00:00Z", newer));
    world.settle();
    assert_eq!(
        ejection(&world, "a"),
        json!({"baseEjectionTime": "7s", "consecutive5xxErrors": 0, "consecutiveGatewayErrors": 0, "interval": "3s",
            "maxEjectionPercent": 100})
    );
    assert_eq!(world.reasons(), ["OutlierDetection ns/old: PolicyWithoutEffect"]);
    world.remove("b", &key_of(&detection("new", "", json!({}))));
    world.settle();
    assert_eq!(ejection(&world, "a")["baseEjectionTime"], "300s", "absent times stay the default");
}

#[test]
fn limits_of_connections_only_where_they_are_asked_for() {
    let config = json!({"apiVersion": "admiral.io/v1alpha1", "kind": "ClientConnectionConfig",
        "metadata": {"name": "c", "namespace": "ns", "labels": {"identity": "greeting", "env": "stage"}},
        "spec": {"connectionPool": {"http": {"maxRequestsPerConnection": 5}, "tcp": {"maxConnectionDuration": "1.5s"}}}});
    let pool = |world: &World| {
        rule(world, "a", "stage.greeting.global-default-dr")["spec"]["trafficPolicy"]["connectionPool"].clone()
    };
    let mut world = mesh(&["a"], MeshOptions::default());
    world.put("a", config.clone());
    world.settle();
    assert_eq!(pool(&world), json!({"http": {"maxRequestsPerConnection": 100}}));
    let mut world = mesh(&["a"], options(|s| s.policy.client_connection_config = true));
    world.put("a", config);
    world.settle();
    assert_eq!(
        pool(&world),
        json!({"http": {"maxRequestsPerConnection": 5}, "tcp": {"maxConnectionDuration": "1.500s"}})
    );
}

/// Reconcile-spec W5.
#[test]
fn objects_are_exported_to_clients_up_to_a_limit() {
    let exported = |limit: u32, list: &str| {
        let mut world = World::with_options(
            &["a", "b"],
            options(|s| {
                s.entry.export_to_clients = true;
                s.entry.export_max_namespaces = limit;
                s.entry.export_identities = BTreeSet::from([list.to_owned()]);
            }),
        );
        run(&mut world, "a", "2024-01-01T00:00:00Z");
        world.put("control", dependency("d", "web", &["greeting"]));
        for namespace in ["z", "y"] {
            world.put("a", deployment(namespace, "web", "web", "stage"));
            world.put("b", deployment(namespace, "web", "web", "stage"));
        }
        world.settle();
        let of = |cluster: &str| world.entry(cluster, "stage.greeting.global").unwrap()["spec"]["exportTo"].clone();
        assert_eq!(of("a"), rule(&world, "a", "stage.greeting.global-default-dr")["spec"]["exportTo"]);
        (of("a"), of("b"))
    };
    assert_eq!(exported(35, "*"), (json!(["istio-system", "ns", "y", "z"]), json!(["y", "z"])));
    assert_eq!(exported(4, "GREET"), (json!(["istio-system", "ns", "y", "z"]), json!(["y", "z"])));
    assert_eq!(exported(3, "*"), (json!(["*"]), json!(["y", "z"])));
    assert_eq!(exported(35, "other"), (Value::Null, Value::Null));
}
