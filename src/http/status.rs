//! Flagship's own API: what an operator asks at 3 a.m. It answers even while the reconciler does not.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use serde_json::json;

use super::HttpState;
use crate::checker::permit::{self, Permit};
use crate::checker::status::CheckerStatus;
use crate::cluster::query::{ConditionView, MeshSummary, PendingChange, QueryError};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 10_000;

/// The answer of `/api/v1/status`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusView {
    instance: InstanceView,
    state: permit::State,
    epoch: u64,
    /// Null on a passive, and where the permit never ends.
    permit_remaining_ms: Option<u64>,
    synced: bool,
    #[serde(serialize_with = "as_inner")]
    checker: Arc<CheckerStatus>,
    /// Null with `mesh_error` when the reconciler did not answer.
    mesh: Option<MeshSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mesh_error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceView {
    name: String,
    id: String,
    region: String,
    endpoint: String,
    version: String,
    uptime_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlanView {
    pending_changes: Vec<PendingChange>,
    limit: usize,
    /// Whether there are more than `limit`.
    truncated: bool,
}

#[derive(Serialize)]
struct ConditionsView {
    conditions: Vec<ConditionView>,
}

/// `GET /api/v1/status`
pub async fn status(State(state): State<HttpState>) -> Response {
    let (mesh, mesh_error) = match state.mesh.summary().await {
        Ok(summary) => (Some(summary), None),
        Err(error) => (None, Some(error.to_string())),
    };
    // After the wait, so that the state is the one at the time of the answer.
    let standing = state.standing();
    let me = &state.instance;
    let view = StatusView {
        instance: InstanceView {
            name: me.name.clone(),
            id: me.id.to_string(),
            region: me.region.clone(),
            endpoint: me.endpoint.clone(),
            version: me.version.clone(),
            uptime_seconds: standing.now.saturating_since(me.started).as_secs(),
        },
        state: standing.state(),
        epoch: standing.epoch,
        permit_remaining_ms: standing
            .permit
            .filter(|p| *p != Permit::unlimited())
            .map(|p| u64::try_from(p.deadline.saturating_since(standing.now).as_millis()).unwrap_or(u64::MAX)),
        synced: state.is_synced(),
        checker: state.board.read(),
        mesh,
        mesh_error,
    };
    let mut response = Json(view).into_response();
    standing.write(response.headers_mut());
    response
}

/// `GET /api/v1/plan?limit=N`
pub async fn plan(State(state): State<HttpState>, uri: Uri) -> Response {
    let limit = match limit(&uri) {
        Ok(limit) => limit,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    match state.mesh.plan(limit + 1).await {
        Err(busy) => unavailable(&busy),
        Ok(mut pending_changes) => {
            let truncated = pending_changes.len() > limit;
            pending_changes.truncate(limit);
            Json(PlanView { pending_changes, limit, truncated }).into_response()
        }
    }
}

/// `GET /api/v1/conditions`
pub async fn conditions(State(state): State<HttpState>) -> Response {
    match state.mesh.summary().await {
        Err(busy) => unavailable(&busy),
        Ok(summary) => Json(ConditionsView { conditions: summary.conditions }).into_response(),
    }
}

fn as_inner<S: Serializer>(checker: &Arc<CheckerStatus>, serializer: S) -> Result<S::Ok, S::Error> {
    checker.as_ref().serialize(serializer)
}

fn limit(uri: &Uri) -> Result<usize, String> {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|q| q.0).unwrap_or_default();
    let Some((_, value)) = parameters.into_iter().find(|(name, _)| name == "limit") else {
        return Ok(DEFAULT_LIMIT);
    };
    value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit)).ok_or_else(|| {
        format!("limit: {value:?} is not a whole number from 1 to {MAX_LIMIT}; leave it out for {DEFAULT_LIMIT}")
    })
}

pub(super) fn unavailable(why: &QueryError) -> Response {
    error(StatusCode::SERVICE_UNAVAILABLE, &why.to_string())
}

pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
