//! A DynamoDB engine inside this process, for the demo and for local trials. Never for production: one
//! process that dies takes the lease's table with it.

use std::net::TcpListener;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// The engine could not make its store.
    #[error("the embedded DynamoDB engine could not start: {0}")]
    Engine(String),
    /// No port on loopback, or no thread.
    #[error("the embedded DynamoDB engine could not listen on 127.0.0.1: {0}")]
    Listen(#[from] std::io::Error),
}

/// The engine, in memory, on a thread and runtime of its own. Dropping it stops it.
#[derive(Debug)]
pub struct EmbeddedDynamoDb {
    endpoint: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl EmbeddedDynamoDb {
    /// Starts it on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When there is no port, no thread or no memory for it.
    pub fn start() -> Result<Self, EmbeddedError> {
        let database = dynoxide::Database::memory().map_err(|error| EmbeddedError::Engine(error.to_string()))?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("dynamodb".to_owned()).spawn(move || {
            let served = runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).map_err(|error| error.to_string())?;
                // A client that keeps its connection open must not keep us: no graceful end.
                tokio::select! {
                    ended = dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()) => ended,
                    _ = stopped => Ok(()),
                }
            });
            if let Err(error) = served {
                tracing::error!(error, "the embedded DynamoDB engine ended");
            }
            runtime.shutdown_background();
        })?;
        Ok(Self { endpoint, stop: Some(stop), thread: Some(thread) })
    }

    /// Its URL, for `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for EmbeddedDynamoDb {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It logged why, if it panicked.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_and_stops() {
        let engine = EmbeddedDynamoDb::start().unwrap();
        let endpoint = engine.endpoint().to_owned();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let authorization = "AWS4-HMAC-SHA256 Credential=demo/20260101/us-west-2/dynamodb/aws4_request, \
                             SignedHeaders=host;x-amz-date;x-amz-target, Signature=00";
        let request = client
            .post(&endpoint)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.ListTables")
            .header("x-amz-date", "20260101T000000Z")
            .header("authorization", authorization)
            .body("{}");
        let answer = request.send().await.unwrap().text().await.unwrap();
        assert_eq!(answer, r#"{"TableNames":[]}"#);
        drop(engine);
        assert!(client.get(&endpoint).send().await.is_err());
    }
}
