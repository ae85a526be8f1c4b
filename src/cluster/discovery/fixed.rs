//! A cluster named by a flag: it stays for the life of the process.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::cluster::backoff::Backoff;
use crate::cluster::connection;
use crate::cluster::event::{ClusterEvent, EventSender};
use crate::cluster::source::NamedSource;
use crate::cluster::watch::{WatchOptions, Watches};
use crate::mesh::Origin;

/// Opens the cluster, again and again if need be, watches it, and ends with `cancel`. `attempted` is told after
/// the first attempt, whatever came of it.
pub(super) async fn run(
    named: NamedSource,
    options: WatchOptions,
    events: EventSender,
    cancel: CancellationToken,
    attempted: oneshot::Sender<()>,
) {
    let opened = cancel.run_until_cancelled(open(&named, &options, &events, &cancel, attempted)).await;
    if let Some(Some(watches)) = opened {
        cancel.cancelled().await;
        watches.stop().await;
    }
}

/// `None` when nobody listens any more.
async fn open(
    named: &NamedSource,
    options: &WatchOptions,
    events: &EventSender,
    cancel: &CancellationToken,
    attempted: oneshot::Sender<()>,
) -> Option<Watches> {
    let subject = format!("--cluster {}", named.cluster);
    let mut backoff = Backoff::new(&subject);
    let (mut refused, mut attempted) = (None, Some(attempted));
    loop {
        match connection::open(&named.source).await {
            Ok(target) => {
                let (cluster, target) = (named.cluster.clone(), Arc::new(target));
                if refused.is_some() {
                    events.send(ClusterEvent::Accepted { subject }).await.ok()?;
                }
                let origin = Origin::Cluster(cluster.clone());
                events.send(ClusterEvent::Added { cluster, target: Arc::clone(&target) }).await.ok()?;
                // Dropping it tells as much as sending.
                drop(attempted.take());
                return Some(Watches::start(&origin, &target, options, events, cancel));
            }
            Err(error) => {
                let message = error.to_string();
                if refused.as_ref() != Some(&message) {
                    refused = Some(message.clone());
                    events.send(ClusterEvent::Refused { subject: subject.clone(), message }).await.ok()?;
                }
                drop(attempted.take());
            }
        }
        tokio::time::sleep(backoff.next_wait()).await;
    }
}
