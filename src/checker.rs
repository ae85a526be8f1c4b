//! Who may write: a checker decides it, the mode carries it, the gate asks for it.
//!
//! Invariant: the mode is set by the checker alone. A new checker is one file and one row in [`REGISTRY`].

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::clock::SharedClock;
use crate::lease::{Eligibility, Identity, LeaseConfig};
use crate::store::dynamodb::DynamoDbOptions;

pub mod driver;
pub mod dynamodb;
pub mod ignore_identity;
pub mod noop;
pub mod permit;
pub mod standby;
pub mod status;
pub mod thread;

use permit::ModeWriter;
use status::StatusBoard;

/// Decides whether this instance is active.
pub trait StateChecker: Send {
    /// Its name in the registry.
    fn name(&self) -> &'static str;

    /// Whether it needs a thread and runtime of its own, so that no load elsewhere delays it.
    fn runs_on_own_task(&self) -> bool;

    /// Runs until `context.shutdown`, and returns once the right to write was given up in order. Whenever it
    /// ends otherwise, the process ends too.
    fn run(self: Box<Self>, context: CheckerContext) -> BoxFuture<'static, Result<(), CheckerError>>;
}

/// What a checker is given.
pub struct CheckerContext {
    /// Where it publishes its decision.
    pub mode: ModeWriter,
    /// Where it tells people.
    pub board: StatusBoard,
    /// The time.
    pub clock: SharedClock,
    /// Cancelled when the instance is to stop.
    pub shutdown: CancellationToken,
    /// Whether this instance sees the clusters (promise L4).
    pub eligibility: watch::Receiver<Eligibility>,
    /// The highest epoch seen on an object in any cluster (rule 3).
    pub epoch_floor: Arc<AtomicU64>,
    /// Waits for the writes that are in flight (rule 5).
    pub drain: Arc<dyn Drain>,
}

/// Something that can wait until no write to a cluster is in flight.
pub trait Drain: Send + Sync {
    /// Returns once none is. No new one starts while the mode is passive.
    fn drain(&self) -> BoxFuture<'_, ()>;
}

/// Why a checker ended although nobody asked it to.
#[derive(Debug, thiserror::Error)]
pub enum CheckerError {
    /// It cannot be run as configured; the message says what to do.
    #[error("{0}")]
    Refused(String),
    /// Its thread could not be started, or it panicked.
    #[error("the state checker died: {0}; this instance is read-only and ends")]
    Died(String),
}

/// What checkers may need to be made.
#[derive(Clone, Debug)]
pub struct CheckerOptions {
    /// The protocol's durations.
    pub config: LeaseConfig,
    /// Who this instance is.
    pub identity: Identity,
    /// Where the lease lives.
    pub dynamodb: DynamoDbOptions,
}

/// A row of the registry.
pub struct CheckerKind {
    /// Its name, then its aliases; compared without regard to case.
    pub names: &'static [&'static str],
    /// Makes one.
    pub make: fn(CheckerOptions) -> Box<dyn StateChecker>,
}

/// Every checker.
pub const REGISTRY: &[CheckerKind] = &[dynamodb::KIND, ignore_identity::KIND, noop::KIND, standby::KIND];

/// Makes the checker called `name`.
///
/// # Errors
/// When no row has that name; the message lists those that there are.
pub fn by_name(name: &str, options: CheckerOptions) -> Result<Box<dyn StateChecker>, CheckerError> {
    let row = REGISTRY.iter().find(|row| row.names.iter().any(|known| known.eq_ignore_ascii_case(name)));
    match row {
        Some(row) => Ok((row.make)(options)),
        None => {
            let known: Vec<&str> = REGISTRY.iter().flat_map(|row| row.names).copied().collect();
            Err(CheckerError::Refused(format!(
                "--state-checker is `{name}`, which is not known; use one of: {}",
                known.join(", ")
            )))
        }
    }
}
