//! What AWS said, in one line: the SDK's own rendering prints whole responses.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// `Code: message` of a service error; otherwise the innermost causes (refused connection, time-out, no
/// credentials), without repetitions.
pub(crate) fn brief<E, R>(error: &SdkError<E, R>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
    R: std::fmt::Debug,
{
    if let Some(service) = error.as_service_error() {
        let code = service.code().unwrap_or("service error");
        return service.message().map_or_else(|| code.to_owned(), |message| format!("{code}: {message}"));
    }
    let mut parts = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        cause = inner.source();
    }
    parts.join(": ")
}
