//! Where the lease record lives.
//!
//! Invariant: a store never decides anything. It carries out one request of the protocol and reports which of
//! four things happened; whatever it is not sure of is [`Outcome::Unknown`].

use futures::future::BoxFuture;

use crate::lease::{Outcome, RequestKind};

pub mod dynamodb;
pub mod init;
pub mod memory;

/// A linearizable home for one lease item (assumption A1).
pub trait LeaseStore: Send + Sync {
    /// What to call it in messages, such as `DynamoDB table admiral-lease, item flagship`.
    fn describe(&self) -> String;

    /// Carries out one request. The caller bounds the time.
    fn execute<'a>(&'a self, request: &'a RequestKind) -> BoxFuture<'a, Outcome>;

    /// Whether this store can keep the promises (rule 6).
    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>>;
}

/// Why a store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It will not get better by waiting; the message says what to do.
    #[error("{0}")]
    Refused(String),
    /// It may be a passing fault.
    #[error("{0}")]
    Unreachable(String),
}
