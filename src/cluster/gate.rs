//! The gate: the only way to change a cluster.
//!
//! Invariant (S1, S2): a write leaves only while the mode has the epoch of the permit under which it was
//! planned, for at least as long as the write may take. When the mode is lost, writes in flight are dropped.
//! Authority is asked for where it is used: here, in the transport ([`super::lock`]), before a rename.

mod outcome;
mod pass;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio::sync::watch;

pub use outcome::{GateError, Written};
pub use pass::{Closed, Pass};

use super::segment;
use super::target::{ReadError, Target};
use super::watch::object::prune;
use crate::checker::Drain;
use crate::checker::permit::{ModeReader, Permit};
use crate::clock::SharedClock;
use crate::instant::WallTime;
use crate::mesh::marks::EPOCH;
use crate::mesh::{Change, Kind, ObjectKey, Op};

/// How long a write may take, unless set otherwise.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

/// Lets writes through while this instance is active. One for all clusters.
pub struct Gate {
    mode: ModeReader,
    clock: SharedClock,
    request_timeout: Duration,
    in_flight: watch::Sender<usize>,
    counts: Mutex<Counts>,
}

/// Writes since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that took effect, by verb (`create`, `update`, `delete`).
    pub written: BTreeMap<&'static str, u64>,
    /// The others, by [`GateError::reason`].
    pub failed: BTreeMap<&'static str, u64>,
}

impl Gate {
    /// A gate that follows `mode`. No write takes longer than `request_timeout`.
    pub fn new(mode: ModeReader, clock: SharedClock, request_timeout: Duration) -> Self {
        let in_flight = watch::Sender::new(0);
        Self { mode, clock, request_timeout, in_flight, counts: Mutex::default() }
    }

    /// Carries out `change`, planned under `permit`, in `target`, and says what became of it. Of the permit
    /// only the epoch counts: the time comes from the mode, which renewals extend.
    ///
    /// # Errors
    /// See [`GateError`]. After `Unknown` and `Cancelled` the caller re-reads the object before it acts.
    pub async fn apply(&self, permit: &Permit, target: &Target, change: &Change) -> Result<Written, GateError> {
        let outcome = self.attempt(permit, target, change).await;
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = match &outcome {
            Ok(_) => counts.written.entry(change.op.verb()),
            Err(error) => counts.failed.entry(error.reason()),
        };
        *count.or_default() += 1;
        outcome
    }

    /// Reads one object as it is now; `None` if there is none. Needs no permit.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub async fn reread(&self, target: &Target, key: &ObjectKey) -> Result<Option<Value>, ReadError> {
        segment::check_key(key).map_err(|message| ReadError::Invalid { message })?;
        let mut object = target.get(key, self.request_timeout).await?;
        if let Some(object) = &mut object {
            prune(key.kind, object);
        }
        Ok(object)
    }

    /// Waits until no write is in flight. Bounded: a write ends with its time-out. Whoever
    /// drains closes the mode first, or new writes keep it waiting.
    pub async fn drain(&self) {
        let mut in_flight = self.in_flight.subscribe();
        // The sender is ours and outlives the wait.
        let _ = in_flight.wait_for(|count| *count == 0).await;
    }

    /// The permit under which a write may start now: good for as long as the write may take.
    pub fn permit(&self) -> Option<Permit> {
        let now = self.clock.now();
        self.mode.permit(now).filter(|permit| permit.covers(now, self.request_timeout))
    }

    /// Writes in flight now.
    pub fn in_flight(&self) -> usize {
        *self.in_flight.borrow()
    }

    /// Writes since the start.
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn attempt(&self, permit: &Permit, target: &Target, change: &Change) -> Result<Written, GateError> {
        let change = stamped(change, permit.epoch, self.clock.wall())?;
        let pass =
            Pass::new(permit.epoch, self.request_timeout, self.mode.clone(), self.clock.clone(), &self.in_flight);
        pass.check()?;
        let mut outcome = tokio::select! {
            // The loss first: after a pause both may be ready, and then nothing more may be sent.
            biased;
            () = pass.lost() => Err(GateError::Cancelled),
            outcome = target.write(&pass, &change) => outcome,
        };
        if outcome.as_ref().is_err_and(GateError::is_outcome_unknown) {
            outlive(pass);
        }
        if let Ok(Written::Applied(object)) = &mut outcome {
            prune(change.key.kind, object);
        }
        outcome
    }
}

impl Drain for Gate {
    fn drain(&self) -> BoxFuture<'_, ()> {
        Box::pin(Self::drain(self))
    }
}

/// A write without an answer may have left at any moment until now, also after a pause of the process that used up
/// its time, and may still take effect: it counts as in flight for one time-out more. A release waits for it, at most
/// until the permit ends. Without this, a wall clock that jumps (it closes the gate but not the lease) or a pause
/// right before a shutdown lets the next holder write beside it.
fn outlive(pass: Pass) {
    tokio::spawn(async move {
        tokio::time::sleep(pass.timeout()).await;
        drop(pass);
    });
}

/// The change with the epoch on its object, after a check that the object is the one that the key names. An Event gets
/// the time too, which people look for and which is never compared.
fn stamped(change: &Change, epoch: u64, now: WallTime) -> Result<Change, GateError> {
    let invalid = |message| GateError::Invalid { message };
    segment::check_key(&change.key).map_err(invalid)?;
    let mut change = change.clone();
    if let Op::Create { object } | Op::Update { object, .. } = &mut change.op {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let named = (text("/kind"), text("/metadata/namespace"), text("/metadata/name"));
        if named != (change.key.kind.name(), change.key.namespace.as_str(), change.key.name.as_str()) {
            return Err(invalid(format!("the change of {} carries the object {named:?}", change.key)));
        }
        let annotations = object
            .get_mut("metadata")
            .and_then(Value::as_object_mut)
            .map(|metadata| metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new())));
        match annotations {
            Some(Value::Object(annotations)) => {
                annotations.insert(EPOCH.to_owned(), Value::String(epoch.to_string()));
            }
            Some(annotations @ Value::Null) => *annotations = serde_json::json!({ EPOCH: epoch.to_string() }),
            _ => return Err(invalid(format!("{}: metadata.annotations is not a mapping", change.key))),
        }
        if change.key.kind == Kind::Event {
            for field in ["firstTimestamp", "lastTimestamp"] {
                object[field] = Value::String(rfc3339(now));
            }
        }
    }
    Ok(change)
}

fn rfc3339(time: WallTime) -> String {
    /// The last second of the year 9999, beyond which the format has no name for a time.
    const LAST: u64 = 253_402_300_799;
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time.unix_s().min(LAST))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_event_gets_the_time_and_nothing_else_does() {
        let stamp = |kind: Kind, now| {
            let object = json!({"kind": kind.name(), "metadata": {"namespace": "ns", "name": "n"}});
            let change = Change { key: ObjectKey::new(kind, "ns", "n"), op: Op::Create { object } };
            let Op::Create { object } = stamped(&change, 7, WallTime::from_unix_ms(now)).unwrap().op else { panic!() };
            assert_eq!(object["metadata"]["annotations"][EPOCH], "7");
            object
        };
        let event = stamp(Kind::Event, 1_700_000_000_999);
        assert_eq!(event["firstTimestamp"], "2023-11-14T22:13:20Z");
        assert_eq!(event["lastTimestamp"], event["firstTimestamp"]);
        assert_eq!(stamp(Kind::Event, u64::MAX)["firstTimestamp"], "9999-12-31T23:59:59Z");
        assert_eq!(stamp(Kind::ServiceEntry, 0).get("firstTimestamp"), None);
    }
}
