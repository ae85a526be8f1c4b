//! Whether every change of a workload has arrived in the end.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::scene::Scene;
use crate::process::kube_api::{Cluster, collection};
use crate::process::load::{WORKLOADS, name};
use crate::process::world::World;

const WITHIN: Duration = Duration::from_secs(30);

/// Stops the load and waits until every object is as desired. Returns what is not.
pub async fn changes_lost(scene: &Scene) -> Vec<String> {
    scene.load.stop().await;
    let stopped = Instant::now();
    loop {
        let mut lost = Vec::new();
        for cluster in &scene.world.clusters {
            lost.extend(lost_in(&scene.world, cluster).await);
        }
        if lost.is_empty() || stopped.elapsed() > WITHIN {
            return lost;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

async fn lost_in(world: &World, cluster: &Cluster) -> Vec<String> {
    let entries = world.generated(cluster, "ServiceEntry").await;
    let rules = world.generated(cluster, "DestinationRule").await;
    let services = cluster.list(&collection("Service", &world.apps)).await;
    let workloads: Vec<(String, &Value)> = (0..WORKLOADS)
        .map(name)
        .filter_map(|name| Some((services.iter().find(|service| service["metadata"]["name"] == name.as_str())?, name)))
        .map(|(service, name)| (name, &service["spec"]["ports"][0]["port"]))
        .collect();
    let mut lost = Vec::new();
    for (what, count) in [("ServiceEntries", entries.len()), ("DestinationRules", rules.len())] {
        if count != workloads.len() {
            lost.push(format!("{}: {count} {what}, not {}", cluster.name, workloads.len()));
        }
    }
    for (workload, wanted) in workloads {
        let entry = entries.iter().find(|entry| entry["metadata"]["name"] == format!("test.{workload}.global-se"));
        let ports: Vec<&Value> = entry.map(local_ports).unwrap_or_default();
        if ports != [wanted] {
            lost.push(format!("{}: {workload} listens on {wanted}, its ServiceEntry says {ports:?}", cluster.name));
        }
    }
    lost
}

/// The ports of the endpoints in the cluster itself.
fn local_ports(entry: &Value) -> Vec<&Value> {
    let endpoints = entry["spec"]["endpoints"].as_array().into_iter().flatten();
    let local = endpoints.filter(|e| e["address"].as_str().is_some_and(|a| a.ends_with(".svc.cluster.local")));
    local.map(|endpoint| &endpoint["ports"]["http"]).collect()
}
