//! The gate against API servers that misbehave: closed, wrong epoch, hanging, resetting, refusing.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use flagship::checker::permit::{ModeWriter, Permit, mode};
use flagship::clock::{Clock, SharedClock};
use flagship::cluster::connection::locked;
use flagship::cluster::gate::{Closed, Gate, GateError, Written};
use flagship::cluster::target::{ReadError, Target};
use flagship::instant::{Instant, WallTime};
use flagship::mesh::{Change, Kind, ObjectKey, Op};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

const TIMEOUT: Duration = Duration::from_millis(400);
const DEADLINE: u64 = 100_000;

/// A clock in milliseconds that moves only when told, and by `jump` at the look number `jump_at`.
#[derive(Default)]
struct ManualClock {
    now_ms: AtomicU64,
    looks: AtomicUsize,
    jump_at: AtomicUsize,
    jump_to: AtomicU64,
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        let look = self.looks.fetch_add(1, Ordering::SeqCst) + 1;
        let jump_at = self.jump_at.load(Ordering::SeqCst);
        if jump_at > 0 && look >= jump_at {
            self.now_ms.store(self.jump_to.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        at(self.now_ms.load(Ordering::SeqCst))
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_ms(0)
    }
}

fn at(ms: u64) -> Instant {
    Instant::from_origin(Duration::from_millis(ms))
}

struct Seen {
    method: String,
    uri: String,
    agent: String,
    body: Value,
}

#[derive(Clone)]
enum Answer {
    Status(u16, Value),
    After(Duration, u16),
    Hang,
}

/// An API server on loopback that gives one answer to everything and remembers what it was asked.
struct Server {
    target: Target,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(answer: Answer) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let handler = move |request: Request| {
            let (record, answer) = (Arc::clone(&record), answer.clone());
            async move {
                let (method, uri) = (request.method().to_string(), request.uri().to_string());
                let agent = request.headers().get("user-agent").and_then(|value| value.to_str().ok());
                let agent = agent.unwrap_or_default().to_owned();
                let bytes = to_bytes(request.into_body(), 1 << 20).await.unwrap();
                let body = serde_json::from_slice(&bytes).unwrap_or_default();
                record.lock().unwrap().push(Seen { method, uri, agent, body });
                reply(answer).await
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = connect(listener.local_addr().unwrap().port()).await;
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(handler)).await.unwrap() });
        Self { target, seen }
    }

    fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    async fn until_asked(&self) {
        for _ in 0..2500 {
            if self.requests() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("nothing was sent in 5 s");
    }
}

async fn reply(answer: Answer) -> Response {
    let respond = |status: u16, body: &Value| {
        Response::builder().status(status).header("retry-after", "2").body(Body::from(body.to_string())).unwrap()
    };
    match answer {
        Answer::Status(status, body) => respond(status, &body),
        Answer::After(wait, status) => {
            tokio::time::sleep(wait).await;
            respond(status, &json!({}))
        }
        Answer::Hang => std::future::pending().await,
    }
}

async fn connect(port: u16) -> Target {
    let uri = format!("http://127.0.0.1:{port}").parse().unwrap();
    Target::Kube(locked(kube::Config::new(uri)).await.unwrap())
}

struct World {
    gate: Arc<Gate>,
    mode: ModeWriter,
    clock: Arc<ManualClock>,
}

/// A gate at epoch 7, with plenty of time.
fn world() -> World {
    let clock = Arc::new(ManualClock::default());
    let (writer, reader) = mode();
    writer.set(Some(permit(7)));
    let gate = Arc::new(Gate::new(reader, Arc::clone(&clock) as SharedClock, TIMEOUT));
    World { gate, mode: writer, clock }
}

fn permit(epoch: u64) -> Permit {
    Permit { epoch, deadline: at(DEADLINE) }
}

fn key() -> ObjectKey {
    ObjectKey::new(Kind::ServiceEntry, "admiral-sync", "a-se")
}

fn object() -> Value {
    json!({ "kind": "ServiceEntry", "metadata": { "name": "a-se", "namespace": "admiral-sync" }, "spec": {} })
}

fn create() -> Change {
    Change { key: key(), op: Op::Create { object: object() } }
}

fn update() -> Change {
    Change { key: key(), op: Op::Update { object: object(), uid: Some("u".into()), resource_version: "5".into() } }
}

fn delete() -> Change {
    Change { key: key(), op: Op::Delete { uid: Some("u".into()), resource_version: "5".into(), requires: None } }
}

#[tokio::test]
async fn a_closed_gate_sends_nothing() {
    let server = Server::start(Answer::Status(201, json!({}))).await;
    let world = world();
    world.mode.set(None);
    let outcome = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert_eq!(outcome, Err(GateError::Closed { why: Closed::Passive }));

    world.mode.set(Some(permit(8)));
    let outcome = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert_eq!(outcome, Err(GateError::Closed { why: Closed::OtherEpoch { permit: 7, current: 8 } }));

    world.mode.set(Some(permit(7)));
    world.clock.now_ms.store(DEADLINE - 399, Ordering::SeqCst);
    let outcome = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert_eq!(outcome, Err(GateError::Closed { why: Closed::TooShort { left_ms: 399, needed_ms: 400 } }));

    world.clock.now_ms.store(DEADLINE, Ordering::SeqCst);
    let outcome = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert_eq!(outcome, Err(GateError::Closed { why: Closed::Passive }));
    assert_eq!(server.requests(), 0);
    assert_eq!(world.gate.counts().failed["closed"], 4);
}

#[tokio::test]
async fn the_transport_asks_again_when_the_request_leaves() {
    let server = Server::start(Answer::Status(201, json!({}))).await;
    let world = world();
    // The gate looks twice (the pass, the watch for its loss); the third look is the transport's.
    world.clock.jump_at.store(3, Ordering::SeqCst);
    world.clock.jump_to.store(DEADLINE - 10, Ordering::SeqCst);
    let outcome = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert_eq!(outcome, Err(GateError::Closed { why: Closed::TooShort { left_ms: 10, needed_ms: 400 } }));
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn requests_carry_epoch_preconditions_and_time_limit() {
    let server = Server::start(Answer::Status(200, json!({ "ok": true }))).await;
    let world = world();
    let written = world.gate.apply(&permit(7), &server.target, &create()).await.unwrap();
    assert_eq!(written, Written::Applied(json!({ "ok": true })));
    world.gate.apply(&permit(7), &server.target, &update()).await.unwrap();
    assert_eq!(world.gate.apply(&permit(7), &server.target, &delete()).await, Ok(Written::Deleted));

    let seen = server.seen.lock().unwrap();
    assert_eq!(seen.iter().map(|s| s.method.as_str()).collect::<Vec<_>>(), ["POST", "PUT", "DELETE"]);
    assert!(seen.iter().all(|s| s.uri.ends_with("?timeout=400ms")));
    assert!(seen.iter().all(|s| s.agent.starts_with("flagship/") && s.agent.ends_with(" (epoch 7)")));
    for write in &seen[..2] {
        assert_eq!(write.body["metadata"]["annotations"]["flagship.io/epoch"], "7");
    }
    assert_eq!(seen[1].body["metadata"]["resourceVersion"], "5");
    assert_eq!(seen[1].body["metadata"]["uid"], "u");
    assert_eq!(seen[2].body["preconditions"], json!({ "uid": "u", "resourceVersion": "5" }));
    assert_eq!(world.gate.counts().written, [("create", 1), ("delete", 1), ("update", 1)].into());
}

#[tokio::test]
async fn an_object_that_is_not_the_one_named_is_not_sent() {
    let server = Server::start(Answer::Status(200, json!({}))).await;
    let world = world();
    let mut other = object();
    other["metadata"]["name"] = json!("b-se");
    let change = Change { key: key(), op: Op::Create { object: other } };
    assert!(matches!(world.gate.apply(&permit(7), &server.target, &change).await, Err(GateError::Invalid { .. })));
    let mut outside = create();
    outside.key.name = "../../nodes/x".to_owned();
    assert!(matches!(world.gate.apply(&permit(7), &server.target, &outside).await, Err(GateError::Invalid { .. })));
    let read = world.gate.reread(&server.target, &outside.key).await;
    assert!(matches!(read, Err(ReadError::Invalid { .. })));
    assert_eq!(server.requests(), 0);
}

/// Some tools write an empty mapping as null.
#[tokio::test]
async fn annotations_that_are_null_take_the_epoch_and_others_are_refused() {
    let server = Server::start(Answer::Status(200, json!({}))).await;
    let world = world();
    let with = |annotations: Value| {
        let mut object = object();
        object["metadata"]["annotations"] = annotations;
        Change { key: key(), op: Op::Create { object } }
    };
    world.gate.apply(&permit(7), &server.target, &with(Value::Null)).await.unwrap();
    let body = server.seen.lock().unwrap()[0].body.clone();
    assert_eq!(body["metadata"]["annotations"], json!({ "flagship.io/epoch": "7" }));
    let refused = world.gate.apply(&permit(7), &server.target, &with(json!("text"))).await;
    assert!(matches!(refused, Err(GateError::Invalid { .. })), "{refused:?}");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_reread_shows_the_object_as_it_is_or_that_there_is_none() {
    let world = world();
    let there = Server::start(Answer::Status(200, object())).await;
    let read = world.gate.reread(&there.target, &key()).await.unwrap().unwrap();
    assert_eq!(read["metadata"]["name"], "a-se");
    assert_eq!(there.seen.lock().unwrap()[0].method, "GET");
    let gone = Server::start(Answer::Status(404, json!({ "kind": "Status", "reason": "NotFound", "code": 404 }))).await;
    assert_eq!(world.gate.reread(&gone.target, &key()).await.unwrap(), None);
}

#[test]
fn a_plan_is_made_only_under_a_permit_that_covers_a_write() {
    let world = world();
    assert_eq!(world.gate.permit(), Some(permit(7)));
    world.clock.now_ms.store(DEADLINE - 400, Ordering::SeqCst);
    assert_eq!(world.gate.permit(), Some(permit(7)));
    world.clock.now_ms.store(DEADLINE - 399, Ordering::SeqCst);
    assert_eq!(world.gate.permit(), None);
}

#[tokio::test]
async fn losing_the_mode_cancels_what_is_in_flight() {
    let server = Server::start(Answer::Hang).await;
    let world = world();
    for lost in [None, Some(permit(8))] {
        world.mode.set(Some(permit(7)));
        server.seen.lock().unwrap().clear();
        let (gate, target) = (Arc::clone(&world.gate), server.target.clone());
        let write = tokio::spawn(async move { gate.apply(&permit(7), &target, &create()).await });
        server.until_asked().await;
        assert_eq!(world.gate.in_flight(), 1);
        let started = tokio::time::Instant::now();
        world.mode.set(lost);
        assert_eq!(write.await.unwrap(), Err(GateError::Cancelled));
        assert!(started.elapsed() < Duration::from_millis(150), "{:?}", started.elapsed());
        assert_eq!(world.gate.in_flight(), 1, "it has left, and may still take effect");
        world.gate.drain().await;
        assert!(started.elapsed() >= TIMEOUT, "{:?}", started.elapsed());
        assert_eq!(world.gate.in_flight(), 0);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.requests(), 1);
    }
    assert_eq!(world.gate.counts().failed["cancelled"], 2);
}

#[tokio::test]
async fn a_deadline_that_passes_in_flight_cancels_without_a_message() {
    let server = Server::start(Answer::Hang).await;
    let world = world();
    let (gate, target) = (Arc::clone(&world.gate), server.target.clone());
    let write = tokio::spawn(async move { gate.apply(&permit(7), &target, &update()).await });
    server.until_asked().await;
    world.clock.now_ms.store(DEADLINE, Ordering::SeqCst);
    let started = tokio::time::Instant::now();
    assert_eq!(write.await.unwrap(), Err(GateError::Cancelled));
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
}

#[tokio::test]
async fn renewals_extend_what_is_planned_and_what_is_in_flight() {
    let server = Server::start(Answer::After(Duration::from_millis(200), 200)).await;
    let world = world();
    let (gate, target) = (Arc::clone(&world.gate), server.target.clone());
    let write = tokio::spawn(async move { gate.apply(&permit(7), &target, &update()).await });
    server.until_asked().await;
    world.mode.set(Some(Permit { epoch: 7, deadline: at(2 * DEADLINE) }));
    world.clock.now_ms.store(DEADLINE + 1, Ordering::SeqCst);
    assert!(matches!(write.await.unwrap(), Ok(Written::Applied(_))));
    // The permit of the plan has passed; the mode's has not.
    assert!(world.gate.apply(&permit(7), &server.target, &update()).await.is_ok());
}

#[tokio::test]
async fn no_write_takes_longer_than_its_time_out() {
    let server = Server::start(Answer::Hang).await;
    let world = world();
    let started = tokio::time::Instant::now();
    let outcome = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert!(matches!(outcome, Err(GateError::Unknown { .. })), "{outcome:?}");
    assert!(started.elapsed() >= TIMEOUT && started.elapsed() < TIMEOUT * 2, "{:?}", started.elapsed());
    // It may have left in the last moment: a release waits for its effect too.
    assert_eq!(world.gate.in_flight(), 1);
    world.gate.drain().await;
    assert!(started.elapsed() >= TIMEOUT * 2, "{:?}", started.elapsed());
    assert!(matches!(world.gate.reread(&server.target, &key()).await, Err(ReadError::Unavailable { .. })));
}

#[tokio::test]
async fn every_answer_has_its_outcome_and_nothing_is_sent_twice() {
    let exists = json!({ "kind": "Status", "reason": "AlreadyExists" });
    type Expected = fn(&GateError) -> bool;
    let cases: [(Change, u16, Expected); 9] = [
        (create(), 409, |e| *e == GateError::AlreadyExists),
        (update(), 409, |e| *e == GateError::Conflict),
        (delete(), 409, |e| *e == GateError::Conflict),
        (update(), 404, |e| *e == GateError::NotFound),
        (create(), 403, |e| matches!(e, GateError::Refused { status: 403, .. })),
        (update(), 429, |e| *e == GateError::Throttled { retry_after: Duration::from_secs(2) }),
        (update(), 500, GateError::is_outcome_unknown),
        (update(), 503, GateError::is_outcome_unknown),
        (delete(), 504, GateError::is_outcome_unknown),
    ];
    for (change, status, expected) in cases {
        let server = Server::start(Answer::Status(status, exists.clone())).await;
        let error = world().gate.apply(&permit(7), &server.target, &change).await.unwrap_err();
        assert!(expected(&error), "{status}: {error:?}");
        assert_eq!(error.is_outcome_unknown(), status >= 500, "{status}");
        assert_eq!(server.requests(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_reset_is_unknown_and_a_refused_connection_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = connect(listener.local_addr().unwrap().port()).await;
    let resetting = tokio::spawn(async move {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 16]).await;
        }
    });
    let outcome = world().gate.apply(&permit(7), &target, &create()).await;
    assert!(matches!(outcome, Err(GateError::Unknown { .. })), "{outcome:?}");
    resetting.abort();
    let _ = resetting.await;
    let outcome = world().gate.apply(&permit(7), &target, &create()).await;
    assert!(matches!(outcome, Err(GateError::Unavailable { .. })), "{outcome:?}");
}

#[tokio::test]
async fn drain_waits_for_what_is_in_flight() {
    let server = Server::start(Answer::After(Duration::from_millis(150), 200)).await;
    let world = world();
    world.gate.drain().await;
    let (gate, target) = (Arc::clone(&world.gate), server.target.clone());
    let write = tokio::spawn(async move { gate.apply(&permit(7), &target, &update()).await });
    server.until_asked().await;
    let started = tokio::time::Instant::now();
    world.gate.drain().await;
    assert!(started.elapsed() >= Duration::from_millis(80), "{:?}", started.elapsed());
    assert!(write.await.unwrap().is_ok());
}

/// Rule 5: an instance that gives the lease up of its own will ends what is under way and starts nothing, so that
/// the release comes after the last effect of its writes.
#[tokio::test]
async fn giving_up_lets_what_is_in_flight_end_and_starts_nothing() {
    let server = Server::start(Answer::After(Duration::from_millis(200), 200)).await;
    let world = world();
    let (gate, target) = (Arc::clone(&world.gate), server.target.clone());
    let write = tokio::spawn(async move { gate.apply(&permit(7), &target, &update()).await });
    server.until_asked().await;
    world.mode.finish(permit(7));
    let refused = world.gate.apply(&permit(7), &server.target, &create()).await;
    assert!(matches!(refused, Err(GateError::Closed { .. })), "{refused:?}");
    let started = tokio::time::Instant::now();
    world.gate.drain().await;
    assert!(started.elapsed() >= Duration::from_millis(100), "{:?}", started.elapsed());
    assert!(write.await.unwrap().is_ok(), "it was not cancelled");
    assert_eq!(server.requests(), 1);
}

#[tokio::test]
async fn a_hanging_cluster_delays_no_other() {
    let (slow, quick) = (Server::start(Answer::Hang).await, Server::start(Answer::Status(200, json!({}))).await);
    let world = world();
    let (gate, target) = (Arc::clone(&world.gate), slow.target.clone());
    let writes: Vec<_> = (0..64)
        .map(|_| {
            let (gate, target) = (Arc::clone(&gate), target.clone());
            tokio::spawn(async move { gate.apply(&permit(7), &target, &update()).await })
        })
        .collect();
    slow.until_asked().await;
    let started = tokio::time::Instant::now();
    assert!(world.gate.apply(&permit(7), &quick.target, &update()).await.is_ok());
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
    for write in writes {
        assert!(write.await.unwrap().unwrap_err().is_outcome_unknown());
    }
}
