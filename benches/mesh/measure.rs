//! One size, measured: what a new instance does at its start, and what an event costs it afterwards.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use flagship::instant::WallTime;
use flagship::mesh::{ClusterId, Kind, MeshOptions, ObjectKey, Op, Origin};
use flagship::plan::Planner;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::made_up;

const NOW: WallTime = WallTime::from_unix_ms(1_700_000_000_000);
/// Single changes that are timed.
const CHANGES: usize = 500;

#[derive(Serialize, Deserialize)]
pub struct Figures {
    pub workloads: usize,
    pub clusters: usize,
    /// Generated objects in all clusters.
    pub objects: usize,
    /// Taking up the first lists.
    pub fold_ms: f64,
    /// The first plan: everything is to be created.
    pub full_plan_ms: f64,
    /// Taking up the answer to each write, planning after each.
    pub carry_out_ms: f64,
    /// Planning everything anew, with nothing to be written.
    pub replan_ms: f64,
    /// A workload's port changes in its clusters: event to plan, median and 99th percentile.
    pub change_us: f64,
    pub change_p99_us: f64,
    /// An identity appears, which takes an address: event to plan.
    pub new_host_us: f64,
    pub new_host_p99_us: f64,
    /// What the reconciler tells once a second while anything changes.
    pub report_us: f64,
    /// The most memory that the process ever had.
    pub peak_mib: u64,
    /// Resident memory at rest, without what the process has before the first object.
    pub bytes_per_workload: u64,
}

pub fn measure(workloads: usize, clusters: usize) -> Figures {
    let idle = memory("VmRSS:");
    let mut planner = Planner::new(MeshOptions::default());
    let fold_ms = millis(timed(|| fold(&mut planner, workloads, clusters)));
    let full_plan_ms = millis(timed(|| planner.plan(NOW)));
    let mut objects = 0;
    let carry_out_ms = millis(timed(|| objects = carry_out(&mut planner)));
    let resident = memory("VmRSS:");
    let (change_us, change_p99_us) = median_and_p99(changes(&mut planner, workloads, clusters));
    let (new_host_us, new_host_p99_us) = median_and_p99(new_hosts(&mut planner, workloads, clusters));
    let replan_ms = millis(timed(|| {
        planner.set_synced(&Origin::Control, false);
        planner.set_synced(&Origin::Control, true);
        assert!(planner.plan(NOW).is_empty(), "nothing is to be written");
    }));
    let report = timed(|| {
        planner.conditions();
        planner.progress().count();
        planner.pending_count();
    });
    Figures {
        workloads,
        clusters,
        objects,
        fold_ms,
        full_plan_ms,
        carry_out_ms,
        replan_ms,
        change_us,
        change_p99_us,
        new_host_us,
        new_host_p99_us,
        report_us: micros(report),
        peak_mib: memory("VmHWM:") >> 20,
        bytes_per_workload: resident.saturating_sub(idle) / workloads as u64,
    }
}

/// The first list of every kind of every cluster.
fn fold(planner: &mut Planner, workloads: usize, clusters: usize) {
    let records: Vec<Value> = (0..workloads).map(|w| made_up::dependency(w, workloads)).collect();
    list(planner, &Origin::Control, Kind::Dependency, &records);
    drop(records);
    for cluster in 0..clusters {
        planner.add_cluster(&id(cluster));
    }
    for cluster in 0..clusters {
        let origin = Origin::Cluster(id(cluster));
        let here: Vec<usize> = (0..workloads).filter(|w| made_up::homes(*w, clusters).contains(&cluster)).collect();
        list(planner, &origin, Kind::Node, &[made_up::node(cluster)]);
        let mut services: Vec<Value> = here.iter().map(|w| made_up::service(*w, 8080)).collect();
        services.push(made_up::gateway(cluster));
        list(planner, &origin, Kind::Service, &services);
        drop(services);
        let deployments: Vec<Value> = here.iter().map(|w| made_up::deployment(*w)).collect();
        list(planner, &origin, Kind::Deployment, &deployments);
        planner.set_synced(&origin, true);
    }
    planner.set_synced(&Origin::Control, true);
}

fn list(planner: &mut Planner, origin: &Origin, kind: Kind, objects: &[Value]) {
    let errors = planner.replace(origin, kind, None, objects);
    assert!(errors.is_empty(), "{errors:?}");
}

/// Plays the API servers: everything pending is stored and observed. Returns how many objects that were.
fn carry_out(planner: &mut Planner) -> usize {
    let clusters: Vec<ClusterId> = planner.clusters().into_iter().map(|view| view.id).collect();
    let mut count = 0;
    for cluster in clusters {
        let keys: Vec<ObjectKey> = planner.pending_in(&cluster).map(|(key, _)| key.clone()).collect();
        for key in keys {
            write(planner, &cluster, &key, count);
            count += 1;
        }
    }
    assert_eq!(planner.pending_count(), 0);
    count
}

fn write(planner: &mut Planner, cluster: &ClusterId, key: &ObjectKey, version: usize) {
    let Some(change) = planner.change(cluster, key) else { return };
    let origin = Origin::Cluster(cluster.clone());
    match change.op {
        Op::Create { mut object } | Op::Update { mut object, .. } => {
            let metadata = &mut object["metadata"];
            metadata["uid"] = json!(format!("2b1e2c3d-0000-4000-8000-{version:012}"));
            metadata["resourceVersion"] = json!((1_000_000 + version).to_string());
            metadata["creationTimestamp"] = json!("2024-03-01T10:00:00Z");
            metadata["annotations"]["flagship.io/epoch"] = json!("7");
            planner.apply_as(&origin, key.kind, &object).unwrap();
        }
        Op::Delete { .. } => planner.delete(&origin, key),
    }
    planner.plan(NOW);
}

/// Times the event of a changed port, in one cluster, and the plan that follows. What it leads to is carried out
/// outside the measured time.
fn changes(planner: &mut Planner, workloads: usize, clusters: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(CHANGES);
    for turn in 0..CHANGES {
        let workload = (turn * 104_729) % workloads;
        let origin = Origin::Cluster(id(made_up::homes(workload, clusters)[0]));
        let object = made_up::service(workload, 9000 + u16::try_from(turn).unwrap());
        let mut pending = BTreeSet::new();
        times.push(timed(|| {
            planner.apply(&origin, &object).unwrap();
            pending = planner.plan(NOW);
        }));
        assert_eq!(pending.len(), 1, "the ServiceEntry of one cluster names the local port: {pending:?}");
        settle(planner, pending, turn);
    }
    times
}

/// Times the appearance of an identity in its two clusters.
fn new_hosts(planner: &mut Planner, workloads: usize, clusters: usize) -> Vec<Duration> {
    let mut times = Vec::with_capacity(CHANGES);
    for workload in workloads..workloads + CHANGES {
        let homes = made_up::homes(workload, clusters).map(|home| Origin::Cluster(id(home)));
        let (deployment, service) = (made_up::deployment(workload), made_up::service(workload, 8080));
        let mut pending = BTreeSet::new();
        times.push(timed(|| {
            for home in &homes {
                planner.apply(home, &deployment).unwrap();
                planner.apply(home, &service).unwrap();
            }
            pending = planner.plan(NOW);
        }));
        let distinct = if homes[0] == homes[1] { 1 } else { 2 };
        assert_eq!(pending.len(), 2 * distinct, "a ServiceEntry and a DestinationRule in each home");
        settle(planner, pending, workload);
    }
    times
}

fn settle(planner: &mut Planner, pending: BTreeSet<(ClusterId, ObjectKey)>, version: usize) {
    for (cluster, key) in pending {
        write(planner, &cluster, &key, 1_000_000 + version);
    }
    assert_eq!(planner.pending_count(), 0);
}

fn id(cluster: usize) -> ClusterId {
    ClusterId::new(&format!("cluster-{cluster:02}"))
}

#[allow(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    let result = work();
    let took = started.elapsed();
    drop(result);
    took
}

fn median_and_p99(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    (micros(times[times.len() / 2]), micros(times[times.len() * 99 / 100]))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// A figure of `/proc/self/status`, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}
