//! Writes whose outcome is unknown: any of them may still turn out to have succeeded (rule 4).

use super::message::Purpose;
use crate::instant::Instant;

/// Beyond this many the oldest is forgotten. If that one succeeded after all, its item is taken for another's
/// and waited out, which is safe.
const MOST: usize = 64;

/// One write of ours.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct SentWrite {
    pub version: String,
    pub epoch: u64,
    pub purpose: Purpose,
    /// Before it was sent: the deadline of a permit counts from here.
    pub sent_at: Instant,
    /// Unix ms at which this epoch was first claimed.
    pub acquired_unix_ms: u64,
}

/// The unacknowledged writes, all of them conditioned on the same version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct SentLog {
    writes: Vec<SentWrite>,
}

impl SentLog {
    pub fn push(&mut self, write: SentWrite) {
        if self.writes.len() == MOST {
            self.writes.remove(0);
        }
        self.writes.push(write);
    }

    pub fn find(&self, version: &str) -> Option<&SentWrite> {
        self.writes.iter().find(|write| write.version == version)
    }

    /// Called when the item is known to have moved on: a write conditioned on what was there before can no
    /// longer take effect.
    pub fn clear(&mut self) {
        self.writes.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_forgets_the_oldest() {
        let mut log = SentLog::default();
        for i in 0..=MOST {
            log.push(SentWrite {
                version: i.to_string(),
                epoch: 1,
                purpose: Purpose::Renew,
                sent_at: Instant::default(),
                acquired_unix_ms: 0,
            });
        }
        assert!(log.find("0").is_none());
        assert!(log.find("1").is_some());
        assert!(log.find(&MOST.to_string()).is_some());
        log.clear();
        assert!(log.find("1").is_none());
    }
}
