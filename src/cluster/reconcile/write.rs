//! Sending pending changes through the gate, and what to do with each outcome.

use std::time::Duration;

use serde_json::Value;

use super::Reconciler;
use super::order::{Calm, must_wait};
use crate::checker::permit::Permit;
use crate::cluster::gate::{GateError, Written};
use crate::cluster::target::ReadError;
use crate::instant::Instant;
use crate::mesh::{BODIES, ClusterId, Kind, ObjectKey, Op, Origin};

/// What was learned by reading an object again.
pub(super) enum Reread {
    /// It was not read.
    Not,
    /// It is this, or is not there.
    As(Option<Value>),
    /// The cluster did not say.
    Failed(ReadError),
}

/// A write that has ended.
pub(super) struct Finished {
    cluster: ClusterId,
    key: ObjectKey,
    verb: &'static str,
    kind: Kind,
    took: Duration,
    /// What was sent.
    sent: Option<Value>,
    /// `None` when the object was only read again.
    outcome: Option<Result<Written, GateError>>,
    reread: Reread,
}

impl Reconciler {
    /// Starts as many writes as may be in flight. Without a permit, or before the mesh is known, none.
    pub(super) fn dispatch(&mut self) {
        let now = self.wiring.clock.now();
        let Some(permit) = self.wiring.gate.permit() else { return };
        if !self.sync.is_plannable() {
            return;
        }
        let clusters: Vec<ClusterId> = self.members.keys().cloned().collect();
        let calm = Calm::of(self.members.iter().map(|(cluster, member)| (cluster, &member.queue)));
        for cluster in clusters {
            while let Some(member) = self.members.get_mut(&cluster) {
                let planner = &self.planner;
                let next = member.queue.next(now, |key| must_wait(planner, &calm, &cluster, key));
                let Some((key, trouble)) = next else { break };
                self.start(&cluster, key, permit, now, trouble.read_first);
            }
        }
    }

    fn start(&mut self, cluster: &ClusterId, key: ObjectKey, permit: Permit, started: Instant, read_first: bool) {
        let (Some(change), Some(member)) = (self.planner.change(cluster, &key), self.members.get_mut(cluster)) else {
            if let Some(member) = self.members.get_mut(cluster) {
                member.queue.succeeded(&key, None);
            }
            return;
        };
        let (gate, target, clock) = (self.wiring.gate.clone(), member.target.clone(), self.wiring.clock.clone());
        let (cluster, kind, verb) = (cluster.clone(), key.kind, change.op.verb());
        self.writes.spawn(async move {
            let outcome = if read_first { None } else { Some(gate.apply(&permit, &target, &change).await) };
            let reread = match &outcome {
                None => read(gate.reread(&target, &key).await),
                Some(Err(error)) if must_reread(error) => read(gate.reread(&target, &key).await),
                Some(_) => Reread::Not,
            };
            let took = clock.now() - started;
            let sent = match change.op {
                Op::Create { object } | Op::Update { object, .. } => Some(object),
                Op::Delete { .. } => None,
            };
            Finished { cluster, key, verb, kind, took, sent, outcome, reread }
        });
    }

    /// Takes the outcome of a write in.
    pub(super) fn finish(&mut self, finished: &Finished) {
        let origin = Origin::Cluster(finished.cluster.clone());
        if let Reread::As(object) = &finished.reread {
            self.observe(&origin, &finished.key, object.as_ref());
        }
        match &finished.outcome {
            Some(Ok(written)) => self.succeeded(&origin, finished, written),
            Some(Err(error)) => self.failed(finished, error),
            None => self.reread_only(finished),
        }
        self.requeue(&finished.cluster, &finished.key);
        self.report_soon();
    }

    fn succeeded(&mut self, origin: &Origin, finished: &Finished, written: &Written) {
        let name = finished.cluster.as_str();
        self.wiring.metrics.wrote(name, finished.verb, finished.kind.name(), finished.took);
        *self.written_since_report.entry(finished.verb).or_default() += 1;
        tracing::debug!(cluster = name, "{}d {}", finished.verb, finished.key);
        match written {
            Written::Applied(object) => self.observe(origin, &finished.key, Some(object)),
            Written::Deleted => self.observe(origin, &finished.key, None),
        }
        self.plan();
        let vain = self.is_vain(finished);
        let Some(member) = self.members.get_mut(&finished.cluster) else { return };
        if !vain {
            member.queue.succeeded(&finished.key, Some(finished.took));
            return;
        }
        let error = "the cluster accepts the object and stores something else; look for a webhook or a schema that \
                     changes it";
        tracing::warn!(cluster = name, "{}: {error}", finished.key);
        member.queue.delay(&finished.key, self.wiring.clock.now(), error, false);
    }

    /// Whether the cluster did not keep what it accepted (a webhook changes it, a newer schema drops a field).
    /// Such an object would be written without end.
    fn is_vain(&self, finished: &Finished) -> bool {
        let change = self.planner.change(&finished.cluster, &finished.key);
        let Some(Op::Update { object, .. }) = change.map(|change| change.op) else { return false };
        finished.sent.as_ref().is_some_and(|sent| says_the_same(sent, &object))
    }

    fn failed(&mut self, finished: &Finished, error: &GateError) {
        let (key, now, text) = (&finished.key, self.wiring.clock.now(), error.to_string());
        let name = finished.cluster.as_str();
        self.wiring.metrics.write_failed(name, error.reason());
        let Some(member) = self.members.get_mut(&finished.cluster) else { return };
        let read_failed = matches!(finished.reread, Reread::Failed(_));
        match error {
            GateError::Closed { .. } => {
                self.wiring.metrics.gate_refused("closed");
                member.queue.put_back(key);
            }
            GateError::NotFound => {
                member.queue.conflicted(key, now, &text);
                self.observe(&Origin::Cluster(finished.cluster.clone()), key, None);
            }
            GateError::Conflict | GateError::AlreadyExists if !read_failed => {
                member.queue.conflicted(key, now, &text);
            }
            GateError::Invalid { .. } | GateError::Refused { .. } => {
                tracing::warn!(cluster = name, "{} {}: {text}", finished.verb, finished.key);
                member.queue.delay(key, now, &text, false);
            }
            GateError::Throttled { retry_after } => member.queue.pause(key, now, &text, *retry_after),
            GateError::Unavailable { .. } => {
                tracing::warn!(cluster = name, "{} {}: {text}", finished.verb, finished.key);
                member.queue.pause(key, now, &text, Duration::ZERO);
            }
            GateError::Cancelled => {
                self.wiring.metrics.write_cancelled();
                tracing::warn!(cluster = name, "{} {}: {text}", finished.verb, finished.key);
                member.queue.delay(key, now, &text, read_failed);
            }
            GateError::Conflict | GateError::AlreadyExists | GateError::Unknown { .. } => {
                tracing::warn!(cluster = name, "{} {}: {text}", finished.verb, finished.key);
                member.queue.delay(key, now, &text, read_failed);
                if read_failed {
                    member.queue.pause_all(now, &text, Duration::ZERO);
                }
            }
        }
    }

    /// A read that was owed after an unknown outcome.
    fn reread_only(&mut self, finished: &Finished) {
        let now = self.wiring.clock.now();
        let Some(member) = self.members.get_mut(&finished.cluster) else { return };
        match &finished.reread {
            Reread::Failed(error) => {
                member.queue.delay(&finished.key, now, &error.to_string(), true);
                member.queue.pause_all(now, &error.to_string(), Duration::ZERO);
            }
            Reread::As(_) | Reread::Not => member.queue.succeeded(&finished.key, Some(finished.took)),
        }
    }

    fn observe(&mut self, origin: &Origin, key: &ObjectKey, object: Option<&Value>) {
        match object {
            // What could not be read is among the conditions.
            Some(object) => drop(self.planner.apply(origin, object)),
            None => self.planner.delete(origin, key),
        }
    }

    /// The plan is brought up to date; the object goes back into the queue if it is still not as desired.
    fn requeue(&mut self, cluster: &ClusterId, key: &ObjectKey) {
        self.plan();
        if let Some(member) = self.members.get_mut(cluster)
            && self.planner.pending(cluster, key).is_some()
        {
            member.queue.want(key);
        }
    }
}

fn says_the_same(one: &Value, other: &Value) -> bool {
    BODIES.iter().all(|body| one.get(body) == other.get(body))
}

fn read(result: Result<Option<Value>, ReadError>) -> Reread {
    match result {
        Ok(object) => Reread::As(object),
        Err(error) => Reread::Failed(error),
    }
}

/// The plan was made from something that is no longer so, or it is not known whether the write took effect.
fn must_reread(error: &GateError) -> bool {
    error.is_outcome_unknown() || matches!(error, GateError::Conflict | GateError::AlreadyExists)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_map_that_has_grown_meanwhile_is_not_one_that_was_not_kept() {
        let map = |data| json!({"kind": "ConfigMap", "data": data});
        assert!(!says_the_same(&map(json!({"a": "1"})), &map(json!({"a": "1", "b": "2"}))));
        assert!(says_the_same(&map(json!({"a": "1"})), &map(json!({"a": "1"}))));
        let entry = |hosts| json!({"kind": "ServiceEntry", "spec": {"hosts": hosts}});
        assert!(!says_the_same(&entry(json!(["a"])), &entry(json!(["b"]))));
        assert!(says_the_same(&entry(json!(["a"])), &entry(json!(["a"]))));
    }
}
