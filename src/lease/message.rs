//! What goes into the protocol and what comes out of it.

use std::collections::BTreeMap;
use std::fmt;

use super::record::{Attribute, Expect, RawItem};
use crate::instant::Instant;

/// Why a write is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To give what stands there, or does not, a version that was never there before. Gives no permit.
    Mark,
    /// To become the holder.
    Claim,
    /// To stay the holder.
    Renew,
    /// To stop being the holder.
    Release,
}

/// One conditional write of the lease item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Write {
    /// Why.
    pub purpose: Purpose,
    /// What must be there for it to take effect.
    pub expect: Expect,
    /// Attributes to set; all others stay.
    pub set: BTreeMap<&'static str, Attribute>,
    /// Attributes to remove.
    pub remove: Vec<&'static str>,
}

/// A request to the store. At most one is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request {
    /// Increases by one with every request; the outcome is matched by it.
    pub id: u64,
    /// What to do.
    pub kind: RequestKind,
}

/// What a request does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// A consistent read.
    Read,
    /// A conditional write.
    Write(Write),
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The item, or that there is none.
    Read(Option<RawItem>),
    /// The write took effect; the item after it.
    Applied(RawItem),
    /// The condition did not hold; the item that was there.
    ConditionFailed(Option<RawItem>),
    /// No answer, or an error. A write may or may not have taken effect, or may do so later.
    Unknown(String),
}

/// What the driver is to do next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Send this, then report the outcome.
    Request(Request),
    /// Nothing before this instant, unless something changes.
    Wait(Instant),
    /// Wait until no write to a cluster is in flight, at most until this instant; then report it.
    Drain(Instant),
    /// The lease was given up for good.
    Done,
}

/// Something that a person should hear of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Notice {
    /// This instance holds the lease.
    Acquired {
        /// Under this epoch.
        epoch: u64,
        /// Why it could be claimed.
        because: String,
    },
    /// The permit ran out since no renewal succeeded in time; the lease may still be ours.
    PermitExpired {
        /// Of this epoch.
        epoch: u64,
    },
    /// A renewal succeeded after the gate was closed, with nobody in between.
    Resumed {
        /// Under this epoch.
        epoch: u64,
    },
    /// A renewal took a higher epoch, since one above ours was seen on an object in a cluster (S3).
    Raised {
        /// The epoch until now.
        from: u64,
        /// The epoch from now on.
        to: u64,
    },
    /// The lease is no longer ours.
    Lost {
        /// The epoch that was ours.
        epoch: u64,
        /// What happened to the item.
        because: String,
    },
    /// The lease was given up.
    Released {
        /// The epoch that was ours.
        epoch: u64,
        /// Whether the table confirmed it; if not, the lease runs out by itself.
        confirmed: bool,
    },
    /// The wall clock jumped against the boot clock: the gate stays closed until the next renewal (rule 7).
    WallClockJumped {
        /// By how many ms, forward positive.
        by_ms: i64,
    },
    /// The lease item is observed in another state than before.
    Observed(String),
    /// The item was written by something that is not a Flagship.
    ForeignWriter(String),
    /// The item makes no sense.
    Unreadable(String),
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acquired { epoch, because } => write!(f, "acquired the lease with epoch {epoch}: {because}"),
            Self::PermitExpired { epoch } => write!(
                f,
                "read-only: no renewal of epoch {epoch} succeeded in time; trying on, the lease may be taken over meanwhile"
            ),
            Self::Resumed { epoch } => write!(f, "renewed epoch {epoch} again; nobody held the lease in between"),
            Self::Raised { from, to } => write!(
                f,
                "an object in a cluster carries an epoch above ours, which was {from} (is this a new table, or does \
                 another Flagship write there?): the lease goes on with epoch {to}"
            ),
            Self::Lost { epoch, because } => write!(f, "lost the lease of epoch {epoch}: {because}"),
            Self::Released { epoch, confirmed: true } => write!(f, "released the lease of epoch {epoch}"),
            Self::Released { epoch, confirmed: false } => write!(
                f,
                "gave up epoch {epoch} without confirmation by the table; others wait until the lease runs out"
            ),
            Self::WallClockJumped { by_ms } => write!(
                f,
                "the wall clock jumped by {by_ms} ms against the boot clock; read-only until the next renewal"
            ),
            Self::Observed(what) => write!(f, "lease: {what}"),
            Self::ForeignWriter(owner) => write!(
                f,
                "the lease item was written by {owner:?}, which is not a Flagship (a Go Admiral?): at most one writer \
                 cannot be promised while it takes part; stop it, or let this instance wait"
            ),
            Self::Unreadable(reason) => write!(f, "the lease item makes no sense and is waited out: {reason}"),
        }
    }
}
