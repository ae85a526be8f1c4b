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
    /// What one side says is lost on the way, for good.
    Swallow {
        requests: bool,
        answers: bool,
    },
    /// Nobody listens; what was open is reset.
    Refuse,
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
        let task = tokio::spawn(accept(listener, upstream, ways));
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

async fn accept(mut listener: TcpListener, upstream: String, mut ways: watch::Receiver<Way>) {
    let (address, given) = (listener.local_addr().unwrap(), ways.clone());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted.unwrap();
                tokio::spawn(connection(client, upstream.clone(), given.clone()));
                continue;
            }
            _ = ways.wait_for(|way| *way == Way::Refuse) => drop(listener),
        }
        let _ = ways.wait_for(|way| *way != Way::Refuse).await;
        listener = loop {
            match TcpListener::bind(address).await {
                Ok(listener) => break listener,
                // Somebody's outgoing connection may have got the port.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        };
    }
}

async fn connection(mut client: TcpStream, upstream: String, mut ways: watch::Receiver<Way>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let there = pump(from_client, to_server, ways.clone(), Direction::There);
        let back = pump(from_server, to_client, ways.clone(), Direction::Back);
        tokio::select! {
            // The end first: a request and its answer can pass between two looks on a busy machine.
            biased;
            _ = ways.wait_for(|way| matches!(way, Way::Drop | Way::Reset | Way::Refuse)) => {}
            () = async { tokio::join!(there, back); } => {}
        }
    }
    if matches!(*ways.borrow(), Way::Reset | Way::Refuse) {
        client.set_zero_linger().unwrap();
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    There,
    Back,
}

impl Way {
    fn swallows(self, direction: Direction) -> bool {
        let Self::Swallow { requests, answers } = self else { return false };
        if direction == Direction::There { requests } else { answers }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut ways: watch::Receiver<Way>,
    direction: Direction,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let Ok(way) = ways.wait_for(|way| *way != Way::Hang).await.map(|way| *way) else { return };
        if way.swallows(direction) {
            continue;
        }
        if let Way::Delay(by) = way {
            tokio::time::sleep(by).await;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
