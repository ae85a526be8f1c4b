//! Releasing addresses: what each cluster should remember before a ServiceEntry is deleted there.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::desired::released::{self, Release};
use crate::index::observed;
use crate::instant::WallTime;
use crate::mesh::{ClusterId, Kind, ObjectKey};

/// When each address that is not yet written down was first seen to be free, in Unix seconds: it must not
/// move while the write is pending.
pub type FirstSeen = BTreeMap<(ClusterId, String), u64>;

impl Planner {
    /// Recomputes the maps of the clusters in which something in `keys` lies, and adds the maps to `keys`.
    pub(super) fn plan_releases(&mut self, keys: &mut BTreeSet<(ClusterId, ObjectKey)>, now: WallTime) {
        let clusters: BTreeSet<ClusterId> = keys
            .iter()
            .filter(|(_, key)| key.kind != Kind::DestinationRule)
            .map(|(cluster, _)| cluster.clone())
            .collect();
        let key = released::key(&self.options);
        for cluster in clusters {
            let map = self.release_map(&cluster, now);
            let desired = self.desired.entry(cluster.clone()).or_default();
            match map {
                Some(map) => desired.insert(key.clone(), map),
                None => desired.remove(&key),
            };
            if desired.is_empty() {
                self.desired.remove(&cluster);
            }
            keys.insert((cluster, key.clone()));
        }
    }

    /// The map that must be written before the ServiceEntry of `key` may be deleted, if its write is pending.
    pub(super) fn required_before(&self, cluster: &ClusterId, key: &ObjectKey) -> Option<ObjectKey> {
        let map = released::key(&self.options);
        let is_pending = self.changes.get(cluster).is_some_and(|changes| changes.contains_key(&map));
        (key.kind == Kind::ServiceEntry && is_pending && !self.book.is_wanted(&key.name)).then_some(map)
    }

    fn release_map(&mut self, cluster: &ClusterId, now: WallTime) -> Option<serde_json::Value> {
        let added = self.releases(cluster, now);
        self.releasing.retain(|(of, name), _| of != cluster || added.contains_key(name));
        let nothing = BTreeMap::new();
        let present = self.book.released(cluster).unwrap_or(&nothing);
        let is_back = |name: &&String| self.book.is_wanted(name) && self.book.is_observed(name);
        let returned: Vec<_> = present.keys().filter(is_back).cloned().collect();
        released::desired(&self.options, present, added, &returned, now)
    }

    /// The addresses that deletes in `cluster` are about to set free and that are not written down there.
    fn releases(&mut self, cluster: &ClusterId, now: WallTime) -> BTreeMap<String, Release> {
        let mut releases = BTreeMap::new();
        let Some(state) = self.index.cluster(cluster).filter(|_| self.index.is_plannable(cluster)) else {
            return releases;
        };
        for (key, entry) in state.observed_of(Kind::ServiceEntry) {
            if self.book.is_wanted(&key.name) || !self.is_orphan(&key, entry) {
                continue;
            }
            let Some(address) = observed::address(entry) else { continue };
            let written = self.book.released(cluster).and_then(|present| present.get(&key.name));
            if written.is_some_and(|release| release.address == address) {
                continue;
            }
            let first_seen = self.releasing.entry((cluster.clone(), key.name.clone())).or_insert(now.unix_s());
            releases.insert(key.name, Release { released_s: *first_seen, address });
        }
        releases
    }
}
