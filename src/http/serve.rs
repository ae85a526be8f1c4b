//! The server around a router: bounded connections, bounded headers, a bounded stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// How much a listener gives to its clients.
#[derive(Clone, Copy, Debug)]
pub struct ServeLimits {
    /// Connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// How long a connection may be idle or take to send a request's head. Longer than the 60 s for which an
    /// AWS load balancer keeps a connection, or it would send requests into connections that are being closed.
    pub head_within: Duration,
    /// How long requests may go on after the shutdown began.
    pub stop_within: Duration,
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self { connections: 1024, head_within: Duration::from_secs(75), stop_within: Duration::from_secs(1) }
    }
}

/// Serves `router` on `listener` until `shutdown`, then lets running requests end for at most one second.
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) {
    serve_within(listener, router, shutdown, ServeLimits::default()).await;
}

/// [`serve`] with other limits.
pub async fn serve_within(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send,
    limits: ServeLimits,
) {
    let (stop, stopping) = watch::channel(false);
    let mut connections = JoinSet::new();
    let accepting = accept(&listener, &router, &stopping, &mut connections, limits);
    tokio::select! {
        () = shutdown => {}
        () = accepting => {}
    }
    drop(listener);
    stop.send_replace(true);
    let ended = tokio::time::timeout(limits.stop_within, async { while connections.join_next().await.is_some() {} });
    if ended.await.is_err() {
        tracing::warn!(cut = connections.len(), "requests were still running when the time to stop was over");
    }
}

async fn accept(
    listener: &TcpListener,
    router: &Router,
    stopping: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
    limits: ServeLimits,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let stream = next_connection(listener).await;
        // Joined as we go, so that the set holds only what runs. A handler that panicked ended its own
        // connection and nothing else.
        while let Some(ended) = connections.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a request handler panicked");
            }
        }
        let connection = serve_connection(stream, router.clone(), stopping.clone(), limits.head_within);
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

async fn next_connection(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection");
                // Out of file descriptors, most likely: others must end before it works again.
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router, mut stopping: watch::Receiver<bool>, head: Duration) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(head);
    let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}
