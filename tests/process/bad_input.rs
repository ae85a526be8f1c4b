//! Clusters, workloads and a lease item with which something is wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use flagship::lease::Attribute;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::instance::{Instance, free_port};
use super::pair::{LEASE, MARGIN, POLL, SLACK};
use super::poll::{ACTIVE, PASSIVE, Poller};
use super::world::{World, with_world};
use crate::contract::Subject;
use crate::dynamodb;

/// How long clusters that do not answer are waited for.
const GRACE: Duration = Duration::from_secs(15);

/// Promise M2 and what a person needs: one bad cluster, secret or workload delays nothing but itself, and each is
/// named with a reason and a remedy. An instance that does not see all waits one lease longer, then leads.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_input() {
    with_world(|world| async move {
        let folder = furnish(&world).await;
        let no_region = format!("nowhere=folder:{folder}");
        let instance = Instance::start(&world, "east", &world.dynamodb, &["--cluster", &no_region]);
        let poller = Poller::start(&instance.url);
        instance.ready(GRACE + 5 * SLACK).await;
        let first = poller.until(ACTIVE, instance.started, GRACE + LEASE + POLL + 5 * SLACK).await;
        let took = first.received - instance.started;
        println!("ready without the one that does not answer, and active, after {took:?}");
        assert!(took >= GRACE, "a better instance would have had no chance to go first: {took:?}");

        sleep(Duration::from_secs(2)).await;
        for cluster in &world.clusters {
            let names: Vec<Value> =
                world.generated(cluster, "ServiceEntry").await.iter().map(|e| e["metadata"]["name"].clone()).collect();
            assert_eq!(names, ["test.good.global-se"], "{}", cluster.name);
        }
        let answer = instance.json("/api/v1/conditions").await;
        let conditions = answer["conditions"].as_array().unwrap();
        println!("{}", serde_json::to_string_pretty(conditions).unwrap());
        let secrets = world.secrets_of("east");
        for (subject, reason, remedy) in [
            (format!("Secret {secrets}/bad key exec"), "Refused", "put the token of a service account into user.token"),
            (format!("Secret {secrets}/bad key garbage"), "Refused", "make one with `kubectl config view"),
            ("closed: ".to_owned(), "WatchFailed", "check the server's address"),
            (format!("Deployment {}/lonely", world.apps), "NoMatchingService", "Service"),
            ("nowhere".to_owned(), "NoRegion", "topology.kubernetes.io/region"),
        ] {
            let of = |c: &&Value| {
                let at = |field: &str| c[field].as_str().unwrap_or_default().to_owned();
                format!("{}: {}", at("cluster"), at("subject")).contains(&subject) && at("reason") == reason
            };
            let found = conditions.iter().find(of).unwrap_or_else(|| panic!("no condition {reason} of {subject:?}"));
            let message = found["message"].as_str().unwrap();
            assert!(message.contains(remedy), "{subject}: {message:?} does not say {remedy:?}");
        }
        let status = instance.status().await;
        let names: Vec<_> = status["mesh"]["clusters"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["alpha", "beta", "closed", "nowhere"]);
    })
    .await;
}

/// Rules 2 and 3: a lease item that makes no sense is named, waited out for a lease, and replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_the_lease() {
    with_world(|world| async move {
        let table = dynamodb::Table {
            client: dynamodb::client(&world.dynamodb),
            store: std::sync::Arc::new(dynamodb::store(&world.dynamodb, &world.table, "flagship").await),
            table: world.table.clone(),
            lease: "flagship".to_owned(),
        };
        let garbage = [("version", Attribute::Bool(true)), ("epoch", Attribute::S("three".to_owned()))];
        table.put(Some(garbage.map(|(name, value)| (name.to_owned(), value)).into())).await;

        let instance = Instance::start(&world, "east", &world.dynamodb, &[]);
        let poller = Poller::start(&instance.url);
        let passive = poller.until(PASSIVE, instance.started, Duration::from_secs(10)).await;
        sleep(Duration::from_secs(4)).await;
        let status = instance.status().await;
        assert_eq!(status["checker"]["lease"]["observed"], "unreadable", "{status:#}");
        let said = status["checker"]["lease"]["problem"].as_str().unwrap_or_default();
        for part in ["makes no sense", "`version`", "delete the attribute"] {
            assert!(said.contains(part), "the status does not say {part:?}: {said}");
        }
        let within = LEASE + MARGIN + POLL + 5 * SLACK;
        let first = poller.until(ACTIVE, instance.started, within).await;
        let waited = first.received - passive.sent;
        println!("the garbage was replaced after {waited:?}");
        assert!(waited >= LEASE, "it was not waited out: {waited:?}");
        assert!(instance.epoch().await > 1_700_000_000, "an epoch above all before");
        assert!(instance.log().contains("makes no sense"), "the log does not say it");
        assert_eq!(instance.status().await["checker"]["lease"]["problem"], "", "it is cured");
    })
    .await;
}

/// A good workload in both clusters; a lonely one; secrets that cannot be used; a cluster that does not answer; and
/// a folder that stands for a cluster without nodes. Returns the folder.
async fn furnish(world: &World) -> String {
    for cluster in &world.clusters {
        cluster.create_all(vec![world.deployment("good"), world.service("good")]).await;
    }
    world.alpha().create(&world.deployment("lonely")).await;
    let good = world.alpha().kubeconfig();
    let mut exec = good.clone();
    exec["users"][0]["user"] = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true"}});
    let mut closed = good;
    closed["clusters"][0]["cluster"]["server"] = json!(format!("https://127.0.0.1:{}", free_port()));
    let bad = [("exec", exec.to_string()), ("garbage", "no kubeconfig".to_owned()), ("closed", closed.to_string())];
    world.add_secret("east", "bad", &BTreeMap::from(bad.map(|(name, value)| (name.to_owned(), value)))).await;

    let folder = world.logs.join("nowhere");
    std::fs::create_dir_all(&folder).unwrap();
    let objects = [world.deployment("stranded"), world.service("stranded")];
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    std::fs::write(folder.join("workload.yaml"), list.to_string()).unwrap();
    folder.display().to_string()
}
