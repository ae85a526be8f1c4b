//! A mesh at rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::counts::Mark;
use super::figures::setting;
use super::instance::Instance;
use super::pair::{LEASE, MARGIN, POLL, SLACK, STARTS_WITHIN};
use super::poll::{ACTIVE, Poller};
use super::world::{World, with_world};

const CONVERGES_WITHIN: Duration = Duration::from_secs(600);

/// Promise M1: what is as it should be is not written again, neither by the active nor by the one that takes over,
/// and no host changes its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steady() {
    with_world(|world| async move {
        let workloads = setting("FLAGSHIP_WORKLOADS", 100);
        let quiet = Duration::from_secs(setting("FLAGSHIP_QUIET_S", 5) as u64);
        let expected = furnish(&world, workloads).await;

        let mark = Mark::now(&world).await;
        let active = Instance::start(&world, "east", &world.dynamodb, &[]);
        let active_poller = Poller::start(&active.url);
        let is_active = active_poller.until(ACTIVE, active.started, CONVERGES_WITHIN).await;
        converged(&active, expected).await;
        let took = active.started.elapsed();
        let counted = mark.since(&world).await;
        assert_eq!(count(&world).await, expected, "objects in the clusters");
        println!(
            "{workloads} workloads, {expected} objects: active after {:.1} s, converged after {:.1} s",
            (is_active.received - active.started).as_secs_f64(),
            took.as_secs_f64(),
        );
        println!("{} writes, {:.2} an object; {:?}", counted.ours, ratio(counted.ours, expected), counted.requests);
        let (mib, cpu_s) = active.usage();
        println!("{mib} MiB resident, {cpu_s:.1} CPU s (debug build)");
        assert_eq!(counted.ours, expected, "one write an object is enough");

        let mark = Mark::now(&world).await;
        sleep(quiet).await;
        mark.since(&world).await.assert_no_writes();
        println!("0 writes in {quiet:?}");

        let standby = Instance::start(&world, "west", &world.dynamodb, &[]);
        let poller = Poller::start(&standby.url);
        standby.ready(STARTS_WITHIN + took).await;
        let (before, mark) = (addresses(&world).await, Mark::now(&world).await);
        let killed = Instant::now();
        active.signal(Signal::KILL);
        let first = poller.until(ACTIVE, killed, LEASE + MARGIN + POLL + SLACK).await;
        println!("takeover after {:.2} s", (first.received - killed).as_secs_f64());
        sleep(quiet).await;
        mark.since(&world).await.assert_no_writes();
        assert_eq!(addresses(&world).await, before, "the takeover moved addresses");
        println!("0 writes in {quiet:?} after the takeover, {} addresses as before", before.len());
    })
    .await;
}

/// Workloads in groups of four: one in alpha, one in beta, two in both. In every second group the last one calls
/// the first two, which puts them into both clusters too. Returns how many objects that makes.
async fn furnish(world: &Arc<World>, workloads: usize) -> usize {
    let name = |number: usize| format!("steady-{number:04}");
    let (mut in_cluster, mut dependencies, mut placements) = ([Vec::new(), Vec::new()], Vec::new(), 0);
    for number in 0..workloads {
        let (group, place) = (number / 4, number % 4);
        let runs_in: &[usize] = [&[0][..], &[1], &[0, 1], &[0, 1]][place];
        for cluster in runs_in {
            in_cluster[*cluster].extend([world.deployment(&name(number)), world.service(&name(number))]);
        }
        let client = 4 * group + 3;
        let is_called = place < 2 && group % 2 == 0 && client < workloads;
        placements += if is_called { 2 } else { runs_in.len() };
        if number == client && group % 2 == 0 {
            dependencies.push(world.dependency(&name(client), &[name(4 * group), name(4 * group + 1)]));
        }
    }
    let [in_alpha, in_beta] = in_cluster;
    futures::join!(world.alpha().create_all(in_alpha), world.beta().create_all(in_beta));
    world.alpha().create_all(dependencies).await;
    // A ServiceEntry and a DestinationRule each.
    2 * placements
}

/// Waits until `instance` wants exactly `expected` objects and has nothing left to write.
async fn converged(instance: &Instance, expected: usize) {
    loop {
        let status = instance.status().await;
        let clusters: Vec<Value> = status["mesh"]["clusters"].as_array().cloned().unwrap_or_default();
        let sum = |field: &str| clusters.iter().filter_map(|cluster| cluster[field].as_u64()).sum::<u64>();
        if (sum("desiredObjects"), sum("pendingChanges")) == (expected as u64, 0) {
            return;
        }
        assert!(instance.started.elapsed() < CONVERGES_WITHIN, "not converged to {expected}: {clusters:?}");
        sleep(Duration::from_millis(100)).await;
    }
}

async fn count(world: &World) -> usize {
    let mut count = 0;
    for cluster in &world.clusters {
        for kind in ["ServiceEntry", "DestinationRule"] {
            count += world.generated(cluster, kind).await.len();
        }
    }
    count
}

/// The addresses of every ServiceEntry.
async fn addresses(world: &World) -> BTreeMap<String, Value> {
    let mut addresses = BTreeMap::new();
    for cluster in &world.clusters {
        for entry in world.generated(cluster, "ServiceEntry").await {
            assert_eq!(entry["spec"]["addresses"].as_array().map(Vec::len), Some(1), "{entry}");
            addresses
                .insert(format!("{} {}", cluster.name, entry["metadata"]["name"]), entry["spec"]["addresses"].clone());
        }
    }
    addresses
}

#[allow(clippy::cast_precision_loss)]
fn ratio(writes: usize, objects: usize) -> f64 {
    writes as f64 / objects as f64
}
