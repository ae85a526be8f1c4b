//! Follows Admiral's table of suspended identities and tells the reconciler (reconcile-spec 6.3).
//!
//! Invariants: it decides nothing about the lease, and runs on the active and the passive alike; its answers enter the
//! plan as events. What cannot be read leaves the last answer in force, is told once, and never suspends less than
//! somebody wrote.

mod follow;
mod item;
mod table;

use std::time::Duration;

use futures::future::BoxFuture;

pub use follow::follow;
pub use item::{Answer, Reading, read};
pub use table::{SuspensionTable, TableOptions};

/// Where suspensions are read.
pub trait Source: Send + Sync {
    /// What to call it in messages, such as `suspension table t, item dev`.
    fn describe(&self) -> String;

    /// Reads it once.
    ///
    /// # Errors
    /// When there was no answer: what went wrong, and what to do.
    fn read(&self) -> BoxFuture<'_, Result<Reading, String>>;
}

/// The longest that one look at the table may take, all of its pages together.
pub const READ_WITHIN: Duration = Duration::from_secs(15);

/// After a look that failed the next one follows this soon, or after the usual interval if that is shorter.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);
