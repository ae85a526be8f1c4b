//! A service whose clock, mode and reconciler the test holds in its hands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use flagship::checker::permit::{ModeWriter, mode};
use flagship::checker::status::StatusBoard;
use flagship::clock::Clock;
use flagship::cluster::query::{ClusterSummary, ConditionView, MeshHandle, MeshSummary, PendingChange, Query};
use flagship::http::{HttpState, Instance, metrics_router, router};
use flagship::instant::{Instant, WallTime};
use flagship::metrics::Metrics;
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tower::ServiceExt;

/// The example of the specification, key order included.
pub const SPEC_SERVICE_ENTRIES: &str = r#"[{"metadata":{"name":"stage.greeting.global-se","namespace":"admiral-sync","creationTimestamp":null,"labels":{"admiral.io/env":"stage"},"annotations":{"app.kubernetes.io/created-by":"admiral","identity":"greeting"}},"spec":{"hosts":["stage.greeting.global"],"addresses":["240.0.10.1"],"ports":[{"number":80,"protocol":"http","name":"http"}],"location":"MESH_INTERNAL","resolution":"DNS","endpoints":[{"address":"greeting.sample.svc.cluster.local","ports":{"http":80},"labels":{"security.istio.io/tlsMode":"istio","type":"deployment"},"locality":"us-west-2"}]},"status":{}}]"#;

pub fn at(seconds: u64) -> Instant {
    Instant::from_origin(Duration::from_secs(seconds))
}

/// A clock that stands still until it is set.
pub struct SetClock(Mutex<Instant>);

impl SetClock {
    pub fn set(&self, now: Instant) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for SetClock {
    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_ms(1_700_000_000_000)
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

enum Reconciler {
    Full,
    Empty,
    Stuck,
    Dead,
}

/// The routers with everything that they read. It is 100 s after the clock's origin and the lease lasts 10 s.
pub struct Service {
    pub clock: Arc<SetClock>,
    pub mode: ModeWriter,
    pub board: StatusBoard,
    state: HttpState,
    router: Router,
    stuck: Option<Receiver<Query>>,
}

impl Service {
    pub fn synced() -> Self {
        Self::new(true, Some(Duration::from_secs(10)), Reconciler::Full)
    }

    pub fn unsynced() -> Self {
        Self::new(false, Some(Duration::from_secs(10)), Reconciler::Full)
    }

    pub fn without_loop() -> Self {
        Self::new(true, None, Reconciler::Full)
    }

    pub fn empty() -> Self {
        Self::new(true, None, Reconciler::Empty)
    }

    pub fn with_dead_reconciler() -> Self {
        Self::new(true, None, Reconciler::Dead)
    }

    pub fn with_stuck_reconciler() -> Self {
        Self::new(true, None, Reconciler::Stuck)
    }

    fn new(synced: bool, beat_within: Option<Duration>, reconciler: Reconciler) -> Self {
        let clock = Arc::new(SetClock(Mutex::new(at(100))));
        let (writer, reader) = mode();
        let board = StatusBoard::new("dynamodb", Arc::<SetClock>::clone(&clock));
        let (mesh, queries) = MeshHandle::channel();
        let mut stuck = None;
        match reconciler {
            Reconciler::Full => drop(tokio::spawn(answer(queries, true))),
            Reconciler::Empty => drop(tokio::spawn(answer(queries, false))),
            Reconciler::Stuck => stuck = Some(queries),
            Reconciler::Dead => drop(queries),
        }
        let instance = Instance {
            name: "pod-1".to_owned(),
            id: uuid::Uuid::nil(),
            region: "us-west-2".to_owned(),
            endpoint: "http://pod-1:8080".to_owned(),
            version: "0.1.0".to_owned(),
            started: at(10),
        };
        let state = HttpState {
            mode: reader,
            board: board.clone(),
            mesh,
            clock: Arc::<SetClock>::clone(&clock),
            synced: Arc::new(AtomicBool::new(synced)),
            beat_within,
            instance: Arc::new(instance),
            metrics: Arc::new(Metrics::new("0.1.0")),
        };
        Self { clock, mode: writer, board, router: router(state.clone()), state, stuck }
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri).await
    }

    pub async fn ask(&self, method: Method, uri: &str) -> Answer {
        send(self.router.clone(), method, uri).await
    }

    pub async fn metrics(&self, uri: &str) -> Answer {
        send(metrics_router(self.state.clone()), Method::GET, uri).await
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stuck.take();
    }
}

async fn send(router: Router, method: Method, uri: &str) -> Answer {
    let request = Request::builder().method(method).uri(uri).header("host", "admiral.example");
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

async fn answer(mut queries: Receiver<Query>, full: bool) {
    while let Some(query) = queries.recv().await {
        match query {
            Query::Summary(reply) => drop(reply.send(summary(full))),
            Query::ServiceEntries(cluster, reply) => drop(reply.send(service_entries(&cluster))),
            Query::Hosts(reply) => drop(reply.send(BTreeMap::from([
                ("stage.greeting.global".to_owned(), vec!["cluster-a".to_owned()]),
                ("stage.webapp.global".to_owned(), vec!["cluster-a".to_owned(), "cluster-b".to_owned()]),
            ]))),
            Query::Explain(question, reply) => {
                let planner = flagship::plan::Planner::new(flagship::mesh::MeshOptions::default());
                drop(reply.send(flagship::explain::explain(&planner, &question)));
            }
            Query::TrafficPolicy(identity, env, reply) => {
                let found = (identity == "greeting" && env == "stage").then(traffic_policy);
                drop(reply.send(found));
            }
            Query::Plan(limit, reply) => drop(reply.send((0..3.min(limit)).map(change).collect())),
        }
    }
}

fn summary(full: bool) -> MeshSummary {
    if !full {
        return MeshSummary::default();
    }
    let cluster = |name: &str| ClusterSummary { name: name.to_owned(), ..ClusterSummary::default() };
    let condition = ConditionView {
        cluster: "cluster-a".to_owned(),
        subject: "Service istio-system/istio-ingressgateway".to_owned(),
        reason: "NoGateway".to_owned(),
        message: "no load balancer address".to_owned(),
    };
    MeshSummary {
        clusters: vec![cluster("cluster-b"), cluster("cluster-a")],
        conditions: vec![condition],
        ..MeshSummary::default()
    }
}

fn service_entries(cluster: &str) -> Option<Vec<Value>> {
    let entries: Vec<Value> = serde_json::from_str(SPEC_SERVICE_ENTRIES).unwrap();
    match cluster {
        // Without what Admiral's types add by themselves.
        "cluster-a" => Some(entries.into_iter().map(stripped).collect()),
        "cluster-b" => Some(Vec::new()),
        _ => None,
    }
}

fn stripped(mut entry: Value) -> Value {
    entry.as_object_mut().unwrap().remove("status");
    entry["metadata"].as_object_mut().unwrap().remove("creationTimestamp");
    entry
}

fn change(n: usize) -> PendingChange {
    PendingChange {
        cluster: "cluster-a".to_owned(),
        verb: "create".to_owned(),
        object: format!("ServiceEntry admiral-sync/{n}"),
        failures: 0,
        last_error: String::new(),
    }
}

fn traffic_policy() -> Value {
    serde_json::json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy",
        "metadata": {"name": "gtp1", "namespace": "sample"}, "spec": {"policy": [{"dnsPrefix": "west", "lbType": 0}]}})
}
