//! The lease store of one process: a request leaves for the world's table, and its answer comes, or not.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use flagship::lease::{Outcome, RequestKind};
use flagship::store::{CheckError, LeaseStore};
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use super::clock::Machine;
use super::instance::Outgoing;

pub struct WorldStore {
    pub machine: Arc<Machine>,
}

impl LeaseStore for WorldStore {
    fn describe(&self) -> String {
        "the table of the simulation".to_owned()
    }

    fn execute<'a>(&'a self, request: &'a RequestKind) -> BoxFuture<'a, Outcome> {
        Box::pin(async {
            let (reply, answer) = oneshot::channel();
            self.machine.send(Outgoing::Request { at: self.machine.local(), kind: request.clone(), reply });
            let span = self.machine.stops.sent.swap(0, Ordering::Relaxed);
            if span > 0 {
                self.machine.stop(span);
            }
            match answer.await {
                Ok(outcome) => outcome,
                // Lost: only the caller's bound ends the wait.
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
