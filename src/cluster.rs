//! The clusters of the mesh: found, watched, and changed through the gate alone.
//!
//! Invariant: every byte that changes a cluster passes [`gate`], once as a type (a `Pass` that only the gate
//! can make) and once in the transport ([`lock`]). Each cluster has tasks and a connection of its own, so that
//! a slow or unreachable one delays no other (M2).

pub mod backoff;
pub mod connection;
pub mod discovery;
pub mod event;
pub mod folder;
pub mod gate;
pub mod kubeconfig;
pub mod lock;
pub mod query;
pub mod reconcile;
mod segment;
pub mod source;
pub mod target;
pub mod watch;
