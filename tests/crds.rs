//! The definitions under infra/crds against a real API server: they take what Admiral takes, field by field, and
//! refuse what it cannot read with the field's name.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/servers.rs"]
mod servers;

use std::path::{Path, PathBuf};

use flagship::manifest;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};

/// A namespace that every server has.
const NAMESPACE: &str = "admiral";

/// Kind and plural of everything that Admiral defines.
const KINDS: [(&str, &str); 7] = [
    ("ClientConnectionConfig", "clientconnectionconfigs"),
    ("Dependency", "dependencies"),
    ("DependencyProxy", "dependencyproxies"),
    ("GlobalTrafficPolicy", "globaltrafficpolicies"),
    ("OutlierDetection", "outlierdetections"),
    ("RoutingPolicy", "routingpolicies"),
    ("TrafficConfig", "trafficconfigs"),
];

/// A client of a server that holds the definitions as they are in the files now.
async fn client() -> Client {
    let server = servers::kube_servers().remove(0);
    let kubeconfig = Kubeconfig::read_from(&server.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    let client = Client::try_from(config).unwrap();
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in definitions_of_the_files() {
        let name = definition["metadata"]["name"].as_str().unwrap().to_owned();
        let apply = PatchParams::apply("test-servers").force();
        definitions.patch(&name, &apply, &Patch::Apply(&definition)).await.unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    client
}

fn definitions_of_the_files() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("infra/crds");
    let texts = files(&folder).into_iter().map(|file| std::fs::read_to_string(file).unwrap());
    texts.flat_map(|text| manifest::parse(&text)).map(|document| document.result.unwrap()).collect()
}

fn api(client: &Client, kind: &str) -> Api<DynamicObject> {
    let (_, plural) = KINDS.iter().find(|(name, _)| *name == kind).unwrap_or_else(|| panic!("no definition of {kind}"));
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk("admiral.io", "v1alpha1", kind), plural);
    Api::namespaced_with(client.clone(), NAMESPACE, &resource)
}

/// What the API server would store, or why it refuses. Nothing is stored.
async fn offer(client: &Client, mut object: Value) -> Result<Value, String> {
    object["apiVersion"] = json!("admiral.io/v1alpha1");
    let metadata = object["metadata"].take();
    object["metadata"] = json!({"namespace": NAMESPACE, "name": "offered", "labels": metadata["labels"],
        "annotations": metadata["annotations"]});
    let kind = object["kind"].as_str().unwrap().to_owned();
    let object: DynamicObject = serde_json::from_value(object).unwrap();
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let stored = api(client, &kind).create(&dry_run, &object).await.map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(stored).unwrap())
}

fn object(kind: &str, spec: &Value) -> Value {
    json!({"kind": kind, "spec": spec})
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn there_is_one_for_each_kind_of_admirals() {
    let mut found = Vec::new();
    for crd in definitions_of_the_files() {
        let version = &crd["spec"]["versions"][0];
        assert_eq!((&crd["spec"]["group"], &version["name"]), (&json!("admiral.io"), &json!("v1alpha1")));
        let plural = crd["spec"]["names"]["plural"].as_str().unwrap().to_owned();
        assert_eq!(version["subresources"]["status"], json!({}), "{plural}");
        assert_eq!(crd["metadata"]["name"], format!("{plural}.admiral.io"));
        found.push((crd["spec"]["names"]["kind"].as_str().unwrap().to_owned(), plural));
    }
    let expected: Vec<_> = KINDS.iter().map(|(kind, plural)| ((*kind).to_owned(), (*plural).to_owned())).collect();
    assert_eq!(found, expected);
}

/// Also what makes little sense, as long as Admiral gets along with it.
fn good() -> Vec<Value> {
    let policy = json!({"dnsPrefix": "west", "lbType": 1, "dns": "stage.greeting.global",
        "target": [{"region": "us-west-2", "weight": 70}, {"region": "us-east-2", "weight": 40}],
        "outlier_detection": {"base_ejection_time": 90, "consecutive_gateway_errors": -1, "interval": 0}});
    let nearest = json!({"dnsPrefix": "", "lbType": 0, "target": [{"region": "x", "weight": -5}, {}]});
    vec![
        object(
            "GlobalTrafficPolicy",
            &json!({"policy": [policy, nearest, {"lbType": 7}, {}], "selector": {"identity": "g"}}),
        ),
        object("GlobalTrafficPolicy", &json!({})),
        object(
            "OutlierDetection",
            &json!({"outlier_config": {"base_ejection_time": 0, "consecutive_gateway_errors": 0,
            "interval": 4_000_000_000_u64}, "selector": {"identity": "greeting"}}),
        ),
        object(
            "ClientConnectionConfig",
            &json!({"connectionPool": {"tcp": {"maxConnectionDuration": "no duration",
            "maxConnections": -1, "connectTimeout": "1s", "tcpKeepalive": {"probes": 1, "time": "1h", "interval": "1m"}},
            "http": {"http2MaxRequests": 500, "maxRequestsPerConnection": -5, "idleTimeout": "2m", "maxRetries": 1,
                "h2UpgradePolicy": 1, "http1MaxPendingRequests": 2, "useClientProtocol": true}},
            "tunnel": {"protocol": "CONNECT", "targetHost": "h", "targetPort": 1}}),
        ),
        object(
            "RoutingPolicy",
            &json!({"plugin": "p", "hosts": ["a.global"], "config": {"wasmPath": "x", "a": ""}, "more": [1]}),
        ),
        json!({"kind": "RoutingPolicy"}),
        object(
            "Dependency",
            &json!({"source": "a", "destinations": ["b"], "identityLabel": "identity", "more": {"x": 1}}),
        ),
        json!({"kind": "Dependency"}),
        object(
            "DependencyProxy",
            &json!({"destination": {"identity": "g", "dns_suffix": "xyz", "dns_prefixes": ["t"]},
            "proxy": {"identity": "gw"}}),
        ),
        object(
            "TrafficConfig",
            &json!({"workloadEnvs": ["e"], "edgeService": {"slowStartConfig": [
            {"workloadEnvSelectors": ["e"], "duration": "60s"}], "filters": [{"name": "f", "options": ["o"],
            "retries": {"attempts": 2, "perTryTimeout": "1s"}}], "routes": [{"name": "r", "timeout": 3, "config":
            [{"targetSelector": "t"}]}]}, "quotaGroup": {"totalQuotaGroups": [{"name": "q", "quotas": [{"maxAmount": 3}],
            "adaptiveConcurrency": {"skippedURLs": ["/"], "minRTTCalJitter": 1}}]}}),
        ),
    ]
}

#[tokio::test]
async fn what_admiral_takes_is_taken_and_kept_whole() {
    let client = client().await;
    for object in good() {
        let stored = offer(&client, object.clone()).await.unwrap_or_else(|error| panic!("{object}: {error}"));
        assert_eq!(stored.get("spec"), object.get("spec"), "a field was dropped");
    }
}

#[tokio::test]
async fn the_resources_of_every_case_are_taken() {
    let client = client().await;
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut taken = 0;
    for case in files(&cases).iter().filter(|path| path.is_dir()) {
        for file in files(&case.join("input")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for document in manifest::parse(&text) {
                let object = document.result.unwrap();
                if object["apiVersion"] == "admiral.io/v1alpha1" {
                    let stored = offer(&client, object.clone()).await;
                    let stored = stored.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                    assert_eq!(stored.get("spec"), object.get("spec"), "{}", file.display());
                    taken += 1;
                }
            }
        }
    }
    assert!(taken >= 14, "only {taken} resources were found");
}

#[tokio::test]
async fn what_admiral_cannot_use_is_refused_by_its_field() {
    let client = client().await;
    let policy = |policy: Value| object("GlobalTrafficPolicy", &json!({"policy": [policy]}));
    for (object, words) in [
        (policy(json!({"lbType": "FAILOVER"})), ["spec.policy[0].lbType", "integer"]),
        (policy(json!({"target": [{"region": "a", "weight": "70"}]})), ["spec.policy[0].target[0].weight", "integer"]),
        (
            policy(json!({"lbType": 1, "target": [{"region": "a", "weight": 70}, {"weight": -1}]})),
            ["spec.policy[0].target[1].weight", "0"],
        ),
        (json!({"kind": "GlobalTrafficPolicy"}), ["spec", "Required"]),
        (
            object("OutlierDetection", &json!({"outlier_config": {"interval": -1}})),
            ["spec.outlier_config.interval", "0"],
        ),
        (
            object("OutlierDetection", &json!({"outlier_config": {"interval": "60s"}})),
            ["spec.outlier_config.interval", "integer"],
        ),
        (
            object("ClientConnectionConfig", &json!({"connectionPool": {"http": {"idleTimeout": 120}}})),
            ["spec.connectionPool.http.idleTimeout", "string"],
        ),
        (object("RoutingPolicy", &json!({"hosts": "a"})), ["spec.hosts", "array"]),
        (object("RoutingPolicy", &json!({"config": {"a": 1}})), ["spec.config.a", "string"]),
        (object("Dependency", &json!({"source": 7})), ["spec.source", "string"]),
        (object("Dependency", &json!({"destinations": [7]})), ["spec.destinations[0]", "string"]),
        (
            object(
                "TrafficConfig",
                &json!({"edgeService": {"slowStartConfig": [{"workloadEnvSelectors": [], "duration": "0s"}]}}),
            ),
            ["spec.edgeService.slowStartConfig[0].duration", "1ms"],
        ),
        (
            object("DependencyProxy", &json!({"destination": {"dns_prefixes": "a"}})),
            ["spec.destination.dns_prefixes", "array"],
        ),
    ] {
        let error = match offer(&client, object.clone()).await {
            Ok(stored) => panic!("taken: {stored}"),
            Err(error) => error,
        };
        assert!(words.iter().all(|word| error.contains(word)), "{object}: {error}");
    }
}
