//! A mesh at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::audit;
use super::counts::Mark;
use super::figures::setting;
use super::instance::Instance;
use super::kube_api::collection;
use super::pair::{LEASE, MARGIN, POLL, SLACK, STARTS_WITHIN};
use super::poll::{ACTIVE, Poller};
use super::raw;
use super::workload::{PORT, port};
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

        let (active, took) = converge(&world, workloads, expected).await;
        let mark = Mark::now(&world).await;
        sleep(quiet).await;
        mark.since(&world).await.assert_no_writes();
        println!("0 writes in {quiet:?}");

        let standby = Instance::start(&world, "west", &world.dynamodb, &[]);
        let poller = Poller::start(&standby.url);
        standby.ready(STARTS_WITHIN + took).await;
        let (before, mark) = (addresses(&world).await, Mark::now(&world).await);
        take_over(active, &poller).await;
        sleep(quiet).await;
        mark.since(&world).await.assert_no_writes();
        assert_eq!(addresses(&world).await, before, "the takeover moved addresses");
        println!("0 writes in {quiet:?} after the takeover, {} addresses as before", before.len());

        let third = Instance::start(&world, "east", &world.dynamodb, &[]);
        let poller = Poller::start(&third.url);
        third.ready(STARTS_WITHIN + took).await;
        let from = audit::ends(&world);
        let old = standby;
        old.signal(Signal::KILL);
        let changed = change_some(&world, workloads).await;
        take_over(old, &poller).await;
        converged(&third, expected).await;
        let written = audit::written_since(&world, &from);
        assert_eq!(written, changed, "exactly what the changes ask for is written");
        println!(
            "{} identities changed during the takeover: {} writes",
            changed_identities(workloads).len(),
            written.len()
        );
        drop(third);
        if setting("FLAGSHIP_RAW", 0) > 0 {
            let (rate, best) = (raw::per_second(expected, took_to_write(&world)), raw::rate(&world).await);
            println!("{rate:.0} objects/s against {best:.0} raw: {:.0} %", 100.0 * rate / best);
        }
    })
    .await;
}

/// Starts an instance on clusters without any generated object, and waits until they hold all.
async fn converge(world: &Arc<World>, workloads: usize, expected: usize) -> (Instance, Duration) {
    let mark = Mark::now(world).await;
    let active = Instance::start(world, "east", &world.dynamodb, &[]);
    let active_poller = Poller::start(&active.url);
    let is_active = active_poller.until(ACTIVE, active.started, CONVERGES_WITHIN).await;
    converged(&active, expected).await;
    let took = active.started.elapsed();
    let counted = mark.since(world).await;
    assert_eq!(count(world).await, expected, "objects in the clusters");
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    println!(
        "{workloads} workloads, {expected} objects: active after {:.1} s, converged after {:.1} s ({build} build)",
        (is_active.received - active.started).as_secs_f64(),
        took.as_secs_f64(),
    );
    let span = took_to_write(world);
    println!(
        "{} writes, {:.2} an object, the first to the last {:.1} s: {:.0} objects/s; {:?}",
        counted.ours,
        ratio(counted.ours, expected),
        span.as_secs_f64(),
        raw::per_second(expected, span),
        counted.requests
    );
    let usage = active.usage();
    println!("{} MiB resident, {} MiB at most, {:.1} CPU s", usage.resident_mib, usage.peak_mib, usage.cpu_s);
    assert_eq!(counted.ours, expected, "one write an object is enough");
    (active, took)
}

/// From the first create of Flagship's to the last, by the audit logs.
fn took_to_write(world: &World) -> Duration {
    let times = audit::creates(world);
    let (first, last) = (times.iter().min(), times.iter().max());
    let millis = last.zip(first).map(|(last, first)| last - first).unwrap_or_default();
    Duration::from_millis(u64::try_from(millis).unwrap().max(1))
}

/// Kills the active one and waits until the other one is active.
async fn take_over(active: Instance, poller: &Poller) {
    let killed = Instant::now();
    active.signal(Signal::KILL);
    let first = poller.until(ACTIVE, killed, LEASE + MARGIN + POLL + SLACK).await;
    println!("takeover after {:.2} s", (first.received - killed).as_secs_f64());
}

/// Fifty identities, or a fifth of all.
fn changed_identities(workloads: usize) -> Vec<usize> {
    let count = (workloads / 5).clamp(1, 50);
    (0..count).map(|number| number * (workloads / count)).collect()
}

/// Gives the Services of some workloads another port, and returns what has to be written for that: the ServiceEntry
/// of each cluster that runs the workload, which names the port of the Service within the cluster.
async fn change_some(world: &World, workloads: usize) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for number in changed_identities(workloads) {
        for at in runs_in(number) {
            let cluster = &world.clusters[*at];
            let path = format!("{}/{}", collection("Service", &world.apps), name(number));
            cluster.patch(&path, &json!({"spec": {"ports": [port(PORT + 1)]}})).await;
            expected.insert(format!("{} update serviceentries test.{}.global-se", cluster.name, name(number)));
        }
    }
    expected
}

fn name(number: usize) -> String {
    format!("steady-{number:04}")
}

/// Numbers of the clusters that run a workload.
fn runs_in(number: usize) -> &'static [usize] {
    [&[0][..], &[1], &[0, 1], &[0, 1]][number % 4]
}

/// Workloads in groups of four: one in alpha, one in beta, two in both. In every second group the last one calls
/// the first two, which puts them into both clusters too. Returns how many objects that makes.
async fn furnish(world: &Arc<World>, workloads: usize) -> usize {
    let (mut in_cluster, mut dependencies, mut placements) = ([Vec::new(), Vec::new()], Vec::new(), 0);
    for number in 0..workloads {
        let (group, place) = (number / 4, number % 4);
        for cluster in runs_in(number) {
            in_cluster[*cluster].extend([world.deployment(&name(number)), world.service(&name(number))]);
        }
        let client = 4 * group + 3;
        let is_called = place < 2 && group % 2 == 0 && client < workloads;
        placements += if is_called { 2 } else { runs_in(number).len() };
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
