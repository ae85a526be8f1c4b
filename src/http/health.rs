//! Health: what load balancers and the kubelet ask.
//!
//! Invariant: `checkifreadonly=true` is answered 200 only while a permit is good at the moment of the request.

use axum::extract::{Query, Request, State};
use axum::http::header::{HOST, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use super::standing::Standing;
use super::{HttpState, parse_go_bool, plain};
use crate::checker::permit;

/// Why the answer is what it is, in one sentence; the body keeps Admiral's form.
const DETAIL: HeaderName = HeaderName::from_static("x-flagship-detail");

/// `GET /health/live`: whether the checker's loop is alive. The kubelet restarts a pod that fails it.
pub async fn live(State(state): State<HttpState>) -> Response {
    let age = state.clock.now().saturating_since(state.board.last_beat());
    match state.beat_within {
        Some(limit) if age >= limit => plain(
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "the checker has been silent for {:.1} s, a whole lease; restart this instance\n",
                age.as_secs_f64()
            ),
        ),
        _ => plain(StatusCode::OK, "the checker is alive\n"),
    }
}

/// `GET /health/ready`, with `?checkifreadonly=true` for whoever looks for the active.
pub async fn ready(State(state): State<HttpState>, request: Request) -> Response {
    let standing = state.standing();
    let (status, detail) = match asks_for_the_active(&request) {
        Err(value) => return respond(standing, StatusCode::BAD_REQUEST, "", bad_parameter(&value)),
        Ok(asks) => judge(standing.state(), state.is_synced(), asks),
    };
    respond(standing, status, detail, admirals_line(&request))
}

/// A passive is 502 whether or not it is synced: it is never the one to send traffic to. An active that has
/// not seen its clusters yet (only a checker without a lease lets it be active so early) is not ready.
fn judge(state: permit::State, synced: bool, asks_for_the_active: bool) -> (StatusCode, &'static str) {
    match (asks_for_the_active, state, synced) {
        (true, permit::State::Passive, _) => (StatusCode::BAD_GATEWAY, "passive: another instance holds the lease"),
        (_, _, false) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "waiting for the first lists of the clusters, or for the first answer of the suspension table",
        ),
        (true, permit::State::Active, true) => (StatusCode::OK, "active"),
        (false, _, true) => (StatusCode::OK, "ready"),
    }
}

/// The first `checkifreadonly`, spaces removed; absent and empty mean no. `Err` holds what is no boolean.
fn asks_for_the_active(request: &Request) -> Result<bool, String> {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(request.uri()).map(|q| q.0).unwrap_or_default();
    let value = parameters.into_iter().find(|(name, _)| name == "checkifreadonly").map(|(_, value)| value);
    let value = value.unwrap_or_default().replace(' ', "");
    if value.is_empty() {
        return Ok(false);
    }
    parse_go_bool(&value).map_err(|_| value)
}

/// Admiral's texts, letter for letter, for scripts that look at them.
fn admirals_line(request: &Request) -> String {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri().host()).unwrap_or_default();
    let uri = request.uri().path_and_query().map_or("/", |p| p.as_str());
    format!("Heath check method called: {host}, URI: {uri}, Method: {}\n", request.method())
}

fn bad_parameter(value: &str) -> String {
    format!("Health check method called with bad query param value {value} for checkifreadonly")
}

fn respond(standing: Standing, status: StatusCode, detail: &'static str, body: String) -> Response {
    let mut response = plain(status, body);
    standing.write(response.headers_mut());
    if !detail.is_empty() {
        response.headers_mut().insert(DETAIL, HeaderValue::from_static(detail));
    }
    response
}
