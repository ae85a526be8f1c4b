//! One of ten clusters takes every request and answers none: the other nine converge as fast as without it (promise
//! M2). The program, its reconciler, gate and kube clients are the real ones, in a process of their own; the ten API
//! servers are stubs in this process that need 20 ms for a write, so that what is measured is Flagship.
//!
//! For the record (`just hanging`): FLAGSHIP_ROUNDS (1), FLAGSHIP_WORKLOADS (20). Ratios are asserted from 5 rounds on.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "process/figures.rs"]
#[allow(dead_code, reason = "a part of it is for tests/process.rs")]
mod figures;
#[path = "hanging/stub.rs"]
mod stub;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use figures::{report, rounds, setting};
use serde_json::{Value, json};
use stub::Stub;
use tokio::time::{Instant, timeout};

const CLUSTERS: usize = 10;
/// Of the cluster that hangs.
const HUNG: usize = CLUSTERS - 1;
/// Each workload runs in so many clusters, next to one another.
const HOMES: usize = 3;
const WRITE_TAKES: Duration = Duration::from_millis(20);
const WITHIN: Duration = Duration::from_secs(120);
const MOST_RATIO: f64 = 1.1;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nine_clusters_converge_as_fast_beside_one_that_hangs() {
    let workloads = setting("FLAGSHIP_WORKLOADS", 20);
    let [mut start_alone, mut start_beside, mut burst_alone, mut burst_beside] = [const { Vec::new() }; 4];
    for _ in 0..rounds() {
        let (start, burst) = round(workloads, None).await;
        start_alone.push(start);
        burst_alone.push(burst);
        start_beside.push(round(workloads, Some(When::AtTheStart)).await.0);
        burst_beside.push(round(workloads, Some(When::BeforeTheBurst)).await.1);
    }
    println!("{workloads} workloads, {HOMES} of {CLUSTERS} clusters each; until nine clusters are as they should be");
    compare("from the start of the process", start_alone, start_beside);
    compare("after a change of every workload", burst_alone, burst_beside);
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    AtTheStart,
    BeforeTheBurst,
}

/// Starts ten clusters and an instance; returns how long it took until the nine held all objects, and how long
/// until they held all changes after a change of every workload.
async fn round(workloads: usize, hang: Option<When>) -> (Duration, Duration) {
    let mut clusters = Vec::new();
    for number in 0..CLUSTERS {
        clusters.push(cluster(number, workloads).await);
    }
    if hang == Some(When::AtTheStart) {
        clusters[HUNG].hang();
    }
    let nine = &clusters[..HUNG];
    let folder = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let _instance = Instance::start(folder.path(), &clusters);
    for (number, cluster) in nine.iter().enumerate() {
        let expected = homes_of(number, workloads);
        until(cluster, "destinationrules", "/kind", &json!("DestinationRule"), expected).await;
        until(cluster, "serviceentries", "/kind", &json!("ServiceEntry"), expected).await;
    }
    let start = started.elapsed();
    if hang == Some(When::BeforeTheBurst) {
        clusters[HUNG].hang();
    }
    let changed = Instant::now();
    for (number, cluster) in clusters.iter().enumerate() {
        for workload in (0..workloads).filter(|workload| runs_in(*workload, number)) {
            cluster.put("services", service(workload, 9090));
        }
    }
    for (number, cluster) in nine.iter().enumerate() {
        // Its own endpoint comes first or last, by the name of its region.
        let expected = homes_of(number, workloads);
        let at = |index: usize| format!("/spec/endpoints/{index}/ports/http");
        let all = async {
            while (0..HOMES).map(|i| cluster.count("serviceentries", &at(i), &json!(9090))).sum::<usize>() < expected {
                let _ = timeout(Duration::from_millis(20), cluster.changed()).await;
            }
        };
        timeout(WITHIN, all).await.unwrap_or_else(|_| panic!("cluster {number}: not all changes within {WITHIN:?}"));
    }
    (start, changed.elapsed())
}

async fn until(cluster: &Stub, plural: &str, pointer: &str, value: &Value, expected: usize) {
    let all = async {
        while cluster.count(plural, pointer, value) < expected {
            let _ = timeout(Duration::from_millis(20), cluster.changed()).await;
        }
    };
    let outcome = timeout(WITHIN, all).await;
    outcome.unwrap_or_else(|_| {
        panic!("{} of {expected} {plural} within {WITHIN:?}", cluster.count(plural, pointer, value))
    });
}

fn compare(what: &str, mut alone: Vec<Duration>, mut beside: Vec<Duration>) {
    report(&format!("{what}, ten answer"), alone.clone());
    report(&format!("{what}, one hangs"), beside.clone());
    alone.sort();
    beside.sort();
    let ratio = beside[beside.len() / 2].as_secs_f64() / alone[alone.len() / 2].as_secs_f64();
    println!("{what}: ratio of the medians {ratio:.2}");
    if alone.len() >= 5 {
        assert!(ratio <= MOST_RATIO, "{what}: the hanging cluster costs the others {ratio:.2}");
    }
}

fn runs_in(workload: usize, cluster: usize) -> bool {
    (0..HOMES).any(|step| (workload + step) % CLUSTERS == cluster)
}

fn homes_of(cluster: usize, workloads: usize) -> usize {
    (0..workloads).filter(|workload| runs_in(*workload, cluster)).count()
}

async fn cluster(number: usize, workloads: usize) -> Stub {
    let cluster = Stub::start(WRITE_TAKES).await;
    let region = json!({"topology.kubernetes.io/region": format!("region-{number}")});
    cluster.put("nodes", json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n", "labels": region}}));
    let gateway = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "gw", "namespace": "istio-system", "labels": {"app": "istio-ingressgateway"}},
        "spec": {"ports": [{"port": 15443}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": format!("lb-{number}.example.com")}]}}});
    cluster.put("services", gateway);
    for workload in (0..workloads).filter(|workload| runs_in(*workload, number)) {
        cluster.put("services", service(workload, 8080));
        cluster.put("deployments", deployment(workload));
    }
    cluster
}

fn deployment(workload: usize) -> Value {
    let name = format!("shop-{workload}");
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {
            "labels": {"app": name, "identity": name},
            "annotations": {"sidecar.istio.io/inject": "true", "admiral.io/env": "test"}}}}})
}

fn service(workload: usize, port: u16) -> Value {
    let name = format!("shop-{workload}");
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": port, "targetPort": port}]}})
}

/// The program, which is killed when the test lets go of it.
struct Instance(Child);

impl Instance {
    /// Always active, so that no lease is part of what is measured; its control cluster is an empty folder.
    fn start(folder: &Path, clusters: &[Stub]) -> Self {
        let control = folder.join("control");
        std::fs::create_dir(&control).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_flagship"));
        command.env_clear().args(["run", "--state-checker", "noop", "--metrics=false", "--listen", "127.0.0.1:0"]);
        command.args(["--control", &format!("folder:{}", control.display())]);
        for (number, cluster) in clusters.iter().enumerate() {
            let file = folder.join(format!("{number}.kubeconfig"));
            let kubeconfig = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": cluster.url}}], "users": [{"name": "u", "user": {}}]});
            std::fs::write(&file, kubeconfig.to_string()).unwrap();
            command.args(["--cluster", &format!("c{number}=kubeconfig:{}", file.display())]);
        }
        let log = std::fs::File::create(folder.join("log")).unwrap();
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
