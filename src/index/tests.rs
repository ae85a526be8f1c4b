//! The fold of every kind, with good and bad objects.

use super::*;
use serde_json::json;

fn index() -> Index {
    let mut index = Index::new(Arc::new(MeshOptions::default()));
    index.add_cluster(&cluster());
    index
}

fn cluster() -> ClusterId {
    ClusterId::new("a")
}

fn origin() -> Origin {
    Origin::Cluster(cluster())
}

fn deployment(name: &str, identity: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "ns"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {
            "labels": {"app": name, "identity": identity},
            "annotations": {"sidecar.istio.io/inject": "true", "admiral.io/env": "stage"}}}}})
}

fn service(name: &str, app: &str, created: &str, ports: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": created},
        "spec": {"selector": {"app": app}, "ports": ports}})
}

#[test]
fn an_event_touches_the_identities_that_it_concerns() {
    let mut index = index();
    let touched = index.apply(&origin(), &deployment("d", "Shop")).unwrap();
    assert_eq!(touched, Touched::identities(["shop"]));
    assert!(index.apply(&origin(), &deployment("d", "Shop")).unwrap().is_none(), "nothing changed");
    let touched = index.apply(&origin(), &service("s", "d", "2024-01-01T00:00:00Z", json!([{"port": 80}]))).unwrap();
    assert_eq!(touched, Touched::identities(["shop"]));
    let touched =
        index.apply(&origin(), &service("t", "other", "2024-01-01T00:00:00Z", json!([{"port": 80}]))).unwrap();
    assert!(touched.is_none());
    let record = json!({"apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
        "metadata": {"name": "x", "namespace": "admiral"}, "spec": {"source": "Shop", "destinations": ["Pay"]}});
    assert_eq!(index.apply(&Origin::Control, &record).unwrap(), Touched::identities(["pay"]));
    assert!(index.client_clusters("Pay").contains(&cluster()) && index.client_clusters("pay").is_empty());
    index.apply(&origin(), &deployment("d", "shop")).unwrap();
    assert!(index.client_clusters("Pay").is_empty(), "the record says Shop, byte for byte");
    index.apply(&origin(), &deployment("d", "Shop")).unwrap();
    // A client that goes away touches what it called.
    let key = ObjectKey::new(Kind::Deployment, "ns", "d");
    assert_eq!(index.delete(&origin(), &key), Touched::identities(["shop", "pay"]));
    assert_eq!(index.identities().count(), 0);
}

#[test]
fn a_bad_version_is_reported_and_the_previous_one_stays_in_force() {
    let mut index = index();
    index.apply(&origin(), &deployment("d", "shop")).unwrap();
    let mut bad = deployment("d", "shop");
    bad["spec"]["template"]["metadata"]["labels"]["identity"] = json!(7);
    let error = index.apply(&origin(), &bad).unwrap_err();
    assert_eq!(error.to_string(), "spec.template.metadata.labels[\"identity\"] is 7, but must be a string");
    assert_eq!(index.workloads("shop").count(), 1);
    let conditions = index.conditions();
    assert_eq!(conditions.len(), 1, "a cluster that is not synced reports only bad objects");
    assert!(conditions[0].message.contains("previous version stays in force"), "{}", conditions[0].message);
}

#[test]
fn every_used_field_of_a_wrong_type_is_an_error() {
    let mut index = index();
    let ports = json!([{"port": 80}]);
    let service = service("s", "d", "2024-01-01T00:00:00Z", ports);
    let record = json!({"apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
        "metadata": {"name": "x", "namespace": "admiral"}, "spec": {"source": "s", "destinations": ["d"]}});
    let mut gateway = service.clone();
    gateway["metadata"] = json!({"name": "gw", "namespace": "istio-system", "labels": {"app": "istio-ingressgateway"}});
    gateway["status"] = json!({"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}});
    let d = deployment("d", "shop");
    let cases: Vec<(&Origin, &Value, &str, Value)> = vec![
        (&Origin::Control, &record, "/spec/source", json!(1)),
        (&Origin::Control, &record, "/spec/source", json!("")),
        (&Origin::Control, &record, "/spec/destinations", json!("d")),
        (&Origin::Control, &record, "/spec/destinations/0", json!({})),
    ];
    let here = origin();
    let mut cases = cases;
    for pointer in ["/metadata/labels", "/metadata"] {
        cases.push((&here, &node, pointer, json!([])));
    }
    for pointer in [
        "/metadata/annotations",
        "/metadata/creationTimestamp",
        "/spec",
        "/spec/selector",
        "/spec/selector/matchLabels",
        "/spec/template",
        "/spec/template/metadata/labels",
        "/spec/template/metadata/annotations",
        "/spec/template/metadata/annotations/admiral.io~1env",
    ] {
        cases.push((&here, &d, pointer, json!(["x"])));
    }
    for pointer in ["/spec/selector", "/spec/ports", "/spec/ports/0", "/spec/ports/0/port", "/spec/ports/0/targetPort"]
    {
        cases.push((&here, &service, pointer, json!(true)));
    }
    for (pointer, value) in [("/spec/ports/0/port", json!(70000)), ("/spec/ports/0/name", json!(3))] {
        cases.push((&here, &service, pointer, value));
    }
    for pointer in ["/status", "/status/loadBalancer/ingress", "/status/loadBalancer/ingress/0/hostname"] {
        cases.push((&here, &gateway, pointer, json!(5)));
    }
    for (origin, object, pointer, value) in cases {
        let mut bad = object.clone();
        set(&mut bad, pointer, value);
        assert!(index.apply(origin, &bad).is_err(), "{pointer} of {object}");
        assert!(index.apply(origin, object).is_ok(), "{object}");
    }
    assert_eq!(index.invalid().count(), 0, "a good version ends the report");
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    if object.pointer(pointer).is_none() {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        object.pointer_mut(parent).unwrap()[name] = value;
    } else {
        *object.pointer_mut(pointer).unwrap() = value;
    }
}

#[test]
fn missing_parts_are_no_errors() {
    let mut index = index();
    for object in [
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "ns"}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d", "namespace": "ns"}, "spec": null}),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "creationTimestamp": null}}),
        json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": 5}),
    ] {
        assert!(index.apply(&origin(), &object).unwrap().is_none() || object["kind"] == "Service", "{object}");
    }
    assert!(index.apply(&origin(), &json!({"apiVersion": "v1", "kind": "Node", "metadata": {}})).is_err());
    assert!(index.apply(&origin(), &json!("text")).is_err());
}

#[test]
fn a_relist_deletes_what_vanished() {
    let mut index = index();
    index.apply(&origin(), &deployment("d", "shop")).unwrap();
    index.apply(&origin(), &deployment("e", "pay")).unwrap();
    let (touched, errors) = index.replace(&origin(), Kind::Deployment, None, &[deployment("e", "pay")]);
    assert_eq!((touched, errors.len()), (Touched::identities(["shop"]), 0));
    let (touched, _) = index.replace(&origin(), Kind::Deployment, Some("other"), &[]);
    assert!(touched.is_none(), "another namespace was listed");
    let (_, errors) = index.replace(
        &origin(),
        Kind::Deployment,
        None,
        &[json!({"apiVersion": "apps/v1",
        "kind": "Deployment", "metadata": {"name": "e", "namespace": "ns"}, "spec": 1})],
    );
    assert_eq!((errors.len(), index.workloads("pay").count(), index.invalid().count()), (1, 1, 1));
    index.replace(&origin(), Kind::Deployment, None, &[]);
    assert_eq!((index.workloads("pay").count(), index.invalid().count()), (0, 0));
}

#[test]
fn items_of_a_list_need_not_say_what_they_are() {
    let mut index = index();
    let mut item = deployment("d", "shop");
    item.as_object_mut().unwrap().retain(|name, _| name != "kind" && name != "apiVersion");
    item["metadata"].as_object_mut().unwrap().remove("namespace");
    let (touched, errors) = index.replace(&origin(), Kind::Deployment, None, &[item]);
    assert_eq!((touched, errors.len()), (Touched::identities(["shop"]), 0));
    assert_eq!(index.workloads("shop").count(), 1);
}

#[test]
fn the_oldest_service_with_the_port_is_chosen() {
    let mut index = index();
    let mut d = deployment("d", "shop");
    d["spec"]["template"]["metadata"]["annotations"]["traffic.sidecar.istio.io/includeInboundPorts"] = json!("8080");
    index.apply(&origin(), &d).unwrap();
    let matched = |index: &Index| {
        let workload = index.workloads("shop").next().unwrap();
        let services = index.services_of(&workload);
        let usable = services.iter().find_map(|(name, port)| port.map(|port| format!("{}:{}", name.name, port.number)));
        usable.unwrap_or_else(|| format!("{} without the port", services.len()))
    };
    assert_eq!(matched(&index), "0 without the port");
    let (old, new) = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    index.apply(&origin(), &service("z", "d", old, json!([{"port": 90}]))).unwrap();
    assert_eq!(matched(&index), "1 without the port");
    index.apply(&origin(), &service("y", "d", new, json!([{"port": 81, "targetPort": "8080"}]))).unwrap();
    assert_eq!(matched(&index), "y:81");
    index.apply(&origin(), &service("x", "d", new, json!([{"port": 8080}]))).unwrap();
    assert_eq!(matched(&index), "x:8080");
    index.apply(&origin(), &service("z", "d", old, json!([{"port": 90}, {"port": 91, "targetPort": 8080}]))).unwrap();
    assert_eq!(matched(&index), "z:91");
}

#[test]
fn gateway_addresses_in_all_their_forms() {
    let mut index = index();
    let mut apply = |name: &str, created: &str, spec: Value, status: Value| {
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "istio-system",
            "creationTimestamp": created, "labels": {"app": "istio-ingressgateway"}}, "spec": spec, "status": status});
        index.apply(&origin(), &object).unwrap();
        index.gateway(&cluster()).map(|g| format!("{}:{}", g.address, g.port))
    };
    let ingress = |list: Value| json!({"loadBalancer": {"ingress": list}});
    let (old, new) = ("2024-01-01T00:00:00Z", "2024-02-01T00:00:00Z");
    assert_eq!(apply("g", old, json!({}), json!({"loadBalancer": {}})), None);
    let external = json!({"externalIPs": ["203.0.113.7"], "ports": [{"port": 15443, "nodePort": 31443}]});
    assert_eq!(apply("g", old, external, json!(null)).unwrap(), "203.0.113.7:31443");
    assert_eq!(apply("g", old, json!({}), ingress(json!([{"ip": "1.2.3.4"}]))).unwrap(), "1.2.3.4:15443");
    let both = json!([{"ip": "1.2.3.4"}, {"hostname": "lb.example.com"}]);
    assert_eq!(apply("g", old, json!({}), ingress(both)).unwrap(), "lb.example.com.:15443");
    // The newest Service decides, even without an address.
    assert_eq!(apply("h", new, json!({}), json!({})), None);
}

#[test]
fn workloads_that_lack_only_an_identity_are_remembered_by_name() {
    let mut index = index();
    let near = |index: &Index| {
        let state = index.cluster(&cluster()).unwrap();
        state.near_misses.iter().map(|((_, name), why)| (name.name.clone(), why.clone())).collect::<Vec<_>>()
    };
    let mut injected = deployment("injected", "");
    let mut misplaced = deployment("misplaced", "");
    misplaced["metadata"]["labels"] = json!({"identity": "shop"});
    let mut plain = deployment("plain", "");
    plain["spec"]["template"]["metadata"]["annotations"] = json!({});
    for object in [&injected, &misplaced, &plain] {
        assert_eq!(index.apply(&origin(), object), Ok(Touched::none()));
    }
    let expected = [
        ("injected".to_owned(), NearMiss::NoIdentity),
        ("misplaced".to_owned(), NearMiss::IdentityOnWorkload("shop".to_owned())),
    ];
    assert_eq!(near(&index), expected);
    injected["spec"]["template"]["metadata"]["labels"]["identity"] = json!("found");
    index.apply(&origin(), &injected).unwrap();
    assert_eq!(near(&index), expected[1..]);
    // A complete list without it.
    let _ = index.replace(&origin(), Kind::Deployment, None, &[injected]);
    assert!(near(&index).is_empty());
}
