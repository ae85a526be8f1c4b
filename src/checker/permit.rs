//! The right to write, and the one place that says who has it.
//!
//! Invariant (S2): an expired permit is worth nothing, whether or not anybody said so. A reader compares the
//! permit's deadline with the time it is given; no task has to run for the right to end.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::instant::Instant;
pub use crate::lease::Permit;

/// `Active` may write; `Passive` (`readonly` in flags, routes and metrics) may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// This instance may write.
    Active,
    /// This instance computes and writes nothing.
    Passive,
}

impl State {
    /// The word used in headers, routes and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
        }
    }
}

/// Creates the shared state, passive, with the one handle that can change it.
pub fn mode() -> (ModeWriter, ModeReader) {
    let current = Arc::new(ArcSwap::from_pointee(None));
    let (notify, changes) = watch::channel(None);
    (ModeWriter { current: Arc::clone(&current), notify }, ModeReader { current, changes })
}

/// Sets the mode. Held by the checker alone; dropping it leaves the last permit to run out by itself.
#[derive(Debug)]
pub struct ModeWriter {
    current: Arc<ArcSwap<Option<Permit>>>,
    notify: watch::Sender<Option<Permit>>,
}

impl ModeWriter {
    /// Publishes `permit`, or with `None` that this instance is passive. Takes effect before it returns.
    pub fn set(&self, permit: Option<Permit>) {
        if **self.current.load() == permit {
            return;
        }
        self.current.store(Arc::new(permit));
        self.notify.send_replace(permit);
    }
}

/// Reads the mode: no lock, no I/O.
#[derive(Clone, Debug)]
pub struct ModeReader {
    current: Arc<ArcSwap<Option<Permit>>>,
    changes: watch::Receiver<Option<Permit>>,
}

impl ModeReader {
    /// The permit that is good at `now`, if there is one.
    pub fn permit(&self, now: Instant) -> Option<Permit> {
        let permit = **self.current.load();
        permit.filter(|p| now < p.deadline)
    }

    /// Active if a permit is good at `now`.
    pub fn state(&self, now: Instant) -> State {
        if self.permit(now).is_some() { State::Active } else { State::Passive }
    }

    /// Waits until the mode was set anew since the last call. A permit that merely expires is not announced;
    /// whoever needs to know watches its deadline. Never returns once the checker is gone.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn an_expired_permit_is_passive_without_a_message() {
        let (writer, reader) = mode();
        assert_eq!(reader.state(at(0)), State::Passive);
        writer.set(Some(Permit { epoch: 3, deadline: at(10) }));
        assert_eq!(reader.state(at(9)), State::Active);
        assert_eq!(reader.state(at(10)), State::Passive);
        drop(writer);
        assert_eq!(reader.permit(at(5)).map(|p| p.epoch), Some(3));
        assert_eq!(reader.permit(at(11)), None);
    }
}
