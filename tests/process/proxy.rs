//! The network between an instance and the lease table.
//!
//! What is sent while it hangs is not lost: it arrives when it is healed, as packets do that were sent again.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of connections, those that exist included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Way {
    Pass,
    /// Taken and never answered.
    Hang,
    /// Closed.
    Drop,
    /// Reset.
    Reset,
    /// Every chunk takes so long, in each direction.
    Delay(Duration),
}

pub struct Proxy {
    pub endpoint: String,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to the server at `upstream`, an http URL.
    pub async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let upstream = upstream.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let (way, ways) = watch::channel(Way::Pass);
        let task = tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(client, upstream.clone(), ways.clone()));
            }
        });
        Self { endpoint, way, task }
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connection(mut client: TcpStream, upstream: String, mut ways: watch::Receiver<Way>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = pump(from_client, to_server, ways.clone());
        let back = pump(from_server, to_client, ways.clone());
        tokio::select! {
            () = async { tokio::join!(there, back); } => {}
            _ = ways.wait_for(|way| matches!(way, Way::Drop | Way::Reset)) => {}
        }
    }
    if *ways.borrow() == Way::Reset {
        client.set_zero_linger().unwrap();
    }
}

async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut ways: watch::Receiver<Way>) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Ok(way) = ways.wait_for(|way| *way != Way::Hang).await.map(|way| *way) else { return };
        if let Way::Delay(by) = way {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
