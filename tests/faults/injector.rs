//! DynamoDB's own refusals: stands between an instance and the engine, understands HTTP, and answers some requests
//! itself.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// An error answer of DynamoDB.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    pub status: u16,
    pub code: &'static str,
    /// Reads are served.
    pub writes_only: bool,
}

pub struct Injector {
    pub endpoint: String,
    refusal: watch::Sender<Option<Refusal>>,
    task: JoinHandle<()>,
}

#[derive(Clone)]
struct Relay {
    upstream: String,
    client: reqwest::Client,
    refusal: watch::Receiver<Option<Refusal>>,
}

impl Injector {
    /// A relay to the engine at `upstream`, an http URL.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (refusal, refusals) = watch::channel(None);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let upstream = upstream.trim_end_matches('/').to_owned();
        let relay = Relay { upstream, client, refusal: refusals };
        let app = Router::new().fallback(serve).with_state(relay);
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { endpoint, refusal, task }
    }

    pub fn set(&self, refusal: Option<Refusal>) {
        self.refusal.send_replace(refusal);
    }
}

impl Drop for Injector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(State(relay): State<Relay>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let target = parts.headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refusal = *relay.refusal.borrow();
    if let Some(refusal) = refusal
        && (!refusal.writes_only || target.ends_with(".UpdateItem"))
    {
        return refuse(refusal);
    }
    let url = format!("{}{}", relay.upstream, parts.uri.path());
    let headers = without(parts.headers, &[header::HOST, header::CONTENT_LENGTH, header::CONNECTION]);
    let Ok(answer) = relay.client.post(url).headers(headers).body(body).send().await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let headers = without(headers, &[header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::CONNECTION]);
    let body = answer.bytes().await.unwrap_or_default();
    (status, headers, Body::from(body)).into_response()
}

fn refuse(refusal: Refusal) -> Response {
    let kind = format!("com.amazonaws.dynamodb.v20120810#{}", refusal.code);
    let body = json!({"__type": kind, "message": "said the test"}).to_string();
    let status = StatusCode::from_u16(refusal.status).unwrap();
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], body).into_response()
}

fn without(mut headers: HeaderMap, names: &[header::HeaderName]) -> HeaderMap {
    for name in names {
        headers.remove(name);
    }
    headers
}
