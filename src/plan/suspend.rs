//! Suspension (reconcile-spec 6.3): what starts and ends with it, and who should know of it.

use std::collections::BTreeSet;

use super::{Planner, WRITTEN};
use crate::desired::{self, ownership};
use crate::mesh::{ClusterId, Condition, ObjectKey, Origin, Reason, Suspension, Suspensions, name};

/// Identities that the condition names; the rest is counted.
const MOST_NAMED: usize = 10;

impl Planner {
    /// Folds what the suspension table says now. Only identities whose suspension changed are computed anew, and
    /// only objects looked at again that stood, or stand from now on, because of it.
    pub fn suspend(&mut self, table: Suspension) {
        let before = self.index.suspensions().clone();
        let touched = self.index.suspend(table);
        if touched.is_none() {
            return;
        }
        if !touched.all {
            let keys = self.thawed_or_frozen(&before);
            self.dirty.keys.extend(keys);
        }
        self.absorb(&Origin::Control, touched);
    }

    /// The objects that nothing desires and whose fate differs from the one that they had with `before`, and those
    /// that identities share. What is desired is found through its identity.
    fn thawed_or_frozen(&self, before: &Suspensions) -> BTreeSet<(ClusterId, ObjectKey)> {
        let (options, now) = (&self.options, self.index.suspensions());
        let mut keys = BTreeSet::new();
        for (cluster, state) in self.index.clusters() {
            let desired = self.desired.get(cluster);
            for (key, object) in WRITTEN.into_iter().flat_map(|kind| state.observed_of(kind)) {
                let is_shared = desired::is_shared(&key, options);
                let differs = || {
                    let object = object.value();
                    let is_frozen = |by| ownership::is_frozen(&key, &object, options, by);
                    is_frozen(before) != is_frozen(now)
                };
                if is_shared || (desired.is_none_or(|desired| !desired.contains_key(&key)) && differs()) {
                    keys.insert((cluster.clone(), key));
                }
            }
        }
        keys
    }

    /// That the table suspends somebody, which a person who waits for a change should know.
    pub(super) fn suspended(&self) -> Option<Condition> {
        let table = self.index.suspensions().table();
        let count = table.identities().len();
        let whom = match (table.is_all(), count) {
            (true, _) => "all identities".to_owned(),
            (false, 0) => return None,
            (false, _) => {
                let named: Vec<_> = table.identities().take(MOST_NAMED).map(name::shown).collect();
                let more = count.saturating_sub(MOST_NAMED);
                let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
                format!("{}{rest}", named.join(", "))
            }
        };
        let message = format!(
            "suspends {whom}: nothing is written or deleted for them until the item says otherwise (enabled, all, \
             environmentsByIdentities)"
        );
        Some(Condition::new(None, table.source(), Reason::Suspended, message))
    }
}
