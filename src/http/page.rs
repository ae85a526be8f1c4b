//! The status page: a shell that asks `/api/v1/status` for itself.

use axum::response::{Html, IntoResponse, Response};

const PAGE: &str = include_str!("page.html");

/// `GET /`
pub async fn page() -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'";
    ([("content-security-policy", policy), ("x-content-type-options", "nosniff")], Html(PAGE)).into_response()
}
