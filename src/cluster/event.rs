//! What the clusters tell the reconciler.
//!
//! Invariant: per origin and kind, events arrive in the order in which the source reported them; nothing of a
//! cluster arrives after its `Removed`. The channel is bounded: a busy reconciler slows the watches down.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;

use super::target::Target;
use crate::mesh::{ClusterId, Kind, ObjectKey, Origin, Suspension};

/// Events that may wait for the reconciler.
const CAPACITY: usize = 1024;

/// Where watches put their events.
pub type EventSender = mpsc::Sender<ClusterEvent>;

/// Creates the channel between all watches and the reconciler.
pub fn channel() -> (EventSender, mpsc::Receiver<ClusterEvent>) {
    mpsc::channel(CAPACITY)
}

/// Something that happened to a cluster or to an object in it.
#[derive(Clone, Debug)]
pub enum ClusterEvent {
    /// A cluster joined; its lists follow.
    Added {
        /// Its name.
        cluster: ClusterId,
        /// The way to read and, through the gate, to write it.
        target: Arc<Target>,
    },
    /// The way to a cluster changed (credentials were rotated). What is known of it stays until new lists come.
    Replaced {
        /// Its name.
        cluster: ClusterId,
        /// The new way; the old one must not be used any more.
        target: Arc<Target>,
    },
    /// A cluster left: its secret or key vanished. Nothing of it arrives after this.
    Removed {
        /// Its name.
        cluster: ClusterId,
    },
    /// All objects of a kind: replaces whatever was known of that kind.
    Listed {
        /// Where they are.
        origin: Origin,
        /// What they are.
        kind: Kind,
        /// The objects, pruned (see [`super::watch`]).
        objects: Vec<Value>,
    },
    /// An object was created or changed.
    Applied {
        /// Where it is.
        origin: Origin,
        /// The object, pruned.
        object: Value,
    },
    /// An object is gone.
    Deleted {
        /// Where it was.
        origin: Origin,
        /// Which one.
        key: ObjectKey,
    },
    /// A watch does not work. Sent when that begins or its reason changes, not at each retry.
    WatchFailed {
        /// Where.
        origin: Origin,
        /// The kind; `None` when it concerns the whole cluster.
        kind: Option<Kind>,
        /// What is wrong and what to do.
        error: String,
    },
    /// The watch works again.
    WatchRecovered {
        /// Where.
        origin: Origin,
        /// The kind; `None` when it concerned the whole cluster.
        kind: Option<Kind>,
    },
    /// Input that cannot be used, such as a secret's key without a usable kubeconfig. The rest is used.
    Refused {
        /// What was refused; the same words come back in `Accepted`.
        subject: String,
        /// Why, and what to do.
        message: String,
    },
    /// What was refused is usable now, or is gone.
    Accepted {
        /// The subject of an earlier `Refused`.
        subject: String,
    },
    /// What the suspension table says now; the first one ends the wait for it.
    Suspended(Suspension),
    /// Every cluster that flags and secrets name at the start has been announced or refused.
    DiscoveryListed,
}
