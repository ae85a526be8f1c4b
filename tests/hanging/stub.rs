//! An API server in this process, as far as Flagship's kube clients can tell: paged lists, watches, writes with
//! preconditions. It takes its time for each write, and it can be made to hang: every request is taken and none is
//! answered, watches included.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Watches end after this, as the real ones do.
const WATCH: Duration = Duration::from_secs(30);

pub struct Stub {
    pub url: String,
    inner: Arc<Inner>,
    task: JoinHandle<()>,
}

struct Inner {
    write_takes: Duration,
    hangs: watch::Sender<bool>,
    /// The newest version.
    version: watch::Sender<u64>,
    stored: Mutex<Stored>,
}

#[derive(Default)]
struct Stored {
    /// Plural, then namespace and name.
    objects: BTreeMap<(String, String), Value>,
    /// Version, plural and watch event.
    log: Vec<(u64, String, Value)>,
}

impl Stub {
    pub async fn start(write_takes: Duration) -> Self {
        let (hangs, version) = (watch::Sender::new(false), watch::Sender::new(1));
        let inner = Arc::new(Inner { write_takes, hangs, version, stored: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, inner, task }
    }

    /// From now on nothing is answered.
    pub fn hang(&self) {
        self.inner.hangs.send_replace(true);
    }

    /// What a user creates or replaces.
    pub fn put(&self, plural: &str, object: Value) {
        self.inner.store(plural, object);
    }

    /// How many objects there are of a kind whose field at `pointer` is `value`.
    pub fn count(&self, plural: &str, pointer: &str, value: &Value) -> usize {
        let stored = self.inner.stored.lock().unwrap();
        let here = stored.objects.iter().filter(|((kind, _), _)| kind == plural);
        here.filter(|(_, object)| object.pointer(pointer) == Some(value)).count()
    }

    /// Returns at the next change.
    pub async fn changed(&self) {
        let _ = self.inner.version.subscribe().changed().await;
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Inner {
    fn store(&self, plural: &str, mut object: Value) -> Value {
        let mut stored = self.stored.lock().unwrap();
        let version = *self.version.borrow() + 1;
        let name = path_of(&object);
        let old = stored.objects.get(&(plural.to_owned(), name.clone()));
        object["metadata"]["uid"] =
            old.map_or_else(|| json!(format!("uid-{version}")), |o| o["metadata"]["uid"].clone());
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        let kind = if old.is_some() { "MODIFIED" } else { "ADDED" };
        stored.log.push((version, plural.to_owned(), json!({"type": kind, "object": object})));
        stored.objects.insert((plural.to_owned(), name), object.clone());
        self.version.send_replace(version);
        object
    }

    async fn unless_it_hangs(&self) {
        let _ = self.hangs.subscribe().wait_for(|hangs| !hangs).await;
    }
}

async fn answer(State(inner): State<Arc<Inner>>, method: Method, uri: Uri, body: Bytes) -> Response {
    inner.unless_it_hangs().await;
    if uri.path() == "/version" {
        // Too old to stream lists: they are paged.
        return json_of(
            StatusCode::OK,
            &json!({"major": "1", "minor": "30", "gitVersion": "v1.30.0", "platform": "",
            "gitCommit": "", "gitTreeState": "", "buildDate": "", "goVersion": "", "compiler": ""}),
        );
    }
    let (plural, name) = parse(uri.path());
    match method {
        Method::GET if name.is_some() => {
            let stored = inner.stored.lock().unwrap();
            let found = stored.objects.iter().find(|((kind, path), _)| *kind == plural && name.as_ref() == Some(path));
            found.map_or_else(|| status(StatusCode::NOT_FOUND, "NotFound"), |(_, o)| json_of(StatusCode::OK, o))
        }
        Method::GET if uri.query().unwrap_or_default().contains("watch=true") => follow(inner, plural, uri.query()),
        Method::GET => {
            let stored = inner.stored.lock().unwrap();
            let items: Vec<_> =
                stored.objects.iter().filter(|((kind, _), _)| *kind == plural).map(|(_, o)| o).collect();
            let version = inner.version.borrow().to_string();
            json_of(
                StatusCode::OK,
                &json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}),
            )
        }
        Method::POST | Method::PUT => {
            tokio::time::sleep(inner.write_takes).await;
            inner.unless_it_hangs().await;
            write(&inner, &method, &plural, serde_json::from_slice(&body).unwrap())
        }
        _ => status(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}

fn write(inner: &Inner, method: &Method, plural: &str, object: Value) -> Response {
    let present = {
        let stored = inner.stored.lock().unwrap();
        stored.objects.get(&(plural.to_owned(), path_of(&object))).map(|o| o["metadata"]["resourceVersion"].clone())
    };
    match (method == Method::POST, present) {
        (true, Some(_)) => status(StatusCode::CONFLICT, "AlreadyExists"),
        (true, None) => json_of(StatusCode::CREATED, &inner.store(plural, object)),
        (false, None) => status(StatusCode::NOT_FOUND, "NotFound"),
        (false, Some(version)) if version != object["metadata"]["resourceVersion"] => {
            status(StatusCode::CONFLICT, "Conflict")
        }
        (false, Some(_)) => json_of(StatusCode::OK, &inner.store(plural, object)),
    }
}

/// The events after the version that the query names, one line each, until the watch ends.
fn follow(inner: Arc<Inner>, plural: String, query: Option<&str>) -> Response {
    let from = query.and_then(|q| q.split('&').find_map(|part| part.strip_prefix("resourceVersion=")));
    let from: u64 = from.and_then(|version| version.parse().ok()).unwrap_or_default();
    let versions = inner.version.subscribe();
    let ends = tokio::time::Instant::now() + WATCH;
    let lines =
        stream::unfold((inner, plural, from, versions), move |(inner, plural, from, mut versions)| async move {
            loop {
                inner.unless_it_hangs().await;
                let newest = *versions.borrow_and_update();
                let lines: String = {
                    let stored = inner.stored.lock().unwrap();
                    let first = stored.log.partition_point(|(version, _, _)| *version <= from);
                    let new = stored.log[first..].iter().filter(|(_, kind, _)| *kind == plural);
                    new.map(|(_, _, event)| format!("{event}\n")).collect()
                };
                if !lines.is_empty() {
                    return Some((Ok::<_, Infallible>(lines), (inner, plural, newest, versions)));
                }
                tokio::time::timeout_at(ends, versions.changed()).await.ok()?.ok()?;
            }
        });
    Response::new(Body::from_stream(lines))
}

/// Plural, and the namespace and name of a single object.
fn parse(path: &str) -> (String, Option<String>) {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let rest = if parts[0] == "api" { &parts[2..] } else { &parts[3..] };
    match rest {
        ["namespaces", _, plural] | [plural] => ((*plural).to_owned(), None),
        ["namespaces", namespace, plural, name] => ((*plural).to_owned(), Some(format!("{namespace}/{name}"))),
        other => panic!("{path}: {other:?}"),
    }
}

fn path_of(object: &Value) -> String {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
    format!("{}/{}", text("namespace"), text("name"))
}

fn status(code: StatusCode, reason: &str) -> Response {
    let body = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": reason,
        "message": reason, "code": code.as_u16()});
    json_of(code, &body)
}

fn json_of(code: StatusCode, body: &Value) -> Response {
    (code, [("content-type", "application/json")], body.to_string()).into_response()
}
