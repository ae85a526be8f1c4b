//! The status of people's policies.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::instance::Instance;
use super::kube_api::collection;
use super::pair::{LEASE, MARGIN, POLL, SLACK, STARTS_WITHIN};
use super::poll::{ACTIVE, Poller};
use super::world::{World, with_world};

const TOLD_WITHIN: Duration = Duration::from_secs(15);

/// The active says in each policy whether it is used and where it is in place; a passive and one that takes over find
/// nothing to say. Nothing but the status changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn policy_status() {
    with_world(|world| async move {
        for cluster in &world.clusters {
            cluster.create(&world.deployment("shop")).await;
            cluster.create(&world.service("shop")).await;
        }
        let path = format!("{}/shop", collection("GlobalTrafficPolicy", &world.apps));
        world.alpha().create(&policy(&world, 70)).await;
        let written = world.alpha().get(&path).await;

        let active = Instance::start(&world, "east", &world.dynamodb, &["--policy-status"]);
        let refused = until(&world, &path, |told| told["state"] == "InvalidPolicy").await;
        let accepted = condition(&refused, "Accepted");
        assert_eq!((&accepted["status"], &accepted["observedGeneration"]), (&json!("False"), &json!(1)));
        let message = accepted["message"].as_str().unwrap();
        assert!(message.contains("spec.policy[0].target"), "{message}");
        let now = world.alpha().get(&path).await;
        for part in ["/spec", "/metadata/labels", "/metadata/annotations", "/metadata/generation"] {
            assert_eq!(now.pointer(part), written.pointer(part), "{part} belongs to whoever wrote it");
        }

        world.alpha().patch(&path, &json!({"spec": policy(&world, 30)["spec"]})).await;
        let told = until(&world, &path, |told| told["state"] == "Synced").await;
        assert_eq!(told["clustersSynced"], 2);
        assert_eq!(condition(&told, "Synced")["message"], "in place in alpha, beta");
        assert_eq!(condition(&told, "Accepted")["observedGeneration"], 2);

        let standby = Instance::start(&world, "west", &world.dynamodb, &["--policy-status"]);
        let poller = Poller::start(&standby.url);
        standby.ready(STARTS_WITHIN).await;
        let before = world.alpha().get(&path).await["metadata"]["resourceVersion"].clone();
        let killed = Instant::now();
        active.signal(Signal::KILL);
        poller.until(ACTIVE, killed, LEASE + MARGIN + POLL + SLACK).await;
        sleep(Duration::from_secs(4)).await;
        assert_eq!(world.alpha().get(&path).await["metadata"]["resourceVersion"], before);
        assert_eq!(standby.writes().await, 0, "a takeover without a change writes nothing");
    })
    .await;
}

fn policy(world: &World, second: u8) -> Value {
    let target = json!([{"region": "us-west-2", "weight": 70}, {"region": "us-east-2", "weight": second}]);
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy",
        "metadata": {"name": "shop", "namespace": world.apps,
            "labels": {"identity": "shop", "env": "test", "admiral.io/env": "test"}},
        "spec": {"policy": [{"dnsPrefix": "default", "lbType": 1, "target": target}]}})
}

/// The status as soon as it is as wanted.
async fn until(world: &Arc<World>, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let until = Instant::now() + TOLD_WITHIN;
    loop {
        let status = world.alpha().get(path).await["status"].clone();
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < until, "after {TOLD_WITHIN:?} the status is {status}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn condition(status: &Value, kind: &str) -> Value {
    status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == kind).cloned().unwrap()
}
