//! Findings as Kubernetes Events.

use std::path::Path;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::instance::Instance;
use super::kube_api::collection;
use super::pair::{LEASE, MARGIN, POLL, SLACK, STARTS_WITHIN};
use super::poll::{ACTIVE, Poller};
use super::world::{World, with_world};

const TOLD: &str = "--kubernetes-events";
/// A report is made once a second.
const TOLD_WITHIN: Duration = Duration::from_secs(10);
/// Long enough for several reports.
const SEVERAL_REPORTS: Duration = Duration::from_secs(3);

/// A policy that cannot be used has an Event beside it until it is repaired; nobody but the active writes it, the next
/// active leaves it as it is, and a folder gets none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_of_a_policy() {
    with_world(|world| async move {
        let folder = world.logs.join("folder");
        std::fs::create_dir_all(&folder).unwrap();
        let exported = policy(&world, "lonely", 70);
        std::fs::write(folder.join("lonely.yaml"), exported.to_string()).unwrap();
        let labels = json!({"topology.kubernetes.io/region": "us-west-2"});
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node", "labels": labels}});
        std::fs::write(folder.join("node.yaml"), node.to_string()).unwrap();
        let folder = format!("folder=folder:{}", folder.display());
        let flags = [TOLD, "--cluster", &folder];
        for cluster in &world.clusters {
            cluster.create_all(vec![world.deployment("good"), world.service("good")]).await;
        }
        world.alpha().create(&policy(&world, "good", 70)).await;

        let passive =
            Instance::start(&world, "west", &world.dynamodb, &[&flags[..], &["--state-checker", "standby"]].concat());
        passive.ready(STARTS_WITHIN).await;
        sleep(SEVERAL_REPORTS).await;
        let conditions = passive.json("/api/v1/conditions").await;
        let invalid = conditions["conditions"].as_array().unwrap().iter().filter(|c| c["reason"] == "InvalidPolicy");
        let invalid: Vec<_> = invalid.map(|condition| condition["cluster"].as_str().unwrap()).collect();
        assert_eq!(invalid, ["alpha", "folder"], "{conditions:#}");
        assert_eq!(events(&world).await, Vec::<Value>::new(), "a passive writes nothing");
        drop(passive);

        let active = Instance::start(&world, "east", &world.dynamodb, &flags);
        let event = until(&world, 1).await.remove(0);
        check(&world, &event).await;

        let next = Instance::start(&world, "west", &world.dynamodb, &flags);
        let poller = Poller::start(&next.url);
        next.ready(STARTS_WITHIN).await;
        active.signal(Signal::KILL);
        poller.until(ACTIVE, Instant::now(), LEASE + MARGIN + POLL + 5 * SLACK).await;
        sleep(SEVERAL_REPORTS).await;
        assert_eq!(next.writes().await, 0, "a takeover without a change writes nothing");
        assert_eq!(events(&world).await, std::slice::from_ref(&event));

        // The API server forgets it after an hour.
        let path = collection("Event", &world.apps);
        world.alpha().delete(&format!("{path}/{}", event["metadata"]["name"].as_str().unwrap())).await;
        let again = until(&world, 1).await.remove(0);
        assert_eq!(again["metadata"]["name"], event["metadata"]["name"]);
        assert_ne!(again["metadata"]["uid"], event["metadata"]["uid"], "while it holds, it is told again");

        let at = format!("{}/bad", collection("GlobalTrafficPolicy", &world.apps));
        world.alpha().patch(&at, &json!({"spec": policy(&world, "good", 100)["spec"]})).await;
        until(&world, 0).await;
        let files = files(&world.logs.join("folder"));
        assert!(files.iter().any(|file| file == "lonely.yaml"), "{files:?}");
        assert!(!files.iter().any(|file| file.starts_with("event.")), "an Event in a folder: {files:?}");
    })
    .await;
}

/// What `kubectl describe` and `kubectl get events` show.
async fn check(world: &World, event: &Value) {
    println!("{event:#}");
    let subject = world.alpha().get(&format!("{}/bad", collection("GlobalTrafficPolicy", &world.apps))).await;
    let involved = json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy", "name": "bad",
        "namespace": world.apps, "uid": subject["metadata"]["uid"]});
    assert_eq!(event["involvedObject"], involved);
    assert_eq!((&event["type"], &event["reason"]), (&json!("Warning"), &json!("InvalidPolicy")));
    assert_eq!((&event["source"]["component"], &event["count"]), (&json!("flagship"), &json!(1)));
    let message = event["message"].as_str().unwrap();
    assert!(message.contains("weight") && message.contains("70"), "{message}");
    let since = |field: &str| serde_json::from_value::<Time>(event[field].clone()).unwrap().0.as_second();
    let made = serde_json::from_value::<Time>(event["metadata"]["creationTimestamp"].clone()).unwrap().0.as_second();
    for field in ["firstTimestamp", "lastTimestamp"] {
        assert!((since(field) - made).abs() <= 5, "{field} is not when it was made");
    }
}

/// A policy with one target of this weight.
fn policy(world: &World, identity: &str, weight: u32) -> Value {
    let labels = json!({"identity": identity, "env": "test"});
    json!({
        "apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy",
        "metadata": {"name": "bad", "namespace": world.apps, "labels": labels},
        "spec": {"policy": [{"dnsPrefix": "default", "lbType": 1,
            "target": [{"region": "us-west-2", "weight": weight}]}]},
    })
}

/// The Events of the workloads' namespaces, but those that an API server itself makes, such as about its addresses.
async fn events(world: &World) -> Vec<Value> {
    let mut found = Vec::new();
    for cluster in &world.clusters {
        found.extend(cluster.list(&collection("Event", &world.apps)).await);
    }
    found.retain(|event| event["metadata"]["managedFields"][0]["manager"] != "kube-apiserver");
    found
}

async fn until(world: &World, count: usize) -> Vec<Value> {
    let end = Instant::now() + STARTS_WITHIN + TOLD_WITHIN;
    loop {
        let found = events(world).await;
        if found.len() == count {
            return found;
        }
        assert!(Instant::now() < end, "not {count} Events: {found:#?}");
        sleep(Duration::from_millis(200)).await;
    }
}

/// The names of the files below a directory.
fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path.file_name().unwrap().to_string_lossy().into_owned()),
        }
    }
    found
}
