//! A Kubernetes API server as a target.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use kube::Client;
use kube::client::Body;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{ReadError, answer, request};
use crate::cluster::gate::{GateError, Pass, Written};
use crate::mesh::{Change, ObjectKey};

/// The first minor version of Kubernetes 1 that serves streaming lists without a switch (KEP-3157).
const STREAMING_LISTS_SINCE: u32 = 34;
/// How long the question for the version may hold up the first list.
const VERSION_TIMEOUT: Duration = Duration::from_secs(2);

/// One API server with a client of its own, which sends no write without a pass.
#[derive(Clone)]
pub struct KubeTarget {
    client: Client,
    server: Arc<str>,
    streaming: Arc<OnceCell<bool>>,
}

impl KubeTarget {
    /// Takes a client that has the lock around it; see [`crate::cluster::connection::locked`].
    pub(in crate::cluster) fn new(client: Client, server: &str) -> Self {
        Self { client, server: Arc::from(server), streaming: Arc::default() }
    }

    /// The server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The client, for lists and watches: its transport refuses everything else.
    pub(in crate::cluster) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Whether lists can be streamed. Asks the server once; without an answer, no: pages work everywhere.
    pub(in crate::cluster) async fn streams_lists(&self) -> bool {
        let ask = async {
            let version = self.client.apiserver_version();
            let Ok(Ok(version)) = tokio::time::timeout(VERSION_TIMEOUT, version).await else { return false };
            let minor = version.minor.trim_end_matches(|c: char| !c.is_ascii_digit());
            version.major == "1" && minor.parse().is_ok_and(|minor: u32| minor >= STREAMING_LISTS_SINCE)
        };
        *self.streaming.get_or_init(|| ask).await
    }

    pub(super) async fn get(&self, key: &ObjectKey, timeout: Duration) -> Result<Option<Value>, ReadError> {
        let request = request::get(key, timeout).map_err(|message| ReadError::Invalid { message })?;
        let exchange = async {
            let response = self.client.send(request.map(Body::from)).await?;
            let status = response.status();
            Ok::<_, kube::Error>((status, response.into_body().collect_bytes().await?))
        };
        match tokio::time::timeout(timeout, exchange).await {
            Err(_) => {
                Err(ReadError::Unavailable { message: format!("nothing came within {} ms", timeout.as_millis()) })
            }
            Ok(Err(error)) => Err(ReadError::Unavailable { message: answer::describe(&error) }),
            Ok(Ok((status, body))) => answer::read(status, &body),
        }
    }

    pub(super) async fn write(&self, pass: &Pass, change: &Change) -> Result<Written, GateError> {
        let timeout = pass.timeout();
        let mut request = request::write(change, timeout).map_err(|message| GateError::Invalid { message })?;
        // Audit logs keep it, also of deletes, which carry no annotation: who wrote this, under which epoch?
        request.headers_mut().insert(header::USER_AGENT, user_agent(pass.epoch())?);
        request.extensions_mut().insert(pass.clone());
        let exchange = async {
            let response = self.client.send(request.map(Body::from)).await.map_err(|e| answer::not_answered(&e))?;
            let (parts, body) = response.into_parts();
            let body = body.collect_bytes().await;
            answer::written(&change.op, &parts, body.map_err(|e| answer::describe(&e)))
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|_| {
            Err(GateError::Unknown { message: format!("no answer within {} ms", timeout.as_millis()) })
        })
    }
}

/// Names the program and the epoch of a write.
fn user_agent(epoch: u64) -> Result<HeaderValue, GateError> {
    let text = format!("flagship/{} (epoch {epoch})", env!("CARGO_PKG_VERSION"));
    HeaderValue::from_str(&text).map_err(|error| GateError::Invalid { message: error.to_string() })
}

impl fmt::Debug for KubeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeTarget").field("server", &self.server).finish_non_exhaustive()
    }
}
