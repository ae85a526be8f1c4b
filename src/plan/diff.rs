//! One object at a time: the change that leads from what is observed to what is desired.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Planner, compare};
use crate::desired::{ownership, released};
use crate::mesh::{ClusterId, Compact, Kind, ObjectKey, Op};

impl Planner {
    /// Compares these objects anew, and returns those whose pending change appeared, changed or vanished.
    pub(super) fn compare_keys(&mut self, keys: BTreeSet<(ClusterId, ObjectKey)>) -> BTreeSet<(ClusterId, ObjectKey)> {
        let mut changed = BTreeSet::new();
        let mut queue = keys;
        // In the order of the keys, so that a cluster's ConfigMap comes before its ServiceEntries.
        while let Some((cluster, key)) = queue.pop_first() {
            let change = self.change_of(&cluster, &key);
            let changes = self.changes.entry(cluster.clone()).or_default();
            let before = match change.clone() {
                Some(change) => changes.insert(key.clone(), change),
                None => changes.remove(&key),
            };
            if before == change {
                continue;
            }
            if key == released::key(&self.options) && before.is_some() != change.is_some() {
                // Deletes wait for this map, or need no longer wait.
                let deletes = changes.iter().filter(|(_, op)| matches!(op, Op::Delete { .. }));
                queue.extend(deletes.map(|(key, _)| (cluster.clone(), key.clone())));
            }
            changed.insert((cluster, key));
        }
        self.changes.retain(|_, changes| !changes.is_empty());
        changed
    }

    fn change_of(&mut self, cluster: &ClusterId, key: &ObjectKey) -> Option<Op<Compact>> {
        let at = (cluster.clone(), key.clone());
        self.foreign.remove(&at);
        self.turning.remove(&at);
        // Until the conditions are known again, no Event is known to be superfluous.
        let is_untold = key.kind == Kind::Event && !self.announced;
        // While everything is suspended not even the books are written.
        if is_untold || !self.index.is_plannable(cluster) || self.index.suspensions().is_all() {
            return None;
        }
        let state = self.index.cluster(cluster)?;
        let observed = state.observed(key);
        let desired = self.desired.get(cluster).and_then(|desired| desired.get(key));
        let op = match (desired, observed) {
            (desired, observed) if key.kind.is_told_by_status() => {
                return Self::status_change(&desired?.value(), &observed?);
            }
            (Some(desired), None) => Op::Create { object: desired.clone() },
            (Some(_), Some(observed)) if !ownership::is_ours(key, &observed) => {
                self.foreign.insert(at);
                return None;
            }
            // All that an Event says is in its name.
            (Some(_), Some(_)) if key.kind == Kind::Event => return None,
            (Some(desired), Some(observed)) => {
                let desired = desired.value();
                if compare::is_as_desired(&desired, &observed, &self.options) {
                    return None;
                }
                let object = Compact::new(&compare::merged(&desired, &observed, &self.options));
                self.note_preference(cluster, key, &desired, &observed);
                let (uid, resource_version) = compare::version(&observed);
                Op::Update { object, uid, resource_version }
            }
            (None, Some(observed)) if self.is_orphan(key, &observed) => {
                let (uid, resource_version) = compare::version(&observed);
                Op::Delete { uid, resource_version, requires: self.required_before(cluster, key, &observed) }
            }
            (None, _) => return None,
        };
        Some(op)
    }

    /// Whether an observed object that nothing desires is ours to delete.
    pub(super) fn is_orphan(&self, key: &ObjectKey, object: &Value) -> bool {
        self.index.is_complete() && ownership::is_disposable(key, object, &self.options, self.index.suspensions())
    }
}
