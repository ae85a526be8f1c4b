//! The roles under infra/rbac against the table of kinds: what is watched and written with a setting is granted, and
//! nothing more.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/servers.rs"]
mod servers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use flagship::manifest;
use flagship::mesh::{Kind, MeshSettings, WatchScope};
use kube::api::{DynamicObject, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

/// Namespace (empty for all), API group, plural, verb.
type Grant = (String, String, String, String);

/// Files, a setting, and what is written because of it: verbs, namespace, kinds.
struct Feature {
    file: &'static str,
    set: fn(&mut MeshSettings),
    writes: &'static [(&'static str, &'static [&'static str], &'static [Kind])],
}

const ALL: &[&str] = &["create", "update", "delete"];

/// What is always written: addresses, hosts and their rules, in the sync namespace.
const BASE: Feature = Feature {
    file: "remote-cluster.yaml",
    set: |_| (),
    writes: &[("admiral-sync", ALL, &[Kind::ConfigMap, Kind::ServiceEntry, Kind::DestinationRule])],
};

/// What is written of people's policies is their status alone.
const STATUS: [&str; 4] = ["globaltrafficpolicies", "outlierdetections", "clientconnectionconfigs", "routingpolicies"];

const FEATURES: [Feature; 8] = [
    Feature {
        file: "feature-routing-policy.yaml",
        set: |s| s.routing.routing_policy = true,
        writes: &[("istio-system", ALL, &[Kind::EnvoyFilter])],
    },
    Feature {
        file: "feature-sidecar-update.yaml",
        set: |s| s.routing.sidecar_update = true,
        writes: &[("", &["update"], &[Kind::Sidecar])],
    },
    Feature {
        file: "feature-additional-endpoints.yaml",
        set: |s| s.routing.additional_suffixes = vec!["intuit".to_owned()],
        writes: &[("admiral-sync", ALL, &[Kind::VirtualService])],
    },
    Feature {
        file: "feature-copy-customer-routing.yaml",
        set: |s| s.routing.copy_customer_routing = true,
        writes: &[("admiral-sync", ALL, &[Kind::VirtualService])],
    },
    Feature {
        file: "feature-ingress-routing.yaml",
        set: |s| s.routing.ingress_routing = true,
        writes: &[("istio-system", ALL, &[Kind::VirtualService, Kind::DestinationRule])],
    },
    Feature {
        file: "feature-client-connection-config.yaml",
        set: |s| s.policy.client_connection_config = true,
        writes: &[],
    },
    Feature {
        file: "feature-kubernetes-events.yaml",
        set: |s| s.extension.kubernetes_events = true,
        writes: &[("", &["create", "delete"], &[Kind::Event])],
    },
    Feature { file: "feature-policy-status.yaml", set: |s| s.extension.policy_status = true, writes: &[] },
];

fn documents(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/rbac").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    manifest::parse(&text).into_iter().map(|document| document.result.unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> Vec<String> {
    value.as_array().unwrap().iter().map(text).collect()
}

/// What `file` grants to the service account `flagship` of `namespace`.
fn grants(file: &str, namespace: &str) -> BTreeSet<Grant> {
    let documents = documents(file);
    let of = |kinds: [&str; 2]| {
        let found = documents.iter().filter(move |document| kinds.contains(&document["kind"].as_str().unwrap()));
        let key = |d: &Value| (text(&d["metadata"]["namespace"]), text(&d["metadata"]["name"]));
        found.map(|document| (key(document), document)).collect::<BTreeMap<_, _>>()
    };
    let (roles, bindings) = (of(["Role", "ClusterRole"]), of(["RoleBinding", "ClusterRoleBinding"]));
    assert_eq!(
        roles.keys().collect::<Vec<_>>(),
        bindings.keys().collect::<Vec<_>>(),
        "{file}: one binding for each role"
    );
    let mut grants = BTreeSet::new();
    for (key, role) in roles {
        let binding = bindings[&key];
        assert_eq!(
            (&binding["roleRef"]["name"], &binding["roleRef"]["kind"]),
            (&role["metadata"]["name"], &role["kind"])
        );
        let subject = &binding["subjects"][0];
        assert_eq!((subject["name"].as_str(), subject["namespace"].as_str()), (Some("flagship"), Some(namespace)));
        for rule in role["rules"].as_array().unwrap() {
            for group in list(&rule["apiGroups"]) {
                for resource in list(&rule["resources"]) {
                    let verbs = list(&rule["verbs"]);
                    grants.extend(verbs.into_iter().map(|v| (key.0.clone(), group.clone(), resource.clone(), v)));
                }
            }
        }
    }
    grants
}

fn grant(namespace: &str, kind: Kind, verb: &str) -> Grant {
    (namespace.to_owned(), kind.group().to_owned(), kind.plural().to_owned(), verb.to_owned())
}

/// What is watched with these settings in clusters of the mesh, or in the control cluster.
fn watched(settings: &MeshSettings, scope: WatchScope) -> BTreeSet<Grant> {
    let kinds = settings.watched_kinds().into_iter();
    let there = kinds.filter(|kind| [scope, WatchScope::Everywhere].contains(&kind.watch_scope()));
    let grants = there.flat_map(|kind| {
        let namespace = kind.watched_namespace(settings).unwrap_or_default().to_owned();
        ["get", "list", "watch"].into_iter().map(move |verb| grant(&namespace, kind, verb))
    });
    grants.collect()
}

/// What features write; the object in the way of a write is read again.
fn written(features: &[&Feature]) -> BTreeSet<Grant> {
    let mut grants = BTreeSet::new();
    for (namespace, verbs, kinds) in features.iter().flat_map(|feature| feature.writes) {
        for kind in *kinds {
            grants.extend(verbs.iter().chain(&["get"]).map(|verb| grant(namespace, *kind, verb)));
        }
    }
    grants
}

/// Whether a grant for all namespaces makes one for a single namespace superfluous.
fn covers(grants: &BTreeSet<Grant>, (namespace, group, plural, verb): &Grant) -> bool {
    let everywhere = (String::new(), group.clone(), plural.clone(), verb.clone());
    grants.contains(&(namespace.clone(), group.clone(), plural.clone(), verb.clone())) || grants.contains(&everywhere)
}

#[track_caller]
fn check(features: &[&Feature]) {
    let mut settings = MeshSettings::default();
    let mut granted = BTreeSet::new();
    for feature in features {
        (feature.set)(&mut settings);
        granted.extend(grants(feature.file, "admiral-sync"));
    }
    let mut needed = watched(&settings, WatchScope::EachCluster);
    needed.extend(written(features));
    if settings.extension.policy_status {
        let told = Kind::ALL.into_iter().filter(|kind| kind.is_told_by_status());
        assert_eq!(told.map(Kind::plural).collect::<BTreeSet<_>>(), BTreeSet::from(STATUS));
        needed.extend(
            STATUS.map(|plural| {
                (String::new(), "admiral.io".to_owned(), format!("{plural}/status"), "update".to_owned())
            }),
        );
    }
    let files: Vec<_> = features.iter().map(|feature| feature.file).collect();
    let missing: Vec<_> = needed.iter().filter(|need| !covers(&granted, need)).collect();
    assert!(missing.is_empty(), "{files:?} do not grant {missing:?}");
    // Wider than needed is too much; narrower is part of what is needed.
    let spare: Vec<_> = granted.iter().filter(|grant| !covers(&needed, grant)).collect();
    assert!(spare.is_empty(), "{files:?} grant what nothing needs: {spare:?}");
}

#[test]
fn the_default_settings_need_exactly_the_base() {
    check(&[&BASE]);
}

#[test]
fn each_feature_needs_exactly_its_own_file_on_top() {
    for feature in &FEATURES {
        check(&[&BASE, feature]);
    }
    let all: Vec<&Feature> = [&BASE].into_iter().chain(&FEATURES).collect();
    check(&all);
}

#[test]
fn the_control_cluster_is_only_read() {
    let granted = grants("control-cluster.yaml", "flagship");
    let mut needed = watched(&MeshSettings::default(), WatchScope::Control);
    for verb in ["get", "list", "watch"] {
        needed.insert(("admiral".to_owned(), String::new(), "secrets".to_owned(), verb.to_owned()));
    }
    assert_eq!(granted, needed);
}

#[test]
fn every_file_belongs_to_a_feature() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/rbac");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.collect();
    let features = FEATURES.iter().map(|feature| feature.file).chain([BASE.file, "control-cluster.yaml"]);
    assert_eq!(files, features.map(str::to_owned).collect());
}

#[tokio::test]
async fn an_api_server_takes_every_role_and_binding() {
    let server = servers::kube_servers().remove(0);
    let kubeconfig = Kubeconfig::read_from(&server.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    for file in FEATURES.iter().map(|feature| feature.file).chain([BASE.file, "control-cluster.yaml"]) {
        for mut document in documents(file).into_iter().filter(|document| document["kind"] != "ServiceAccount") {
            let kind = text(&document["kind"]);
            let kind = GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", &kind);
            let resource = ApiResource::from_gvk(&kind);
            let api: Api<DynamicObject> = if document["metadata"].get("namespace").is_some() {
                // One that every server has.
                document["metadata"]["namespace"] = json!("admiral");
                Api::namespaced_with(client.clone(), "admiral", &resource)
            } else {
                Api::all_with(client.clone(), &resource)
            };
            let object: DynamicObject = serde_json::from_value(document.clone()).unwrap();
            api.create(&dry_run, &object).await.unwrap_or_else(|error| panic!("{file}: {document}: {error}"));
        }
    }
}
