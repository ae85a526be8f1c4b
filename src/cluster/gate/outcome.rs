//! What became of a write.

use std::time::Duration;

use serde_json::Value;

use super::Closed;

/// A write that took effect.
#[derive(Clone, Debug, PartialEq)]
pub enum Written {
    /// The object as the cluster stored it.
    Applied(Value),
    /// The object is deleted, or marked as such if finalizers hold it.
    Deleted,
}

/// A write that did not take effect, or of which that is not known.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GateError {
    /// The gate is closed; nothing was sent.
    #[error("not written: {why}")]
    Closed {
        /// Why.
        #[from]
        why: Closed,
    },
    /// The change itself cannot be carried out; nothing was sent.
    #[error("not written: {message}")]
    Invalid {
        /// What is wrong with it.
        message: String,
    },
    /// The object is no longer what the plan was made from. Observe and plan again.
    #[error("the object has changed since it was observed; it is read and planned again")]
    Conflict,
    /// The object to create exists. Observe and plan again.
    #[error("the object exists already; it is read and planned again")]
    AlreadyExists,
    /// The object to change is gone. Observe and plan again.
    #[error("the object is gone; it is planned again")]
    NotFound,
    /// The cluster said no.
    #[error("the cluster refused it with {status}: {message}")]
    Refused {
        /// HTTP status; 0 for a folder.
        status: u16,
        /// What the cluster says.
        message: String,
    },
    /// The cluster asks for patience; nothing was changed.
    #[error("the cluster is busy and asks to wait {} s", retry_after.as_secs())]
    Throttled {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The cluster could not be reached; nothing was sent.
    #[error("the cluster cannot be reached: {message}")]
    Unavailable {
        /// What the connection says.
        message: String,
    },
    /// It may or may not have taken effect: re-read before acting on the object again.
    #[error("the outcome is unknown ({message}); the object is read again before anything else is done to it")]
    Unknown {
        /// What happened.
        message: String,
    },
    /// The right to write ended while it was in flight. It may or may not have taken effect.
    #[error("given up in flight, since this instance lost the right to write; the outcome is unknown")]
    Cancelled,
}

impl GateError {
    /// One word for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Invalid { .. } => "invalid",
            Self::Conflict => "conflict",
            Self::AlreadyExists => "already_exists",
            Self::NotFound => "not_found",
            Self::Refused { .. } => "refused",
            Self::Throttled { .. } => "throttled",
            Self::Unavailable { .. } => "unavailable",
            Self::Unknown { .. } => "unknown",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the write may have taken effect all the same.
    pub fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Cancelled)
    }
}
