//! Answers of a Kubernetes API server as outcomes. Pure.
//!
//! Invariant: only what certainly did not happen is called an error of the definite kinds; all else is
//! `Unknown`.

use std::error::Error;
use std::time::Duration;

use http::{StatusCode, header, response};
use serde_json::Value;

use super::ReadError;
use crate::cluster::gate::{GateError, Written};
use crate::cluster::lock::LockError;
use crate::mesh::Op;

/// Waits that a server asks for are cut to this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
/// Longest text of a server that is shown to people.
const MAX_MESSAGE: usize = 500;

/// What an answer to a write means. `body` is an error if it broke off.
pub(super) fn written(
    op: &Op,
    parts: &response::Parts,
    body: Result<impl AsRef<[u8]>, String>,
) -> Result<Written, GateError> {
    let status = parts.status;
    if status.is_success() {
        // The status line is the commit: a body that broke off only hides what was stored.
        let body = body.map_err(|message| GateError::Unknown { message })?;
        if matches!(op, Op::Delete { .. }) {
            return Ok(Written::Deleted);
        }
        return serde_json::from_slice(body.as_ref())
            .map(Written::Applied)
            .map_err(|error| GateError::Unknown { message: format!("{status}, but the answer is no JSON: {error}") });
    }
    let body = body.map_or_else(|_| Vec::new(), |body| body.as_ref().to_vec());
    let (reason, message) = status_object(&body);
    let create = matches!(op, Op::Create { .. });
    Err(match status {
        StatusCode::CONFLICT if create && reason == "AlreadyExists" => GateError::AlreadyExists,
        StatusCode::CONFLICT => GateError::Conflict,
        // To a create it says that the namespace or the kind is missing, which planning again does not cure.
        StatusCode::NOT_FOUND if !create => GateError::NotFound,
        StatusCode::TOO_MANY_REQUESTS => GateError::Throttled { retry_after: retry_after(parts) },
        StatusCode::REQUEST_TIMEOUT => GateError::Unknown { message: format!("{status}: {message}") },
        status if status.is_client_error() => GateError::Refused { status: status.as_u16(), message },
        status => GateError::Unknown { message: format!("{status}: {message}") },
    })
}

/// What an answer to a GET means.
pub(super) fn read(status: StatusCode, body: &[u8]) -> Result<Option<Value>, ReadError> {
    if status.is_success() {
        return serde_json::from_slice(body)
            .map(Some)
            .map_err(|error| ReadError::Unavailable { message: format!("the answer is no JSON: {error}") });
    }
    let (_, message) = status_object(body);
    match status {
        StatusCode::NOT_FOUND => Ok(None),
        status if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS => {
            Err(ReadError::Refused { status: status.as_u16(), message })
        }
        status => Err(ReadError::Unavailable { message: format!("{status}: {message}") }),
    }
}

/// What it means that no answer came.
pub(super) fn not_answered(error: &kube::Error) -> GateError {
    if let Some(locked) = find::<LockError>(error) {
        return match locked {
            LockError::Closed(why) => GateError::Closed { why: *why },
            LockError::NoPass { .. } => GateError::Invalid { message: locked.to_string() },
        };
    }
    let message = describe(error);
    let before_sending = find::<hyper_util::client::legacy::Error>(error).is_some_and(|e| e.is_connect())
        || matches!(error, kube::Error::Auth(_));
    if before_sending { GateError::Unavailable { message } } else { GateError::Unknown { message } }
}

/// An error with its causes, each said once.
pub(in crate::cluster) fn describe(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    cut(&text)
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        current = error.source();
    }
    None
}

/// Reason and message of a `v1` Status; the body itself if it is none.
fn status_object(body: &[u8]) -> (String, String) {
    let status: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |field: &str| status.get(field).and_then(Value::as_str).map(str::to_owned);
    let message = text("message").unwrap_or_else(|| String::from_utf8_lossy(body).trim().to_owned());
    (text("reason").unwrap_or_default(), cut(&message))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

fn retry_after(parts: &response::Parts) -> Duration {
    let seconds = parts.headers.get(header::RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1)).min(MAX_RETRY_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn outcome(op: &Op, status: u16, body: &Value) -> Result<Written, GateError> {
        let parts = http::Response::builder().status(status).header("retry-after", "7").body(()).unwrap().into_parts();
        written(op, &parts.0, Ok(body.to_string().into_bytes()))
    }

    #[test]
    fn every_status_is_definite_or_unknown() {
        let create = Op::Create { object: json!({}) };
        let update = Op::Update { object: json!({}), uid: None, resource_version: "1".into() };
        let delete = Op::Delete { uid: None, resource_version: "1".into(), requires: None };
        let exists = json!({ "kind": "Status", "reason": "AlreadyExists", "message": "it exists" });
        assert_eq!(outcome(&create, 201, &json!({"a": 1})), Ok(Written::Applied(json!({"a": 1}))));
        assert_eq!(outcome(&delete, 200, &json!({})), Ok(Written::Deleted));
        assert_eq!(outcome(&create, 409, &exists), Err(GateError::AlreadyExists));
        assert_eq!(outcome(&update, 409, &exists), Err(GateError::Conflict));
        assert_eq!(outcome(&delete, 404, &json!({})), Err(GateError::NotFound));
        assert!(matches!(outcome(&create, 404, &exists), Err(GateError::Refused { status: 404, .. })));
        assert!(
            matches!(outcome(&update, 422, &exists), Err(GateError::Refused { status: 422, message }) if message == "it exists")
        );
        assert_eq!(
            outcome(&update, 429, &json!({})),
            Err(GateError::Throttled { retry_after: Duration::from_secs(7) })
        );
        for unknown in [408, 500, 502, 503, 504, 302] {
            assert!(outcome(&update, unknown, &json!({})).unwrap_err().is_outcome_unknown(), "{unknown}");
        }
    }

    #[test]
    fn a_success_whose_body_broke_off_is_unknown() {
        let parts = http::Response::builder().status(200).body(()).unwrap().into_parts().0;
        let op = Op::Create { object: json!({}) };
        let outcome = written(&op, &parts, Err::<Vec<u8>, _>("reset".to_owned()));
        assert!(outcome.unwrap_err().is_outcome_unknown());
    }
}
