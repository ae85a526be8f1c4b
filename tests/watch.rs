//! Watches against API servers that lack a kind, refuse connections or vanish.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use flagship::cluster::connection::locked;
use flagship::cluster::event::{ClusterEvent, channel};
use flagship::cluster::target::Target;
use flagship::cluster::watch::{WatchOptions, Watches, kinds};
use flagship::mesh::{ClusterId, Kind, MeshSettings, Origin};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

fn options() -> WatchOptions {
    WatchOptions::from(&MeshSettings::default())
}

fn origin(name: &str) -> Origin {
    Origin::Cluster(ClusterId::new(name))
}

async fn target(port: u16) -> Arc<Target> {
    let uri = format!("http://127.0.0.1:{port}").parse().unwrap();
    Arc::new(Target::Kube(locked(kube::Config::new(uri)).await.unwrap()))
}

/// Serves empty lists and silent watches, except for what Istio and Argo bring.
async fn without_istio(request: Request) -> Response {
    let (path, query) = (request.uri().path().to_owned(), request.uri().query().unwrap_or_default().to_owned());
    if path.contains("networking.istio.io") || path.contains("argoproj.io") {
        return (StatusCode::NOT_FOUND, "404 page not found\n").into_response();
    }
    if query.contains("watch=true") {
        std::future::pending::<()>().await;
    }
    let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": "5" }, "items": [] });
    list.to_string().into_response()
}

async fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(without_istio)).await.unwrap() });
    port
}

async fn next(events: &mut Receiver<ClusterEvent>) -> Option<ClusterEvent> {
    tokio::time::timeout(Duration::from_secs(4), events.recv()).await.ok().flatten()
}

#[tokio::test]
async fn a_kind_that_is_not_installed_is_empty_once_and_reported_once() {
    let (events, mut receiver) = channel();
    let target = target(serve().await).await;
    let watches = Watches::start(&origin("east"), &target, &options(), &events, &CancellationToken::new());
    let (mut listed, mut failed) = (Vec::new(), Vec::new());
    while let Some(event) = next(&mut receiver).await {
        match event {
            ClusterEvent::Listed { kind, objects, .. } => {
                assert!(objects.is_empty());
                listed.push(kind);
            }
            ClusterEvent::WatchFailed { kind: Some(kind), error, .. } => {
                assert!(error.contains("install the CRDs of Istio"), "{error}");
                failed.push(kind);
            }
            other => panic!("{other:?}"),
        }
    }
    listed.sort();
    failed.sort();
    assert_eq!(
        failed,
        [Kind::ServiceEntry, Kind::DestinationRule, Kind::VirtualService],
        "not Rollouts: a cluster may do without Argo"
    );
    assert_eq!(listed, kinds(&origin("east"), &options().kinds()));
    assert_eq!(watches.running(), listed.len());
    tokio::time::timeout(Duration::from_secs(1), watches.stop()).await.expect("no task leaks");
    drop(events);
    assert!(receiver.recv().await.is_none(), "no task holds the channel");
}

#[tokio::test]
async fn an_unreachable_cluster_costs_the_others_nothing() {
    let (events, mut receiver) = channel();
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let cancel = CancellationToken::new();
    let dead = target(nobody).await;
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hung = target(hanging.local_addr().unwrap().port()).await;
    let well = target(serve().await).await;
    let started = tokio::time::Instant::now();
    let all = [(&dead, "dead"), (&hung, "hung"), (&well, "well")]
        .map(|(target, name)| Watches::start(&origin(name), target, &options(), &events, &cancel));
    let (mut listed, mut failures) = (0, 0);
    let expected = kinds(&origin("well"), &options().kinds()).len();
    while listed < expected {
        match next(&mut receiver).await.expect("the well cluster's lists") {
            ClusterEvent::Listed { origin: from, .. } => {
                assert_eq!(from, origin("well"));
                listed += 1;
            }
            ClusterEvent::WatchFailed { origin: from, .. } if from == origin("dead") => failures += 1,
            ClusterEvent::WatchFailed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    while let Some(event) = next(&mut receiver).await {
        match event {
            ClusterEvent::WatchFailed { origin: from, .. } if from == origin("dead") => failures += 1,
            // Its Istio kinds, which it lacks.
            ClusterEvent::WatchFailed { origin: from, .. } if from == origin("well") => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failures, expected, "one a kind, however often it is tried");
    cancel.cancel();
    for watches in all {
        tokio::time::timeout(Duration::from_secs(1), watches.stop()).await.expect("no task leaks");
    }
}
