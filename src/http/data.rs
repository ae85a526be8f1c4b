//! Admiral's data routes: its paths, statuses, texts and JSON.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use super::go_json::{GlobalTrafficPolicy, ServiceEntry};
use super::{HttpState, plain};
use crate::cluster::query::QueryError;

/// Admiral's environment where a request names none.
const DEFAULT_ENV: &str = "default";

/// One host with the clusters that have it, in Admiral's spelling.
#[derive(Serialize)]
struct HostView {
    #[serde(rename = "Cname")]
    cname: String,
    #[serde(rename = "Clusters")]
    clusters: Vec<String>,
}

/// `GET /clusters`
pub async fn clusters(State(state): State<HttpState>) -> Response {
    let mut names: Vec<String> = match state.mesh.summary().await {
        Ok(summary) => summary.clusters.into_iter().map(|cluster| cluster.name).collect(),
        Err(error) => return internal(&error),
    };
    if names.is_empty() {
        return plain(StatusCode::OK, "\"No cluster is monitored by admiral\"");
    }
    names.sort();
    Json(names).into_response()
}

/// `GET /cluster/{name}/serviceentries`
pub async fn service_entries(State(state): State<HttpState>, Path(name): Path<String>) -> Response {
    let name = name.trim();
    if name.is_empty() {
        return blank_cluster().await;
    }
    match state.mesh.service_entries(name).await {
        Err(error) => internal(&error),
        Ok(None) => plain(StatusCode::NOT_FOUND, format!("admiral is not monitoring cluster {name}\n")),
        Ok(Some(entries)) if entries.is_empty() => {
            plain(StatusCode::OK, format!("no service entries configured for cluster - {name}"))
        }
        Ok(Some(entries)) => {
            let entries: Vec<_> = entries.iter().map(ServiceEntry).collect();
            Json(entries).into_response()
        }
    }
}

/// `GET /cluster//serviceentries`
pub async fn blank_cluster() -> Response {
    plain(StatusCode::BAD_REQUEST, "cluster name not provided as part of the request\n")
}

/// `GET /identity/{identity}/serviceentries`: every host that contains the text.
pub async fn hosts(State(state): State<HttpState>, Path(identity): Path<String>) -> Response {
    let identity = identity.trim();
    if identity.is_empty() {
        return blank_identity().await;
    }
    match state.mesh.hosts().await {
        Err(error) => internal(&error),
        Ok(hosts) => {
            let matching = hosts.into_iter().filter(|(host, _)| host.contains(identity));
            let views: Vec<_> = matching.map(|(cname, clusters)| HostView { cname, clusters }).collect();
            Json(views).into_response()
        }
    }
}

/// `GET /identity//serviceentries`
pub async fn blank_identity() -> Response {
    plain(StatusCode::BAD_REQUEST, "identity not provided as part of the request\n")
}

/// `GET /identity/{identity}/globaltrafficpolicy`: the one in force, found by the exact identity and env.
pub async fn traffic_policy(State(state): State<HttpState>, Path(identity): Path<String>, uri: Uri) -> Response {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(&uri).map(|q| q.0).unwrap_or_default();
    let env = parameters.into_iter().find(|(name, _)| name == "env").map(|(_, env)| env);
    let env = env.filter(|env| !env.is_empty()).unwrap_or_else(|| DEFAULT_ENV.to_owned());
    match state.mesh.traffic_policy(&identity, &env).await {
        Ok(Some(policy)) => return Json(GlobalTrafficPolicy(&policy)).into_response(),
        Ok(None) => {}
        Err(error) => {
            let error = json!({ "error": error.to_string() });
            return (StatusCode::INTERNAL_SERVER_ERROR, Json(error)).into_response();
        }
    }
    let error = format!("globaltraffic policy with identity: {identity} and env: {env} was not found");
    (StatusCode::NOT_FOUND, Json(json!({ "error": error }))).into_response()
}

fn internal(error: &QueryError) -> Response {
    plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n"))
}
