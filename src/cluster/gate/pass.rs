//! A pass: what the gate gives a write so that the transport lets it through.
//!
//! Invariant: only the gate makes one, and a pass proves nothing by itself: whoever holds it asks again,
//! at the moment of use, whether the mode still has its epoch for as long as the write may take.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use crate::checker::permit::ModeReader;
use crate::clock::SharedClock;

/// How long the loss of the mode may go unnoticed when nobody announces it. The boot clock counts through
/// suspend and tokio's timers do not, so that one sleep until the deadline would not do.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why the gate is closed for a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Closed {
    /// No permit is good now.
    #[error("this instance is passive; the active instance writes")]
    Passive,
    /// The plan was made under another epoch than the current one.
    #[error("the permit is of epoch {permit}, the mode is at epoch {current}; plan again under the new permit")]
    OtherEpoch {
        /// The epoch of the permit that was shown.
        permit: u64,
        /// The epoch of the mode.
        current: u64,
    },
    /// The permit might end before the write does.
    #[error("the permit runs for {left_ms} ms and a write may take {needed_ms} ms; wait for the next renewal")]
    TooShort {
        /// Time left, in ms.
        left_ms: u64,
        /// Time that a write may take, in ms.
        needed_ms: u64,
    },
}

/// The right to one write. See the module for what it does and does not prove.
#[derive(Clone)]
pub struct Pass {
    epoch: u64,
    timeout: Duration,
    mode: ModeReader,
    clock: SharedClock,
    // Held for its drop: a write is in flight as long as any copy of its pass exists.
    _in_flight: std::sync::Arc<InFlight>,
}

impl Pass {
    pub(super) fn new(
        epoch: u64,
        timeout: Duration,
        mode: ModeReader,
        clock: SharedClock,
        count: &watch::Sender<usize>,
    ) -> Self {
        Self { epoch, timeout, mode, clock, _in_flight: std::sync::Arc::new(InFlight::enter(count.clone())) }
    }

    /// Whether a write that starts now ends within the mode's current permit, at this pass's epoch.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self) -> Result<(), Closed> {
        let now = self.clock.now();
        let permit = self.mode.permit(now).ok_or(Closed::Passive)?;
        if permit.epoch != self.epoch {
            return Err(Closed::OtherEpoch { permit: self.epoch, current: permit.epoch });
        }
        if !permit.covers(now, self.timeout) {
            let ms = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
            return Err(Closed::TooShort { left_ms: ms(permit.deadline - now), needed_ms: ms(self.timeout) });
        }
        Ok(())
    }

    /// The epoch under which the write is made.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How long the write may take.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns once the right to this write is lost. A write that has begun may use up its permit to the end, also
    /// while the lease is being given up, which waits for it.
    pub(super) async fn lost(&self) {
        let mut mode = self.mode.clone();
        while mode.may_finish(self.epoch, self.clock.now()) {
            // Either the mode is set anew or it is time to look at the clock again.
            let _ = tokio::time::timeout(LOOK_EVERY, mode.changed()).await;
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass").field("epoch", &self.epoch).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Counts one write from its pass to the drop of the last copy.
struct InFlight(watch::Sender<usize>);

impl InFlight {
    fn enter(count: watch::Sender<usize>) -> Self {
        count.send_modify(|n| *n += 1);
        Self(count)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|n| *n -= 1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::checker::permit::mode;
    use crate::clock::SystemClock;

    #[test]
    fn a_pass_knows_its_epoch_and_time_and_says_so() {
        let (_writer, reader) = mode();
        let pass = Pass::new(7, Duration::from_millis(400), reader, Arc::new(SystemClock), &watch::Sender::new(0));
        assert_eq!((pass.epoch(), pass.timeout()), (7, Duration::from_millis(400)));
        assert_eq!(format!("{pass:?}"), "Pass { epoch: 7, timeout: 400ms, .. }");
        assert_eq!(pass.check(), Err(Closed::Passive));
    }
}
