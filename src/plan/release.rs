//! Releasing addresses: what each cluster should remember before a ServiceEntry is deleted there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::Value;

use super::Planner;
use crate::desired::names;
use crate::desired::released::{self, Release};
use crate::index::observed;
use crate::instant::WallTime;
use crate::mesh::{ClusterId, Compact, Kind, ObjectKey};

/// The addresses that deletes are about to set free and that are not written down, by cluster and name. Each
/// keeps the time at which it was first seen: it must not move while the write is pending.
pub type Releasing = BTreeMap<ClusterId, BTreeMap<String, Release>>;

impl Planner {
    /// Recomputes the maps that what lies in `keys` may have changed, and adds them to `keys`.
    pub(super) fn plan_releases(&mut self, keys: &mut BTreeSet<(ClusterId, ObjectKey)>, now: WallTime) {
        let mut clusters = BTreeSet::new();
        for (cluster, key) in keys.iter().filter(|(_, key)| matches!(key.kind, Kind::ServiceEntry | Kind::ConfigMap)) {
            clusters.insert(cluster.clone());
            // A host may have come back elsewhere than where it was released.
            clusters.extend(self.book.clusters_that_released(&key.name).cloned());
            self.note_release(cluster, key, now);
        }
        let key = released::key(&self.options);
        for cluster in clusters {
            let map = self.release_map(&cluster, now);
            let desired = self.desired.entry(cluster.clone()).or_default();
            match map {
                Some(map) => desired.insert(key.clone(), Compact::new(&map)),
                None => desired.remove(&key),
            };
            if desired.is_empty() {
                self.desired.remove(&cluster);
            }
            keys.insert((cluster, key.clone()));
        }
    }

    /// The map that must be written before an object may be deleted, if its write is pending. The DestinationRule
    /// waits too, so that it does not go before its ServiceEntry.
    pub(super) fn required_before(&self, cluster: &ClusterId, key: &ObjectKey, object: &Value) -> Option<ObjectKey> {
        let host = observed::host(object).filter(|_| matches!(key.kind, Kind::ServiceEntry | Kind::DestinationRule))?;
        let map = released::key(&self.options);
        let is_pending = self.changes.get(cluster).is_some_and(|changes| changes.contains_key(&map));
        (is_pending && !self.book.is_wanted(&names::entry(host))).then_some(map)
    }

    fn release_map(&self, cluster: &ClusterId, now: WallTime) -> Option<Value> {
        let nothing = BTreeMap::new();
        let present = self.book.released(cluster).unwrap_or(&nothing);
        let mut added = self.releasing.get(cluster).cloned().unwrap_or_default();
        added.retain(|name, release| present.get(name).is_none_or(|written| written.address != release.address));
        let is_back = |name: &&String| self.book.is_wanted(name) && self.book.is_observed(name);
        let returned: Vec<_> = present.keys().filter(is_back).cloned().collect();
        released::desired(&self.options, present, added, &returned, now)
    }

    /// Notes whether the delete of a ServiceEntry is about to set its address free.
    fn note_release(&mut self, cluster: &ClusterId, key: &ObjectKey, now: WallTime) {
        if key.kind != Kind::ServiceEntry {
            return;
        }
        let releases = self.releasing.entry(cluster.clone()).or_default();
        let before = releases.remove(&key.name);
        let is_empty = releases.is_empty();
        match self.released_address(cluster, key) {
            Some(address) => {
                let released_s = before.filter(|b| b.address == address).map_or(now.unix_s(), |b| b.released_s);
                let releases = self.releasing.entry(cluster.clone()).or_default();
                releases.insert(key.name.clone(), Release { released_s, address });
            }
            None if is_empty => {
                self.releasing.remove(cluster);
            }
            None => {}
        }
    }

    fn released_address(&self, cluster: &ClusterId, key: &ObjectKey) -> Option<IpAddr> {
        if self.book.is_wanted(&key.name) || !self.index.is_plannable(cluster) {
            return None;
        }
        let entry = self.index.cluster(cluster)?.observed(key)?;
        if self.is_orphan(key, &entry) { observed::address(&entry) } else { None }
    }
}
