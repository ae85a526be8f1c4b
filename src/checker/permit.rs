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

/// What may be written under which permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Rights {
    /// Writes may start.
    open: Option<Permit>,
    /// No write may start; those under way may end.
    finishing: Option<Permit>,
}

/// Creates the shared state, passive, with the one handle that can change it.
pub fn mode() -> (ModeWriter, ModeReader) {
    let current = Arc::new(ArcSwap::from_pointee(Rights::default()));
    let (notify, changes) = watch::channel(());
    (ModeWriter { current: Arc::clone(&current), notify }, ModeReader { current, changes })
}

/// Sets the mode. Held by the checker alone; dropping it leaves the last permit to run out by itself.
#[derive(Debug)]
pub struct ModeWriter {
    current: Arc<ArcSwap<Rights>>,
    notify: watch::Sender<()>,
}

impl ModeWriter {
    /// Publishes `permit`, or with `None` that this instance is passive and whatever is under way is to be given
    /// up. Takes effect before it returns.
    pub fn set(&self, permit: Option<Permit>) {
        self.publish(Rights { open: permit, finishing: None });
    }

    /// Publishes that this instance is passive of its own will: no write starts any more, those under way under
    /// `permit` may end, and whoever gives the lease up waits for them (rule 5).
    pub fn finish(&self, permit: Permit) {
        self.publish(Rights { open: None, finishing: Some(permit) });
    }

    fn publish(&self, rights: Rights) {
        if **self.current.load() != rights {
            self.current.store(Arc::new(rights));
            self.notify.send_replace(());
        }
    }
}

/// Reads the mode: no lock, no I/O.
#[derive(Clone, Debug)]
pub struct ModeReader {
    current: Arc<ArcSwap<Rights>>,
    changes: watch::Receiver<()>,
}

impl ModeReader {
    /// The permit that is good at `now`, if there is one.
    pub fn permit(&self, now: Instant) -> Option<Permit> {
        self.current.load().open.filter(|permit| now < permit.deadline)
    }

    /// Whether a write that was started under `epoch` may go on at `now`.
    pub fn may_finish(&self, epoch: u64, now: Instant) -> bool {
        let rights = self.current.load();
        let permit = rights.open.or(rights.finishing);
        permit.is_some_and(|permit| permit.epoch == epoch && now < permit.deadline)
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
        assert_eq!([State::Active, State::Passive].map(State::as_str), ["active", "passive"]);
    }

    #[test]
    fn who_gives_up_starts_nothing_and_ends_what_is_under_way() {
        let (writer, reader) = mode();
        let permit = Permit { epoch: 3, deadline: at(10) };
        writer.set(Some(permit));
        assert!(reader.may_finish(3, at(5)) && !reader.may_finish(2, at(5)));
        writer.finish(permit);
        assert_eq!(reader.state(at(5)), State::Passive);
        assert!(reader.may_finish(3, at(5)));
        assert!(!reader.may_finish(3, at(10)), "not beyond the deadline");
        writer.set(None);
        assert!(!reader.may_finish(3, at(5)), "a loss ends them");
    }
}
