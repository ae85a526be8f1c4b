//! What one side of the protocol can be at a time: observer, holder, releasing, stopped.

use super::sent::SentWrite;
use super::sighting::Sighting;
use crate::instant::Instant;

/// What a holder knows of its lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Holding {
    pub version: String,
    pub epoch: u64,
    pub deadline: Instant,
    pub acquired_unix_ms: u64,
    /// The wall clock jumped then: only a renewal sent later opens the gate again (rule 7).
    pub suspended_since: Option<Instant>,
    pub expiry_announced: bool,
    pub forget_switchover: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Role {
    Observer(Option<Sighting>),
    Holder(Holding),
    Releasing { holding: Holding, drained: bool, tries: u32 },
    Stopped,
}

/// The one request that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct InFlight {
    pub id: u64,
    pub sent: Option<SentWrite>,
    pub because: String,
}
