//! A cluster's API server behind the production transport: what passes the lock and leaves the process is recorded.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use flagship::cluster::connection::locked_service;
use flagship::cluster::target::Target;
use flagship::mesh::marks;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use serde_json::Value;
use tokio::sync::oneshot;
use tower::BoxError;

use super::super::rng::Rng;
use super::clock::Machine;
use super::instance::{Outgoing, Packet};

/// A way to the cluster for one process.
pub fn target(machine: &Arc<Machine>, write_timeout: Duration) -> Target {
    let machine = Arc::clone(machine);
    let service = tower::service_fn(move |request| serve(Arc::clone(&machine), write_timeout, request));
    Target::Kube(locked_service(service, "https://simulation"))
}

/// From here on nothing of the gate is asked any more.
async fn serve(machine: Arc<Machine>, bound: Duration, request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let began = machine.local();
    let body = request.into_body().collect_bytes().await?;
    let object: Value = serde_json::from_slice(&body)?;
    let epoch = marks::annotation(&object, marks::EPOCH).and_then(Value::as_str).unwrap_or_default().parse()?;
    // The number of the write decides its fate, so that a run does not depend on the order of tasks.
    let number: u64 = object.pointer("/spec/number").and_then(Value::as_u64).unwrap_or_default();
    let mut rng = Rng::new(number);
    if rng.chance(15) {
        // A connection is made first. Given up meanwhile, the write never leaves.
        let most = u64::try_from(bound.as_micros()).unwrap() * 9 / 10;
        tokio::time::sleep(Duration::from_micros(rng.between(1, most))).await;
    }
    let span = machine.stops.packet.swap(0, Ordering::Relaxed);
    if span > 0 {
        machine.stop(span);
    }
    let (reply, answer) = oneshot::channel();
    let packet = Packet {
        epoch,
        number,
        // The packet is on its way within the time that the write may take, connecting included.
        left: bound.saturating_sub(Duration::from_micros(machine.local() - span - began)),
        residual: span > 0,
        synced: machine.synced.load(Ordering::Relaxed),
    };
    machine.send(Outgoing::Write { at: machine.local(), packet, reply });
    match answer.await {
        Ok(()) => Ok(Response::builder().status(StatusCode::CREATED).body(Body::from(body.to_vec()))?),
        Err(_) => std::future::pending().await,
    }
}
