//! The HTTP API: it reads the mode and never sets it.
//!
//! Invariant: a health answer is computed from the permit's deadline at the moment of the request, without
//! I/O and without a lock. Every answer says in its headers who gave it, so that a client that was sent to a
//! passive (Route53 fails open when all are unhealthy) can tell.

mod data;
mod explain;
mod go_bool;
mod go_json;
mod health;
mod page;
mod serve;
mod standing;
mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE, LOCATION};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

pub use go_bool::{GoBoolError, parse_go_bool};
pub use serve::{ServeLimits, serve, serve_within};
pub use standing::{EPOCH_HEADER, STATE_HEADER};

use crate::checker::permit::ModeReader;
use crate::checker::status::StatusBoard;
use crate::clock::SharedClock;
use crate::cluster::query::MeshHandle;
use crate::instant::Instant;
use crate::metrics::{self, Metrics};
use standing::Standing;

/// How long a request may take before it is answered 503. Longer than the reconciler's own limit, so that its
/// better message wins.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);

/// No route reads a body; whoever sends one gets little room.
const BODY_LIMIT_BYTES: usize = 64 * 1024;

/// Who this instance is, for people.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The name that it was given, such as the pod's.
    pub name: String,
    /// This process; the same pod after a restart is another one.
    pub id: uuid::Uuid,
    /// The Region in which it runs, empty when unknown.
    pub region: String,
    /// Where its API answers.
    pub endpoint: String,
    /// Flagship's version.
    pub version: String,
    /// When it started.
    pub started: Instant,
}

/// What the routes read.
#[derive(Clone)]
pub struct HttpState {
    /// Whether this instance may write.
    pub mode: ModeReader,
    /// What the checker tells about itself.
    pub board: StatusBoard,
    /// Questions to the reconciler.
    pub mesh: MeshHandle,
    /// The time.
    pub clock: SharedClock,
    /// Whether enough of the mesh was seen to be ready.
    pub synced: Arc<AtomicBool>,
    /// The age from which a silent checker counts as dead: the lease duration. `None` for a checker without a
    /// loop of its own, which is alive as long as the process is.
    pub beat_within: Option<Duration>,
    /// Who this instance is.
    pub instance: Arc<Instance>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl HttpState {
    fn standing(&self) -> Standing {
        Standing::at(self.clock.now(), &self.mode, &self.board)
    }

    fn is_synced(&self) -> bool {
        self.synced.load(Ordering::Acquire)
    }
}

/// Every route, for the main listener.
pub fn router(state: HttpState) -> Router {
    let router = Router::new();
    let router = strict_slash(router, "/health/live", get(health::live));
    let router = strict_slash(router, "/health/ready", get(health::ready));
    let router = strict_slash(router, "/metrics", get(scrape));
    let router = strict_slash(router, "/clusters", admiral(get(data::clusters)));
    let router = strict_slash(router, "/cluster/{name}/serviceentries", admiral(get(data::service_entries)));
    let router = strict_slash(router, "/cluster//serviceentries", admiral(get(data::blank_cluster)));
    let router = strict_slash(router, "/identity/{identity}/serviceentries", admiral(get(data::hosts)));
    let router = strict_slash(router, "/identity//serviceentries", admiral(get(data::blank_identity)));
    let router = strict_slash(router, "/identity/{identity}/globaltrafficpolicy", admiral(get(data::traffic_policy)));
    let router = strict_slash(router, "/api/v1/status", get(status::status));
    let router = strict_slash(router, "/api/v1/plan", get(status::plan));
    let router = strict_slash(router, "/api/v1/conditions", get(status::conditions));
    let router = strict_slash(router, "/api/v1/explain", get(explain::explain));
    finish(router.route("/", get(page::page)), state)
}

/// The metrics alone, for the second listener (Admiral's port 6900).
pub fn metrics_router(state: HttpState) -> Router {
    finish(strict_slash(Router::new(), "/metrics", get(scrape)), state)
}

fn finish(router: Router<HttpState>, state: HttpState) -> Router {
    router
        .fallback(not_found)
        .layer(DefaultBodyLimit::max(BODY_LIMIT_BYTES))
        .layer(middleware::from_fn(limit_time))
        .layer(middleware::from_fn_with_state(state.clone(), standing::name_the_state))
        .with_state(state)
}

/// A route as gorilla/mux in strict-slash mode has it: with a slash at the end it redirects.
fn strict_slash(router: Router<HttpState>, path: &'static str, methods: MethodRouter<HttpState>) -> Router<HttpState> {
    router.route(path, methods).route(&format!("{path}/"), get(without_slash))
}

/// Admiral answers its data routes to GET alone, and HEAD with 405.
fn admiral(methods: MethodRouter<HttpState>) -> MethodRouter<HttpState> {
    methods.head(|| async { (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, Method::GET.as_str())]) })
}

async fn without_slash(request: Request) -> Response {
    // One leading slash only: "//host" in a Location would lead to another host.
    let path = format!("/{}", request.uri().path().trim_matches('/'));
    let location = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    (StatusCode::MOVED_PERMANENTLY, [(LOCATION, location)]).into_response()
}

async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

async fn limit_time(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    match tokio::time::timeout(REQUEST_WITHIN, next.run(request)).await {
        Ok(response) => response,
        Err(_) => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{path} had no answer within {} s; look at this instance's load\n", REQUEST_WITHIN.as_secs()),
        ),
    }
}

async fn scrape(State(state): State<HttpState>) -> Response {
    let Standing { now, permit, epoch, .. } = state.standing();
    state.metrics.follow(&state.board.read());
    match state.metrics.encode(permit, epoch, now) {
        Ok(text) => ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written as text\n"),
    }
}

/// Text as Go's `http.Error` sends it.
fn plain(status: StatusCode, text: impl Into<Body>) -> Response {
    let headers = [("content-type", "text/plain; charset=utf-8"), ("x-content-type-options", "nosniff")];
    (status, headers, text.into()).into_response()
}
