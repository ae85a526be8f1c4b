//! What a checker tells about itself: for people, pages and metrics, never for decisions.

use std::collections::VecDeque;
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::Serialize;

use super::permit::State;
use crate::clock::SharedClock;
use crate::instant::Instant;

/// How many transitions are kept.
const HISTORY: usize = 50;

/// The lease as this instance sees it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseView {
    /// Table and lease name.
    pub table: String,
    /// The item's key.
    pub name: String,
    /// Who holds it; empty when released or unknown.
    pub owner: String,
    /// The holder's process.
    pub holder_instance_id: String,
    /// Where the holder's API answers, if it said so.
    pub holder_endpoint: String,
    /// The Region that the holder named.
    pub holder_region: String,
    /// Highest epoch seen.
    pub epoch: u64,
    /// `holding`, `held by another`, `expired`, `released`, `absent`, `foreign`, `unreadable` or `unknown`.
    pub observed: String,
    /// What is wrong with the item and what to do; empty when nothing is.
    pub problem: String,
    /// Wall-clock ms at which the holder acquired it, by the holder's clock.
    pub acquired_unix_ms: Option<u64>,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Transition {
    /// When, by this instance's wall clock, in ms since the Unix epoch.
    pub unix_ms: u64,
    /// The new state.
    pub state: State,
    /// The epoch under which it holds, or the highest one seen when passive.
    pub epoch: u64,
    /// Why, in one sentence.
    pub reason: String,
}

/// A snapshot of a checker's view.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckerStatus {
    /// The checker's name in the registry.
    pub checker: String,
    /// The lease, for checkers that have one.
    pub lease: Option<LeaseView>,
    /// Requests to the lease store that succeeded.
    pub store_successes: u64,
    /// Requests to the lease store that failed or whose outcome is unknown.
    pub store_failures: u64,
    /// Claims that won.
    pub takeovers: u64,
    /// Times that this instance became active.
    pub activations: u64,
    /// Times that it became passive.
    pub deactivations: u64,
    /// Last error, empty when the last request succeeded.
    pub last_error: String,
    /// Changes of state, oldest first.
    pub transitions: VecDeque<Transition>,
}

/// Where the checker publishes and everybody reads.
#[derive(Clone)]
pub struct StatusBoard {
    status: Arc<ArcSwap<CheckerStatus>>,
    heartbeat: Arc<std::sync::atomic::AtomicU64>,
    clock: SharedClock,
}

impl StatusBoard {
    /// An empty board for the checker called `checker`.
    pub fn new(checker: &str, clock: SharedClock) -> Self {
        let status = CheckerStatus { checker: checker.to_owned(), ..CheckerStatus::default() };
        let board = Self { status: Arc::new(ArcSwap::from_pointee(status)), heartbeat: Arc::default(), clock };
        board.beat();
        board
    }

    /// The latest snapshot.
    pub fn read(&self) -> Arc<CheckerStatus> {
        self.status.load_full()
    }

    /// Changes the snapshot. Called by the checker alone.
    pub fn update(&self, change: impl FnOnce(&mut CheckerStatus)) {
        let mut status = (**self.status.load()).clone();
        change(&mut status);
        self.status.store(Arc::new(status));
    }

    /// Records a change of state.
    pub fn transition(&self, state: State, epoch: u64, reason: &str) {
        let unix_ms = self.clock.wall().unix_ms();
        self.update(|status| {
            match state {
                State::Active => status.activations += 1,
                State::Passive => status.deactivations += 1,
            }
            if status.transitions.len() == HISTORY {
                status.transitions.pop_front();
            }
            status.transitions.push_back(Transition { unix_ms, state, epoch, reason: reason.to_owned() });
        });
    }

    /// Says that the checker's loop is alive.
    pub fn beat(&self) {
        let millis = u64::try_from(self.clock.now().since_origin().as_millis()).unwrap_or(u64::MAX);
        self.heartbeat.store(millis, std::sync::atomic::Ordering::Release);
    }

    /// When the checker's loop was last alive.
    pub fn last_beat(&self) -> Instant {
        let millis = self.heartbeat.load(std::sync::atomic::Ordering::Acquire);
        Instant::from_origin(std::time::Duration::from_millis(millis))
    }
}
