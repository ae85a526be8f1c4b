//! A cluster in which somebody else's objects carry a higher epoch than the lease has.

use std::time::Duration;

use flagship::mesh::marks::EPOCH;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::instance::Instance;
use super::kube_api::{Cluster, collection};
use super::pair::{POLL, SLACK, STARTS_WITHIN};
use super::poll::{ACTIVE, Poller};
use super::world::{World, with_world};

/// One renewal interval, one write, and what a busy machine adds.
const OUTRUN_WITHIN: Duration = Duration::from_secs(4);
const WRITTEN_WITHIN: Duration = Duration::from_secs(15);

/// Promise S3: the active goes on above it and stays active; what it writes carries the new epoch, and whoever takes
/// over lies above that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_epoch() {
    with_world(|world| async move {
        add(&world, "shop").await;
        let active = Instance::start(&world, "east", &world.dynamodb, &[]);
        let poller = Poller::start(&active.url);
        poller.until(ACTIVE, active.started, STARTS_WITHIN).await;
        let entry = entry_of(&world, world.beta(), "shop").await;
        let own = active.epoch().await;
        assert_eq!(epoch_on(&entry), own);

        let seen = own + 1000;
        let name = entry["metadata"]["name"].as_str().unwrap();
        let path = format!("{}/{name}", collection("ServiceEntry", &world.sync));
        let appeared = Instant::now();
        world.beta().patch(&path, &json!({"metadata": {"annotations": {EPOCH: seen.to_string()}}})).await;
        while active.epoch().await != seen + 1 {
            assert!(
                appeared.elapsed() < OUTRUN_WITHIN,
                "after {OUTRUN_WITHIN:?} its epoch is {}",
                active.epoch().await
            );
            sleep(Duration::from_millis(50)).await;
        }
        println!("outran a foreign epoch after {:?}", appeared.elapsed());
        add(&world, "cart").await;
        assert_eq!(epoch_on(&entry_of(&world, world.beta(), "cart").await), seen + 1);
        let samples = poller.between(appeared, Instant::now());
        assert!(samples.len() > 5 && samples.iter().all(|sample| sample.answer == ACTIVE), "{samples:?}");
        assert!(active.log().contains(&format!("the lease goes on with epoch {}", seen + 1)), "{}", active.log());

        let standby = Instance::start(&world, "west", &world.dynamodb, &[]);
        let poller = Poller::start(&standby.url);
        standby.ready(STARTS_WITHIN).await;
        let told = Instant::now();
        active.signal(Signal::TERM);
        poller.until(ACTIVE, told, POLL + SLACK).await;
        assert_eq!(standby.epoch().await, seen + 2);
    })
    .await;
}

async fn add(world: &World, identity: &str) {
    for cluster in &world.clusters {
        cluster.create(&world.deployment(identity)).await;
        cluster.create(&world.service(identity)).await;
    }
}

/// The identity's ServiceEntry, as soon as there is one.
async fn entry_of(world: &World, cluster: &Cluster, identity: &str) -> Value {
    let until = Instant::now() + WRITTEN_WITHIN;
    loop {
        let all = world.generated(cluster, "ServiceEntry").await;
        let is_its = |entry: &&Value| entry["spec"]["hosts"][0].as_str().is_some_and(|host| host.contains(identity));
        if let Some(entry) = all.iter().find(is_its) {
            return entry.clone();
        }
        assert!(Instant::now() < until, "after {WRITTEN_WITHIN:?} there is none of {identity}: {all:#?}");
        sleep(Duration::from_millis(100)).await;
    }
}

fn epoch_on(entry: &Value) -> u64 {
    entry["metadata"]["annotations"][EPOCH].as_str().unwrap().parse().unwrap()
}
