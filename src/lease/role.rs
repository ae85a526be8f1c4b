//! What one side of the protocol can be at a time: observer, holder, releasing, stopped.

use super::message::Notice;
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

impl Holding {
    /// The epoch of the next renewal: this one, unless a higher one was seen, such as on the objects of a cluster
    /// that has just joined. The new one then lies above it, and nobody has to give the lease up for that (S3).
    pub fn next_epoch(&self, highest: u64) -> u64 {
        if highest > self.epoch { highest + 1 } else { self.epoch }
    }

    /// A renewal succeeded, of which the answer came at `now`. The deadline counts from before it was sent (rule 1);
    /// the gate opens again after a wall-clock jump only if it was sent after it (rule 7).
    pub fn extend(&mut self, write: &SentWrite, deadline: Instant, now: Instant, notices: &mut Vec<Notice>) {
        let told_closed = self.expiry_announced || self.suspended_since.is_some();
        self.deadline = self.deadline.max(deadline);
        if self.suspended_since.is_some_and(|since| write.sent_at >= since) {
            self.suspended_since = None;
        }
        self.expiry_announced &= now >= self.deadline;
        if write.epoch > self.epoch {
            notices.push(Notice::Raised { from: self.epoch, to: write.epoch });
            self.epoch = write.epoch;
        }
        if told_closed && !self.expiry_announced && self.suspended_since.is_none() {
            notices.push(Notice::Resumed { epoch: self.epoch });
        }
    }
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
