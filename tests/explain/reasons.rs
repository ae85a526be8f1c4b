//! Each typical reason for an absent service, with its remedy.

use flagship::explain::{Part, Role};
use flagship::mesh::{ClusterId, Envs, MeshSettings, Origin, Suspension};
use serde_json::json;

use super::mesh::{Mesh, dependency, deployment, gateway, node, origin, service};

/// Whether a finding says all of this.
#[track_caller]
fn says(mesh: &mut Mesh, identity: &str, reason: &str, subject: &str, words: &[&str]) {
    let finding = mesh.finding(identity, reason);
    assert_eq!(finding.subject, subject);
    for word in words {
        assert!(finding.message.contains(word), "{word:?} is not in: {}", finding.message);
    }
}

#[test]
fn a_service_that_is_where_it_should_be() {
    let mut mesh = Mesh::greeting();
    let answer = mesh.explain("greeting");
    assert_eq!(
        answer.summary,
        "\"greeting\" is in the mesh: stage.greeting.global in 2 of 2 clusters; 4 objects are not in place"
    );
    mesh.write();
    let answer = mesh.explain("greeting");
    assert_eq!(
        answer.summary,
        "\"greeting\" is in the mesh: stage.greeting.global in 2 of 2 clusters; everything is in place"
    );
    assert!(answer.in_mesh && answer.findings.is_empty(), "{:?}", answer.findings);
    let host = &answer.hosts[0];
    assert!(host.address.as_deref().is_some_and(|address| address.starts_with("240.0.")));
    let [east, west] = host.clusters.as_slice() else { panic!("{host:?}") };
    assert_eq!((east.role, west.role), (Role::Dependent, Role::Source));
    assert_eq!(east.rule, "runs its client \"webapp\" (Dependency admiral/webapp)");
    assert_eq!(west.rule, "runs Deployment ns/greeting, reached through Service ns/greeting, port 80 http");
    assert_eq!(west.objects[0].object, "ServiceEntry admiral-sync/stage.greeting.global-se");
    assert_eq!(west.objects[0].endpoints, ["greeting.ns.svc.cluster.local:80 west"]);
    assert_eq!(east.objects[0].endpoints, ["west.lb.:15443 west"]);
    assert_eq!(east.objects[1].object, "DestinationRule admiral-sync/stage.greeting.global-default-dr");
    assert!(answer.objects().all(|object| object.state == "in place" && !object.rule.is_empty()));
    assert_eq!((answer.callers[0].client.as_str(), answer.callers[0].clusters[0].as_str()), ("webapp", "east"));
    assert_eq!(answer.workloads[0].part, Part::Source);
    // From the client's side, by any spelling, by host.
    let answer = mesh.explain("WebApp");
    assert_eq!((answer.identity.as_str(), answer.calls[0].as_str()), ("webapp", "greeting"));
    assert_eq!(answer.workloads[0].part, Part::ClientOnly);
    let answer = mesh.explain("Stage.greeting.global");
    assert_eq!((answer.identity.as_str(), answer.env.as_deref()), ("greeting", Some("stage")));
}

#[test]
fn no_identity_on_the_pod_template() {
    let mut mesh = Mesh::new(&["west"]);
    let mut misplaced = deployment("shop", "");
    misplaced["metadata"]["labels"] = json!({"identity": "Greeting"});
    mesh.put("west", misplaced);
    says(
        &mut mesh,
        "greeting",
        "NoIdentity",
        "Deployment ns/shop",
        &["on the workload itself", "spec.template.metadata.labels"],
    );
    let mut mesh = Mesh::new(&["west"]);
    mesh.put("west", deployment("greeting-v1", ""));
    mesh.put("west", deployment("other", ""));
    says(&mut mesh, "org.greeting", "NoIdentity", "Deployment ns/greeting-v1", &["identity: \"org.greeting\"", "add"]);
    let words =
        ["no workload of 1 clusters has the label (or annotation) identity: \"org.greeting\"", "any identity: 2"];
    says(&mut mesh, "org.greeting", "UnknownIdentity", "identity \"org.greeting\"", &words);
    assert!(mesh.explain("org.greeting").summary.starts_with("\"org.greeting\" is not in the mesh: it is injected"));
}

#[test]
fn a_slip_of_the_pen() {
    let mut mesh = Mesh::greeting();
    let answer = mesh.explain("greting");
    assert_eq!((answer.similar.as_slice(), answer.in_mesh), (["greeting".to_owned()].as_slice(), false));
    says(&mut mesh, "greting", "UnknownIdentity", "identity \"greting\"", &["alike: greeting"]);
    assert!(mesh.explain("nothing-like-it").similar.is_empty());
}

#[test]
fn not_injected_or_ignored() {
    for (reason, path, words) in [
        (
            "NotInjected",
            "/spec/template/metadata/annotations",
            ["sidecar.istio.io/inject: \"true\"", "add the annotation"],
        ),
        ("IgnoredByLabel", "/spec/template/metadata/labels", ["label admiral-ignore", "remove the label"]),
        ("IgnoredByAnnotation", "/metadata", ["annotation admiral.io/ignore", "remove the annotation"]),
    ] {
        let mut mesh = Mesh::greeting();
        let mut workload = deployment("greeting", "greeting");
        let at = workload.pointer_mut(path).unwrap();
        match reason {
            "NotInjected" => at["sidecar.istio.io/inject"] = json!("yes"),
            "IgnoredByLabel" => at["admiral-ignore"] = json!("true"),
            _ => at["annotations"] = json!({"admiral.io/ignore": "true"}),
        }
        mesh.put("west", workload);
        says(&mut mesh, "greeting", reason, "Deployment ns/greeting", &words);
        let answer = mesh.explain("greeting");
        assert_eq!((answer.in_mesh, answer.workloads[0].part), (false, Part::Ignored));
        assert!(answer.summary.contains(words[0]), "{}", answer.summary);
    }
    let mut mesh = Mesh::greeting();
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "ns", "annotations": {"admiral.io/ignore": "true"}}});
    mesh.put("west", namespace);
    says(
        &mut mesh,
        "greeting",
        "IgnoredNamespace",
        "Deployment ns/greeting",
        &["namespace ns", "remove the annotation"],
    );
}

#[test]
fn no_service_or_one_that_selects_by_the_pod_template() {
    let mut mesh = Mesh::new(&["west"]);
    mesh.put("west", deployment("greeting", "greeting"));
    says(&mut mesh, "greeting", "NoMatchingService", "Deployment ns/greeting", &["selector", "create one"]);
    let mut picky = service("greeting");
    picky["spec"]["selector"]["version"] = json!("v2");
    mesh.put("west", picky.clone());
    let words = ["Service ns/greeting selects \"version=v2\" too", "spec.selector.matchLabels", "add it there"];
    says(&mut mesh, "greeting", "SelectorMismatch", "Deployment ns/greeting", &words);
    picky = service("greeting");
    picky["metadata"]["labels"] = json!({"admiral.io/ignore": "true"});
    mesh.put("west", picky);
    says(&mut mesh, "greeting", "SelectorMismatch", "Deployment ns/greeting", &["admiral.io/ignore", "remove"]);
}

#[test]
fn no_port() {
    let mut mesh = Mesh::greeting();
    let mut workload = deployment("greeting", "greeting");
    workload["spec"]["template"]["metadata"]["annotations"]["traffic.sidecar.istio.io/includeInboundPorts"] =
        json!("9999");
    mesh.put("west", workload);
    says(
        &mut mesh,
        "greeting",
        "NoMeshPort",
        "Deployment ns/greeting",
        &["includeInboundPorts", "correct one of them"],
    );
}

#[test]
fn no_region() {
    let mut mesh = Mesh::greeting();
    mesh.put("west", json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}));
    says(&mut mesh, "greeting", "NoRegion", "Node", &["topology.kubernetes.io/region", "label its Nodes"]);
    assert!(!mesh.explain("greeting").in_mesh);
}

#[test]
fn no_gateway_address() {
    let mut mesh = Mesh::greeting();
    let mut pending = gateway("x");
    pending["status"] = json!({});
    mesh.put("west", pending);
    says(
        &mut mesh,
        "greeting",
        "NoGatewayAddress",
        "Service istio-system app=istio-ingressgateway",
        &["wait for the load"],
    );
    let answer = mesh.explain("greeting");
    let east = &answer.hosts[0].clusters[0];
    assert!(east.objects.is_empty() && east.rule.contains("no cluster that runs it has a gateway address"), "{east:?}");
    // The client's cluster lacks nothing that matters to this service.
    assert!(answer.findings.iter().all(|finding| finding.cluster != "east"));
}

#[test]
fn nobody_is_known_to_call_it() {
    let mut mesh = Mesh::greeting();
    mesh.put("control", dependency("webapp", &["other"]));
    says(&mut mesh, "greeting", "NoDependency", "identity greeting", &["namespace admiral", "add \"greeting\""]);
    let answer = mesh.explain("greeting");
    let east = &answer.hosts[0].clusters[0];
    assert_eq!((east.role, east.rule.as_str()), (Role::None, "runs neither the service nor a client of it"));
    assert_eq!(mesh.finding("other", "DestinationNotFound").subject, "Dependency admiral/webapp");
}

#[test]
fn a_dependency_that_is_spelt_otherwise() {
    let mut mesh = Mesh::greeting();
    mesh.put("control", dependency("webapp", &["Greeting"]));
    let words = ["spec.destinations says \"Greeting\"", "byte for byte", "write \"greeting\""];
    says(&mut mesh, "greeting", "DependencyCaseMismatch", "Dependency admiral/webapp", &words);
    let mut mesh = Mesh::greeting();
    mesh.put("control", dependency("WebApp", &["greeting"]));
    let words =
        ["client \"WebApp\" runs nowhere", "Deployment ns/webapp in cluster east spells it \"webapp\"", "correct"];
    says(&mut mesh, "greeting", "ClientNotFound", "Dependency admiral/webapp", &words);
    says(&mut mesh, "webapp", "DependencyCaseMismatch", "Dependency admiral/webapp", &["spec.source says \"WebApp\""]);
}

#[test]
fn clusters_that_were_not_seen() {
    let mut mesh = Mesh::greeting();
    mesh.planner.set_synced(&origin("west"), false);
    says(&mut mesh, "greeting", "NotSynced", "cluster west", &["first list", "reachable", "infra/rbac"]);
    mesh.planner.set_synced(&Origin::Control, false);
    assert!(mesh.explain("greeting").findings.iter().any(|f| f.subject == "control cluster"));
    mesh.planner.add_cluster(&ClusterId::new("north"));
    says(&mut mesh, "unheard", "UnknownIdentity", "identity \"unheard\"", &["not completely seen yet: north, west"]);
}

#[test]
fn conflicts_between_workloads() {
    let mut mesh = Mesh::greeting();
    let mut twin = deployment("twin", "greeting");
    twin["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    mesh.put("west", twin);
    says(
        &mut mesh,
        "greeting",
        "DuplicateIdentity",
        "Deployment ns/twin",
        &["Deployment ns/greeting", "another identity"],
    );
    let mut shouting = deployment("shouting", "GREETING");
    shouting["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    mesh.put("east", shouting);
    says(
        &mut mesh,
        "greeting",
        "IdentityCaseConflict",
        "Deployment ns/shouting",
        &["\"GREETING\"", "spell both alike"],
    );
}

#[test]
fn a_suspended_identity() {
    let mut mesh = Mesh::greeting();
    mesh.write();
    let envs = Envs::Only(std::iter::once("stage".to_owned()).collect());
    mesh.planner.suspend(Suspension::new("table t, item dev", false, [("greeting".to_owned(), envs)].into()));
    let words = ["table t, item dev", "stay as they are", "environmentsByIdentities"];
    says(&mut mesh, "greeting", "SuspendedIdentity", "Deployment ns/greeting", &words);
    let kept = mesh.explain("greeting").others.iter().map(|object| object.state.clone()).collect::<Vec<_>>();
    assert!(!kept.is_empty() && kept.iter().all(|state| state == "kept"), "{kept:?}");
    mesh.planner.suspend(Suspension::new("table t, item dev", true, std::collections::BTreeMap::new()));
    says(
        &mut mesh,
        "greeting",
        "SuspendedIdentity",
        "Deployment ns/greeting",
        &["all identities", "set `all` to false"],
    );
}

#[test]
fn an_excluded_identity() {
    let settings = MeshSettings {
        excluded_identity_list: std::iter::once("greeting".to_owned()).collect(),
        ..MeshSettings::default()
    };
    let mut mesh = Mesh::with(&["west"], settings);
    mesh.put("west", deployment("greeting", "greeting"));
    mesh.put("west", service("greeting"));
    let left = json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry",
        "metadata": {"name": "stage.greeting.global-se", "namespace": "admiral-sync", "resourceVersion": "1",
            "annotations": {"app.kubernetes.io/created-by": "admiral"}},
        "spec": {"hosts": ["stage.greeting.global"]}});
    mesh.put("west", left);
    says(
        &mut mesh,
        "greeting",
        "ExcludedIdentity",
        "Deployment ns/greeting",
        &["--excluded_identity_list", "take it off"],
    );
    let answer = mesh.explain("greeting");
    assert_eq!((answer.others.len(), answer.others[0].state.as_str()), (1, "kept"));
}

#[test]
fn somebody_elses_object_and_one_of_admirals() {
    let entry = |annotations: serde_json::Value| {
        json!({"apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry",
            "metadata": {"name": "stage.greeting.global-se", "namespace": "admiral-sync", "resourceVersion": "1",
                "annotations": annotations},
            "spec": {"hosts": ["stage.greeting.global"]}})
    };
    let mut mesh = Mesh::greeting();
    mesh.put("west", entry(json!({})));
    let subject = "ServiceEntry admiral-sync/stage.greeting.global-se";
    says(
        &mut mesh,
        "greeting",
        "ForeignObject",
        subject,
        &["app.kubernetes.io/created-by: admiral", "delete or rename"],
    );
    let answer = mesh.explain("greeting");
    assert_eq!(answer.hosts[0].clusters[1].objects[0].state, "somebody else's");
}

#[test]
fn another_env() {
    let mut mesh = Mesh::greeting();
    let answer = mesh.ask("greeting", Some("prod"));
    assert!(!answer.in_mesh && answer.hosts.is_empty() && answer.workloads.is_empty());
    assert_eq!(answer.findings[0].reason, "UnknownEnv");
    assert!(answer.findings[0].message.contains("has the env stage, not \"prod\"; ask for one of them"));
    assert!(mesh.ask("greeting", Some("Stage")).in_mesh);
}

#[test]
fn a_workload_that_cannot_be_read() {
    let mut mesh = Mesh::new(&["west"]);
    let mut bad = deployment("greeting", "greeting");
    bad["spec"]["selector"]["matchLabels"] = json!(7);
    assert!(mesh.planner.apply(&origin("west"), &bad).is_err());
    says(&mut mesh, "greeting", "InvalidObject", "Deployment ns/greeting", &["matchLabels is 7", "correct the object"]);
    // A later version that cannot be read leaves the earlier one in force, and says so.
    let mut mesh = Mesh::greeting();
    assert!(mesh.planner.apply(&origin("west"), &bad).is_err());
    says(&mut mesh, "greeting", "InvalidObject", "Deployment ns/greeting", &["previous version stays in force"]);
    assert!(mesh.explain("greeting").in_mesh);
}

#[test]
fn a_removed_service_is_explained_until_it_is_gone() {
    let mut mesh = Mesh::greeting();
    mesh.write();
    let key = flagship::mesh::ObjectKey::new(flagship::mesh::Kind::Deployment, "ns", "greeting");
    mesh.planner.delete(&origin("west"), &key);
    let answer = mesh.explain("greeting");
    assert!(!answer.in_mesh);
    assert_eq!(answer.others.iter().filter(|object| object.state == "to be deleted").count(), 4, "{:?}", answer.others);
    mesh.put("west", node("west"));
}
