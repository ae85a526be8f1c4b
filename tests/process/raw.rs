//! What the API servers take at best: the same objects, written by nobody in particular.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::Request;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::kube_api::{Cluster, collection};
use super::world::World;

/// Requests under way together in each cluster, tried one after the other: the best counts.
const TOGETHER: [usize; 3] = [8, 16, 32];

/// Creates copies of what Flagship has made, in all clusters at once, in a namespace of their own. Returns objects a
/// second, of the best try. The bodies are made beforehand and the answers are not read.
pub async fn rate(world: &Arc<World>) -> f64 {
    let mut best = 0.0_f64;
    for together in TOGETHER {
        let namespace = format!("flagship-{}-raw-{together}", world.id);
        let mut all = Vec::new();
        for cluster in &world.clusters {
            cluster.create(&json!({"kind": "Namespace", "metadata": {"name": namespace}})).await;
            all.push((cluster, requests(world, cluster, &namespace).await));
        }
        let count: usize = all.iter().map(|(_, requests)| requests.len()).sum();
        let started = Instant::now();
        let writers = all.into_iter().map(|(cluster, requests)| write(cluster, requests, together));
        futures::future::join_all(writers).await;
        let rate = per_second(count, started.elapsed());
        println!("raw: {count} objects, {together} at once in each cluster: {rate:.0} objects/s");
        best = best.max(rate);
        for cluster in &world.clusters {
            for kind in ["ServiceEntry", "DestinationRule"] {
                cluster.delete(&collection(kind, &namespace)).await;
            }
            cluster.delete_namespace(&namespace).await;
        }
    }
    best
}

#[allow(clippy::cast_precision_loss)]
pub fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

async fn requests(world: &World, cluster: &Cluster, namespace: &str) -> Vec<Request<Vec<u8>>> {
    let mut requests = Vec::new();
    for kind in ["ServiceEntry", "DestinationRule"] {
        for mut object in world.generated(cluster, kind).await {
            let of = &object["metadata"];
            object["metadata"] = json!({"name": of["name"], "namespace": namespace, "labels": of["labels"],
                "annotations": of["annotations"]});
            object["kind"] = json!(kind);
            object["apiVersion"] = json!("networking.istio.io/v1alpha3");
            if object["metadata"]["labels"] == Value::Null {
                object["metadata"].as_object_mut().unwrap().remove("labels");
            }
            let request = Request::post(collection(kind, namespace)).header("content-type", "application/json");
            requests.push(request.body(serde_json::to_vec(&object).unwrap()).unwrap());
        }
    }
    requests
}

async fn write(cluster: &Cluster, requests: Vec<Request<Vec<u8>>>, together: usize) {
    stream::iter(requests)
        .for_each_concurrent(together, |request| async {
            let answer = cluster.client.send(request.map(Body::from)).await.unwrap();
            let status = answer.status();
            let body = answer.into_body().collect_bytes().await.unwrap();
            assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        })
        .await;
}
