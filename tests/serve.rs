//! The server over real sockets: it survives its handlers and ends in time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use flagship::http::{ServeLimits, serve_within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

const LIMITS: ServeLimits =
    ServeLimits { connections: 2, head_within: Duration::from_millis(300), stop_within: Duration::from_millis(300) };

async fn start() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let router = Router::new()
        .route("/ok", get(|| async { "fine" }))
        .route("/panic", get(panics))
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_millis(100)).await }))
        .route("/never", get(|| async { std::future::pending::<()>().await }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve_within(listener, router, async { drop(stopped.await) }, LIMITS));
    (address, stop, server)
}

async fn panics() {
    panic!("on purpose");
}

async fn open(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Everything until the connection ends, at most 2 s.
async fn read(mut stream: TcpStream) -> String {
    let mut text = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut text)).await;
    assert!(ended.is_ok(), "the connection was not closed");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_panic_in_a_handler_ends_one_connection_only() {
    let (address, _stop, _server) = start().await;
    assert_eq!(read(open(address, "/panic").await).await, "");
    assert!(read(open(address, "/ok").await).await.ends_with("fine"));
}

#[tokio::test]
async fn running_requests_end_and_hanging_ones_are_cut_in_time() {
    let (address, stop, server) = start().await;
    let slow = open(address, "/slow").await;
    let never = open(address, "/never").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = tokio::time::Instant::now();
    stop.send(()).unwrap();
    server.await.unwrap();
    assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
    assert!(read(slow).await.starts_with("HTTP/1.1 200"));
    assert_eq!(read(never).await, "");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn silent_clients_make_room_for_others() {
    let (address, _stop, _server) = start().await;
    let silent = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];
    assert!(read(open(address, "/ok").await).await.ends_with("fine"));
    drop(silent);
}
