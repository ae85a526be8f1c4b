//! Which Kubernetes Events are pending: those of the conditions that were told last.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::desired;
use crate::mesh::{ClusterId, Compact, Condition, Kind, ObjectKey};

impl Planner {
    /// Takes up `conditions`, those of this plan ([`Self::conditions`]) that are to be told, as Events, and returns the
    /// keys whose pending change appeared, changed or vanished; `None` if the plan is behind and must be made first.
    /// Does nothing unless asked for by `--kubernetes-events`, and while some cluster has never been seen: what looks
    /// wrong may then be only unknown.
    pub fn announce<'a>(
        &mut self,
        conditions: impl IntoIterator<Item = &'a Condition>,
    ) -> Option<BTreeSet<(ClusterId, ObjectKey)>> {
        if !self.options.extension.kubernetes_events || !self.index.is_complete() {
            return Some(BTreeSet::new());
        }
        if !self.dirty.is_clean() {
            return None;
        }
        let (objects, left_out) = desired::events(&self.index, conditions);
        self.unannounced = left_out;
        let mut keys = if self.announced { BTreeSet::new() } else { self.every_event() };
        self.announced = true;
        for (cluster, desired) in &mut self.desired {
            let gone: Vec<ObjectKey> = desired
                .keys()
                .filter(|key| key.kind == Kind::Event && !objects.contains_key(&(cluster.clone(), (*key).clone())))
                .cloned()
                .collect();
            for key in gone {
                desired.remove(&key);
                keys.insert((cluster.clone(), key));
            }
        }
        for ((cluster, key), object) in objects {
            let desired = self.desired.entry(cluster.clone()).or_default();
            if !desired.contains_key(&key) {
                desired.insert(key.clone(), Compact::new(&object));
                keys.insert((cluster, key));
            }
        }
        Some(self.compare_keys(keys))
    }

    /// How many conditions of objects go without an Event, by cluster, since there are too many.
    pub fn unannounced(&self) -> &BTreeMap<ClusterId, usize> {
        &self.unannounced
    }

    /// Those that are there, and those that should be.
    fn every_event(&self) -> BTreeSet<(ClusterId, ObjectKey)> {
        let observed = self.index.clusters().flat_map(|(cluster, state)| {
            state.observed_of(Kind::Event).into_iter().map(|(key, _)| (cluster.clone(), key))
        });
        let desired = self.desired.iter().flat_map(|(cluster, desired)| {
            let events = desired.keys().filter(|key| key.kind == Kind::Event);
            events.map(|key| (cluster.clone(), key.clone()))
        });
        observed.chain(desired).collect()
    }
}
