//! Drives the lease protocol: carries its requests to a store and its decision to the mode.
//!
//! Invariant: the mode is published after every step of the protocol and before anything is awaited, so that the
//! gate never knows less than the protocol does.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::permit::State;
use super::status::LeaseView;
use super::{CheckerContext, CheckerError};
use crate::instant::Instant;
use crate::lease::{Identity, Lease, LeaseConfig, Notice, Now, Outcome, Request, Step};
use crate::store::{CheckError, LeaseStore};

/// How often the same error of the store is logged.
const COMPLAIN_EVERY: Duration = Duration::from_secs(30);

/// A lease, the store that it lives in, and what makes it go.
pub struct LeaseDriver {
    lease: Lease,
    store: Arc<dyn LeaseStore>,
    config: LeaseConfig,
    identity: Identity,
    table: String,
    name: String,
    stopping: bool,
    complained: Option<(String, Instant)>,
    /// What is wrong with the item as last seen.
    problem: String,
}

impl LeaseDriver {
    /// A driver for this instance's side of the lease in `store`.
    pub fn new(config: LeaseConfig, identity: Identity, store: Arc<dyn LeaseStore>) -> Self {
        Self {
            lease: Lease::new(config, identity.clone()),
            store,
            config,
            identity,
            table: String::new(),
            name: String::new(),
            stopping: false,
            complained: None,
            problem: String::new(),
        }
    }

    /// Names for status pages.
    #[must_use]
    pub fn titled(mut self, table: &str, name: &str) -> Self {
        table.clone_into(&mut self.table);
        name.clone_into(&mut self.name);
        self
    }

    /// Runs until shutdown, and gives the lease up in order.
    ///
    /// # Errors
    /// When the store can never keep the promises (rule 6).
    pub async fn run(mut self, mut context: CheckerContext) -> Result<(), CheckerError> {
        if !self.check_store(&context).await? {
            return Ok(());
        }
        loop {
            context.board.beat();
            self.lease.set_eligibility(*context.eligibility.borrow_and_update());
            self.lease.raise_epoch_floor(context.epoch_floor.load(Ordering::Relaxed));
            let nonce = uuid::Uuid::new_v4().to_string();
            let step = self.lease.poll(now(&context), &nonce);
            self.publish(&context);
            match step {
                Step::Done => return Ok(()),
                Step::Request(request) => self.request(&context, &request).await,
                Step::Drain(by) => {
                    let left = by.saturating_since(context.clock.now());
                    // Past the deadline nothing is in flight any more: every write is bounded by it.
                    let _ = tokio::time::timeout(left, context.drain.drain()).await;
                    self.lease.on_drained(now(&context));
                }
                Step::Wait(until) => {
                    let left = until.saturating_since(context.clock.now());
                    tokio::select! {
                        biased;
                        () = context.shutdown.cancelled(), if !self.stopping => self.stop(&context),
                        () = changed(&mut context.eligibility) => {}
                        () = tokio::time::sleep(left) => {}
                    }
                }
            }
        }
    }

    /// Waits until the store is known to be fit. False if shutdown came first.
    async fn check_store(&mut self, context: &CheckerContext) -> Result<bool, CheckerError> {
        loop {
            context.board.beat();
            let check = tokio::time::timeout(self.config.timings().request_timeout, self.store.check());
            let outcome = tokio::select! {
                biased;
                () = context.shutdown.cancelled() => return Ok(false),
                outcome = check => outcome,
            };
            let problem = match outcome {
                Ok(Ok(())) => return Ok(true),
                Ok(Err(CheckError::Refused(message))) => return Err(CheckerError::Refused(message)),
                Ok(Err(CheckError::Unreachable(message))) => message,
                Err(_) => format!("checking {} took too long", self.store.describe()),
            };
            self.complain(context, "read-only until the lease store answers", &problem);
            context.board.update(|status| {
                status.store_failures += 1;
                status.last_error = problem;
            });
            tokio::select! {
                biased;
                () = context.shutdown.cancelled() => return Ok(false),
                () = tokio::time::sleep(self.config.timings().poll_interval) => {}
            }
        }
    }

    /// Sends one request and takes its outcome in. A shutdown closes the gate at once, not after the answer.
    async fn request(&mut self, context: &CheckerContext, request: &Request) {
        let store = Arc::clone(&self.store);
        let timeout = self.config.timings().request_timeout;
        let mut answer = std::pin::pin!(bounded(timeout, store.execute(&request.kind)));
        let outcome = tokio::select! {
            // The shutdown first: an answer that is there too is taken in by a protocol that knows of it.
            biased;
            () = context.shutdown.cancelled(), if !self.stopping => {
                self.stop(context);
                answer.await
            }
            outcome = &mut answer => outcome,
        };
        context.board.update(|status| match &outcome {
            Outcome::Unknown(error) => {
                status.store_failures += 1;
                status.last_error.clone_from(error);
            }
            _ => {
                status.store_successes += 1;
                status.last_error.clear();
            }
        });
        match &outcome {
            Outcome::Unknown(error) => self.complain(context, "no word from the lease store", error),
            _ => self.complained = None,
        }
        self.lease.on_outcome(request.id, now(context), outcome);
        self.publish(context);
    }

    fn stop(&mut self, context: &CheckerContext) {
        self.stopping = true;
        self.lease.stop();
        self.publish(context);
    }

    /// An outage is one line, and one more every half minute while it lasts.
    fn complain(&mut self, context: &CheckerContext, what: &str, error: &str) {
        let now = context.clock.now();
        let told = self.complained.as_ref().is_some_and(|(text, at)| text == error && now < *at + COMPLAIN_EVERY);
        if !told {
            tracing::warn!("{what}: {error}");
            self.complained = Some((error.to_owned(), now));
        }
    }

    /// The decision to the mode first, then the news to people.
    fn publish(&mut self, context: &CheckerContext) {
        match (self.lease.permit(), self.lease.finishing()) {
            (None, Some(permit)) => context.mode.finish(permit),
            (permit, _) => context.mode.set(permit),
        }
        let notices = self.lease.take_notices();
        for notice in &notices {
            self.announce(context, notice);
        }
        let view = self.view();
        let takeovers = notices.iter().filter(|notice| matches!(notice, Notice::Acquired { .. })).count() as u64;
        // A takeover is always news: its epoch is a new one.
        if context.board.read().lease.as_ref() != Some(&view) {
            context.board.update(|status| {
                status.takeovers += takeovers;
                status.lease = Some(view);
            });
        }
    }

    fn announce(&mut self, context: &CheckerContext, notice: &Notice) {
        let text = notice.to_string();
        self.problem = match notice {
            Notice::ForeignWriter(_) | Notice::Unreadable(_) => text.clone(),
            Notice::Observed(_) | Notice::Acquired { .. } => String::new(),
            _ => std::mem::take(&mut self.problem),
        };
        match notice {
            Notice::Acquired { epoch, .. } | Notice::Resumed { epoch } => {
                tracing::info!(epoch, "ACTIVE: {text}");
                context.board.transition(State::Active, *epoch, &text);
            }
            Notice::PermitExpired { epoch } | Notice::Lost { epoch, .. } | Notice::Released { epoch, .. } => {
                tracing::warn!(epoch, "READ-ONLY: {text}");
                context.board.transition(State::Passive, *epoch, &text);
            }
            Notice::WallClockJumped { .. } => {
                tracing::warn!("READ-ONLY: {text}");
                context.board.transition(State::Passive, self.lease.highest_epoch(), &text);
            }
            Notice::Raised { to, .. } => tracing::warn!(epoch = to, "{text}"),
            Notice::Observed(_) => tracing::info!("{text}"),
            Notice::ForeignWriter(_) | Notice::Unreadable(_) => tracing::error!("{text}"),
        }
    }

    fn view(&self) -> LeaseView {
        let mut view = LeaseView {
            table: self.table.clone(),
            name: self.name.clone(),
            epoch: self.lease.highest_epoch(),
            observed: self.lease.label().to_owned(),
            problem: self.problem.clone(),
            ..LeaseView::default()
        };
        if let Some(record) = self.lease.observed_record() {
            view.owner.clone_from(&record.owner);
            view.holder_instance_id.clone_from(&record.instance_id);
            view.holder_endpoint.clone_from(&record.endpoint);
            view.holder_region.clone_from(&record.region);
            view.acquired_unix_ms = record.acquired_unix_ms;
        } else if let Some(acquired) = self.lease.acquired_unix_ms() {
            view.owner.clone_from(&self.identity.owner);
            view.holder_instance_id.clone_from(&self.identity.instance_id);
            view.holder_endpoint.clone_from(&self.identity.endpoint);
            view.holder_region.clone_from(&self.identity.region);
            view.acquired_unix_ms = Some(acquired);
        }
        view
    }
}

fn now(context: &CheckerContext) -> Now {
    Now { boot: context.clock.now(), wall: context.clock.wall() }
}

async fn bounded(timeout: Duration, call: impl Future<Output = Outcome>) -> Outcome {
    tokio::time::timeout(timeout, call)
        .await
        .unwrap_or_else(|_| Outcome::Unknown(format!("no answer from the lease store within {timeout:?}")))
}

async fn changed<T>(receiver: &mut tokio::sync::watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}
