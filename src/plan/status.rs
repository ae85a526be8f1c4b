//! The status of people's policies: which changes of it are pending.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Planner, compare};
use crate::desired::{self, Objects, Places};
use crate::mesh::{ClusterId, Compact, Condition, ObjectKey, Op};

impl Planner {
    /// Takes up the conditions of this plan ([`Self::conditions`]) as the status of the policies of those clusters that
    /// take one, and returns the keys whose pending change appeared, changed or vanished; `None` if the plan is behind and
    /// must be made first. Does nothing unless asked for by `--policy-status`, and while some cluster has never been seen.
    pub fn tell_statuses(
        &mut self,
        conditions: &[Condition],
        takes_it: impl Fn(&ClusterId) -> bool,
    ) -> Option<BTreeSet<(ClusterId, ObjectKey)>> {
        if !self.options.extension.policy_status || !self.index.is_complete() {
            return Some(BTreeSet::new());
        }
        self.dirty.keys.extend(self.index.take_newly_told());
        if !self.dirty.is_clean() {
            return None;
        }
        let mut statuses = desired::statuses(&self.index, conditions, |identity| self.places_of(identity));
        statuses.retain(|(cluster, _), _| takes_it(cluster));
        let keys = self.want_statuses(statuses);
        Some(self.compare_keys(keys))
    }

    /// Replaces all that is desired as status; returns the keys of what is another one than before.
    fn want_statuses(&mut self, statuses: Objects) -> BTreeSet<(ClusterId, ObjectKey)> {
        let mut keys = BTreeSet::new();
        for (cluster, desired) in &self.desired {
            let told = desired.keys().filter(|key| key.kind.is_told_by_status());
            let gone = told.map(|key| (cluster.clone(), key.clone())).filter(|at| !statuses.contains_key(at));
            keys.extend(gone);
        }
        for (cluster, key) in &keys {
            self.want(cluster, key, None);
        }
        for (at, object) in statuses {
            let object = Compact::new(&object);
            let desired = self.desired.entry(at.0.clone()).or_default();
            if desired.get(&at.1) != Some(&object) {
                desired.insert(at.1.clone(), object);
                keys.insert(at);
            }
        }
        keys
    }

    /// The change that leads to the desired status: an update, never anything else.
    pub(super) fn status_change(desired: &Value, observed: &Value) -> Option<Op<Compact>> {
        let object = desired::with_status(desired, observed);
        if object.get("status") == observed.get("status") {
            return None;
        }
        let (uid, resource_version) = compare::version(observed);
        Some(Op::Update { object: Compact::new(&object), uid, resource_version })
    }

    /// Where an identity's objects are, and whether all of a cluster's are as they should be.
    fn places_of(&self, identity: &str) -> Places {
        let mut places = Places::new();
        for (cluster, key) in self.produced.get(identity).into_iter().flatten() {
            let is_as_desired =
                self.pending(cluster, key).is_none() && !self.foreign.contains(&(cluster.clone(), key.clone()));
            *places.entry(cluster.clone()).or_insert(true) &= is_as_desired;
        }
        places
    }
}
