//! `GET /api/v1/explain`: why a service is, or is not, where somebody looks for it.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::HttpState;
use super::status::{error, unavailable};
use crate::explain::Question;

/// The longest name that is looked up; no host can be longer.
const MAX_NAME: usize = 253;

/// `GET /api/v1/explain?identity=IDENTITY&env=ENV`
pub async fn explain(State(state): State<HttpState>, uri: Uri) -> Response {
    let question = match question(&uri) {
        Ok(question) => question,
        Err(message) => return error(StatusCode::BAD_REQUEST, &message),
    };
    match state.mesh.explain(question).await {
        Err(busy) => unavailable(&busy),
        Ok(explanation) => Json(explanation).into_response(),
    }
}

fn question(uri: &Uri) -> Result<Question, String> {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|q| q.0).unwrap_or_default();
    let parameter = |wanted: &str| {
        let value = parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.trim().to_owned());
        match value.filter(|value| !value.is_empty()) {
            Some(value) if value.len() > MAX_NAME => Err(format!(
                "{wanted}: it has {} characters, more than any host can have ({MAX_NAME}); give the identity of a workload",
                value.len()
            )),
            value => Ok(value),
        }
    };
    let identity = parameter("identity")?.ok_or_else(|| {
        "identity: absent or empty; give the identity of a workload or one of its hosts, such as ?identity=greeting"
            .to_owned()
    })?;
    Ok(Question { identity, env: parameter("env")? })
}
