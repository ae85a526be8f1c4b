//! Properties of every mesh that can be made of a few names.

use super::*;
use crate::mesh::MeshSettings;
use proptest::prelude::*;

/// Something that a user does.
#[derive(Clone, Debug)]
enum Act {
    Put(&'static str, Value),
    Remove(&'static str, ObjectKey),
}

fn cluster() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c"])
}

fn put() -> impl Strategy<Value = Act> {
    let identity = prop::sample::select(vec!["shop", "Shop", "pay", "web", "b.c", "c", "bad_name"]);
    let env = prop::sample::select(vec!["stage", "prod", "a", "a.b"]);
    let name = prop::sample::select(vec!["d0", "d1", "d2", "d3"]);
    let year = 2020..2024u32;
    let workload = (cluster(), name.clone(), identity.clone(), env, year.clone(), any::<bool>()).prop_map(
        |(cluster, name, identity, env, year, ignored)| {
            let mut object = deployment("ns", name, identity, env);
            object["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
            object["metadata"]["annotations"] = json!({"admiral.io/ignore": ignored.to_string()});
            object["metadata"]["labels"] = if year == 2020 { json!({"extra": ""}) } else { json!({}) };
            Act::Put(cluster, object)
        },
    );
    let port = prop::sample::select(vec!["http", "grpc", "tcp"]);
    let rollout = (cluster(), name.clone(), identity.clone(), strategy(), year.clone()).prop_map(
        |(cluster, name, identity, strategy, year)| {
            let mut object = rollout("ns", name, identity, "stage", strategy);
            object["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
            Act::Put(cluster, object)
        },
    );
    let job = (cluster(), name.clone(), identity.clone())
        .prop_map(|(cluster, name, identity)| Act::Put(cluster, job("ns", name, identity)));
    let weight = prop::sample::select(vec![0, 1, 30]);
    let route = (prop::sample::select(vec!["main", "other"]), weight.clone(), weight).prop_map(|(name, s, c)| {
        json!({"name": name, "route": [{"destination": {"host": "d0"}, "weight": s},
            {"destination": {"host": "d1.ns.svc"}, "weight": c}]})
    });
    let routes = (cluster(), prop::collection::vec(route, 0..3)).prop_map(|(cluster, http)| {
        let object = json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "VirtualService",
            "metadata": {"name": "vs", "namespace": "ns"}, "spec": {"hosts": ["x"], "http": http}});
        Act::Put(cluster, object)
    });
    let app = prop_oneof![3 => Just(None), 1 => name.clone().prop_map(Some)];
    let service = (cluster(), name, app, port, year).prop_map(|(cluster, name, app, port, year)| {
        let mut object = service("ns", name);
        object["spec"]["selector"]["app"] = json!(app.unwrap_or(name));
        object["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
        object["spec"]["ports"][0]["name"] = json!(port);
        Act::Put(cluster, object)
    });
    let record = (prop::sample::select(vec!["r0", "r1"]), identity.clone(), identity)
        .prop_map(|(name, from, to)| Act::Put("control", dependency(name, from, &[to, "shop"])));
    let gateway = (cluster(), prop::sample::select(vec!["x.lb", "y.lb", ""]))
        .prop_map(|(cluster, host)| Act::Put(cluster, gateway(host)));
    let region = (cluster(), prop::sample::select(vec!["east", "west", ""])).prop_map(|(c, r)| Act::Put(c, node(r)));
    prop_oneof![
        5 => workload, 4 => rollout, 6 => service, 2 => routes, 1 => job, 2 => record, 1 => gateway, 1 => region,
        4 => optional(), 3 => policy()
    ]
}

/// What optional objects are made from.
fn optional() -> impl Strategy<Value = Act> {
    let name = || prop::sample::select(vec!["o0", "o1", "stage.shop.global-default-dr"]);
    let host =
        || prop::sample::select(vec!["stage.shop.global", "prod.Shop.global", "stage.none.global", "x.example.com"]);
    let year = || 2020..2024u32;
    let identity = prop::sample::select(vec!["shop", "Shop", "pay", "none"]);
    let policy = (cluster(), name(), identity, host(), year()).prop_map(|(cluster, name, identity, host, year)| {
        let mut object = routing::policy(name, identity, &[host]);
        object["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
        Act::Put(cluster, object)
    });
    let customers =
        (cluster(), name(), host(), year(), any::<bool>()).prop_map(|(cluster, name, host, year, is_rule)| {
            let (kind, spec) = match is_rule {
                true => (Kind::DestinationRule, json!({"host": host})),
                false => (
                    Kind::VirtualService,
                    json!({"hosts": [host], "http": [{"route": [{"destination": {"host": "d0"}}]}]}),
                ),
            };
            let mut object = routing::customers(kind, name, spec);
            object["metadata"]["creationTimestamp"] = json!(format!("{year}-01-01T00:00:00Z"));
            Act::Put(cluster, object)
        });
    let sidecar = (cluster(), any::<bool>()).prop_map(|(cluster, with_ours)| {
        let hosts = ["istio-system/*", "ns/d0.ns.svc.cluster.local"];
        Act::Put(cluster, routing::sidecar("ns", if with_ours { &hosts } else { hosts.get(..1).unwrap() }))
    });
    prop_oneof![2 => policy, 3 => customers, 1 => sidecar]
}

/// What users wrote last of the Sidecars that are there.
fn sidecars(acts: &[Act]) -> BTreeMap<&'static str, Value> {
    let mut last = BTreeMap::new();
    for act in acts {
        match act {
            Act::Put(cluster, object) if object["kind"] == "Sidecar" => {
                last.insert(*cluster, object["spec"].clone());
            }
            Act::Remove(cluster, key) if key.kind == Kind::Sidecar => drop(last.remove(cluster)),
            _ => {}
        }
    }
    last
}

fn strategy() -> impl Strategy<Value = Value> {
    let name = || prop::sample::select(vec!["", "d0", "d1", "d2"]);
    let route = prop::sample::select(vec![json!([]), json!(["main"])]);
    let blue_green = (name(), name())
        .prop_map(|(active, preview)| json!({"blueGreen": {"activeService": active, "previewService": preview}}));
    let istio = (name(), name(), route).prop_map(|(stable, canary, routes)| {
        json!({"canary": {"stableService": stable, "canaryService": canary,
            "trafficRouting": {"istio": {"virtualService": {"name": "vs", "routes": routes}}}}})
    });
    prop_oneof![3 => blue_green, 4 => istio, 1 => Just(json!({"canary": {}})), 1 => Just(json!({"recreate": {}}))]
}

/// A GlobalTrafficPolicy, sound or not, an OutlierDetection or a ClientConnectionConfig.
fn policy() -> impl Strategy<Value = Act> {
    let failover = |prefix: &str, weights: [u32; 2]| {
        json!({"dnsPrefix": prefix, "lbType": 1, "target": [{"region": "east", "weight": weights[0]},
            {"region": "west", "weight": weights[1]}]})
    };
    let specs = vec![
        json!({"policy": [failover("default", [100, 0]), failover("west", [0, 100])]}),
        json!({"policy": [failover("stage", [60, 40]), {"dnsPrefix": "a"}, {"dnsPrefix": "a", "lbType": "FAILOVER"}]}),
        json!({"policy": [failover("default", [60, 60]), failover("west", [100, 0]), {"dnsPrefix": ""}]}),
        json!({"policy": [{"dnsPrefix": "default", "outlier_detection": {"interval": 7}}]}),
        json!({"outlier_config": {"base_ejection_time": 0, "interval": 7}}),
        json!({"connectionPool": {"http": {"idleTimeout": "soon", "http2MaxRequests": 9}}}),
    ];
    let kinds = ["GlobalTrafficPolicy", "OutlierDetection", "ClientConnectionConfig"];
    let kind_of = move |spec: &Value| {
        let fields = ["policy", "outlier_config", "connectionPool"];
        fields.iter().position(|field| spec.get(field).is_some()).map(|at| kinds[at]).unwrap()
    };
    let identity = prop::sample::select(vec!["shop", "Shop", "web", "c"]);
    let env = prop::sample::select(vec!["stage", "a", "a.b"]);
    let age = (0..3u32, 2020..2023u32);
    (cluster(), prop::sample::select(vec!["p0", "p1"]), identity, env, age, prop::sample::select(specs)).prop_map(
        move |(cluster, name, identity, env, (priority, year), spec)| {
            Act::Put(
                cluster,
                json!({"apiVersion": "admiral.io/v1alpha1", "kind": kind_of(&spec), "spec": spec, "metadata": {
                    "name": name, "namespace": "ns", "creationTimestamp": format!("{year}-01-01T00:00:00Z"),
                    "labels": {"identity": identity, "env": env, "priority": priority.to_string()}}}),
            )
        },
    )
}

/// With and without the default that depends on what is observed.
fn options(active_passive: bool) -> MeshOptions {
    let mut settings = MeshSettings::clone(&routing::all());
    settings.entry.export_to_clients = active_passive;
    settings.policy.active_passive = active_passive;
    settings.policy.client_connection_config = true;
    MeshOptions::new(settings).unwrap()
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => put(),
        1 => put().prop_map(|act| match act {
            Act::Put(cluster, object) => Act::Remove(cluster, key_of(&object)),
            remove => remove,
        }),
    ]
}

fn perform(world: &mut World, act: &Act) {
    match act {
        Act::Put(cluster, object) => world.put(cluster, object.clone()),
        Act::Remove(cluster, key) if world.get(cluster, key).is_some() => world.remove(cluster, key),
        Act::Remove(..) => {}
    }
}

/// What is desired, what people are told, and what is pending.
type End = (BTreeMap<ClusterId, BTreeMap<ObjectKey, Compact>>, Vec<Condition>, Vec<Change>);

/// The end state of an instance that starts now and reads everything in the given order.
fn seen_in(order: &[((String, ObjectKey), Value)], active_passive: bool) -> End {
    let mut planner = Planner::new(options(active_passive));
    for cluster in ["a", "b", "c"] {
        planner.add_cluster(&ClusterId::new(cluster));
    }
    for (i, ((cluster, _), object)) in order.iter().enumerate() {
        planner.apply(&origin(cluster), object).unwrap();
        if i % 7 == 0 {
            planner.plan(NOW);
        }
    }
    for cluster in ["c", "control", "a", "b"] {
        planner.set_synced(&origin(cluster), true);
    }
    planner.plan(NOW);
    (
        planner.desired.clone(),
        planner.conditions(),
        planner.clusters().iter().flat_map(|view| planner.changes(&view.id).collect::<Vec<_>>()).collect(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// `settle` itself asserts that the plan ends and that a second plan is empty.
    #[test]
    fn the_order_of_events_never_matters(
        acts in prop::collection::vec(act(), 1..60), seed in any::<u64>(), active_passive in any::<bool>(),
    ) {
        let mut world = World::with_options(&["a", "b", "c"], options(active_passive));
        for (i, act) in acts.iter().enumerate() {
            perform(&mut world, act);
            if i % 5 == 0 {
                world.settle();
            }
        }
        world.settle();
        let live = (world.planner.desired.clone(), world.planner.conditions());
        let mut objects: Vec<_> = world.objects().into_iter().collect();
        let forward = seen_in(&objects, active_passive);
        // A shuffle that needs no randomness of its own.
        objects.sort_by_key(|((cluster, key), _)| {
            let text = format!("{seed}{cluster}{key}");
            text.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        });
        let shuffled = seen_in(&objects, active_passive);
        prop_assert_eq!(&forward, &shuffled);
        prop_assert!(forward.2.is_empty(), "a restarted instance finds nothing to do: {:#?}", forward.2);
        prop_assert_eq!((forward.0, forward.1), live);
    }

    #[test]
    fn removing_everything_leaves_nothing_behind(
        acts in prop::collection::vec(act(), 1..40), active_passive in any::<bool>(),
    ) {
        let mut world = World::with_options(&["a", "b", "c"], options(active_passive));
        for act in &acts {
            perform(&mut world, act);
        }
        world.settle();
        let written = [Kind::VirtualService, Kind::DestinationRule];
        let workloads = [Kind::Deployment, Kind::Rollout, Kind::Job];
        let read = [Kind::Service, Kind::Dependency, Kind::RoutingPolicy, Kind::GlobalTrafficPolicy,
            Kind::OutlierDetection, Kind::ClientConnectionConfig];
        let user_made = |key: &ObjectKey| {
            let is_read = workloads.contains(&key.kind) || read.contains(&key.kind);
            match key.namespace.as_str() {
                "ns" => written.contains(&key.kind) || is_read,
                namespace => namespace != "istio-system" && is_read,
            }
        };
        for ((cluster, key), _) in world.objects() {
            if user_made(&key) {
                world.remove(&cluster, &key);
            }
        }
        for cluster in ["a", "b", "c"] {
            world.put(cluster, node("region"));
        }
        world.settle();
        for cluster in ["a", "b", "c"] {
            prop_assert!(world.istio_names(cluster).is_empty());
            let sidecar = world.get(cluster, &ObjectKey::new(Kind::Sidecar, "ns", "default"));
            let record = sidecar.as_ref().and_then(|object| marks::annotation(object, marks::EGRESS_HOSTS));
            prop_assert_eq!(record, None);
            prop_assert_eq!(sidecar.map(|object| object["spec"].clone()), sidecars(&acts).remove(cluster));
        }
        prop_assert!(world.planner.conditions().is_empty());
    }
}
