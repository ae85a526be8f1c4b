//! Which address each host has, kept by the name of its ServiceEntry.
//!
//! Invariant: an address that is in a cluster stays; two hosts never get one address; a new host's address
//! follows from its name and from what is taken, so that instances agree without talking.

mod ledger;
mod settle;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::released::Release;
use crate::mesh::{ClusterId, Condition, MeshOptions};
use ledger::Ledger;

/// All addresses, observed and given.
#[derive(Debug)]
pub struct AddressBook {
    options: Arc<MeshOptions>,
    /// Name -> cluster -> address, of ServiceEntries that are ours.
    observed: BTreeMap<Arc<str>, BTreeMap<ClusterId, IpAddr>>,
    /// Addresses of ServiceEntries that are not ours.
    foreign: BTreeMap<(ClusterId, String), IpAddr>,
    /// Admiral's own record.
    recorded: BTreeMap<String, IpAddr>,
    /// Released a while ago, as each cluster remembers it.
    released: BTreeMap<ClusterId, BTreeMap<String, Release>>,
    /// The same by time, to find what is no longer held.
    released_at: BTreeSet<(u64, ClusterId, String)>,
    /// Up to here releases were no longer held when the book was last settled.
    expired_s: u64,
    wanted: BTreeSet<Arc<str>>,
    /// Of the wanted names.
    given: BTreeMap<Arc<str>, IpAddr>,
    ledger: Ledger,
    /// Wanted names without an address.
    unplaced: BTreeSet<Arc<str>>,
    findings: BTreeMap<Arc<str>, Vec<Condition>>,
    /// Names whose claims may have changed since the book was settled.
    stale: BTreeSet<Arc<str>>,
    /// Whether there is anything to settle.
    is_stale: bool,
}

impl AddressBook {
    /// An empty book.
    pub fn new(options: Arc<MeshOptions>) -> Self {
        Self {
            options,
            observed: BTreeMap::new(),
            foreign: BTreeMap::new(),
            recorded: BTreeMap::new(),
            released: BTreeMap::new(),
            released_at: BTreeSet::new(),
            expired_s: 0,
            wanted: BTreeSet::new(),
            given: BTreeMap::new(),
            ledger: Ledger::default(),
            unplaced: BTreeSet::new(),
            findings: BTreeMap::new(),
            stale: BTreeSet::new(),
            is_stale: false,
        }
    }

    /// The address of a ServiceEntry's host, as of the last [`Self::settle`].
    pub fn address(&self, name: &str) -> Option<IpAddr> {
        self.given.get(name).copied()
    }

    /// Says whether some cluster should have the ServiceEntry.
    pub fn want(&mut self, name: &str, wanted: bool) {
        if self.wanted.contains(name) == wanted {
            return;
        }
        let name = self.shared(name);
        if wanted {
            self.wanted.insert(name.clone());
        } else {
            self.wanted.remove(&name);
        }
        self.touch(name);
    }

    /// Whether some cluster should have the ServiceEntry.
    pub fn is_wanted(&self, name: &str) -> bool {
        self.wanted.contains(name)
    }

    /// Whether some cluster has the ServiceEntry with an address.
    pub fn is_observed(&self, name: &str) -> bool {
        self.observed.contains_key(name)
    }

    /// The clusters that have the ServiceEntry with an address.
    pub fn clusters_with(&self, name: &str) -> impl Iterator<Item = &ClusterId> {
        self.observed.get(name).into_iter().flat_map(BTreeMap::keys)
    }

    /// Notes the address of a ServiceEntry in a cluster; `None` if it has none or is gone.
    pub fn observe(&mut self, cluster: &ClusterId, name: &str, address: Option<IpAddr>, is_ours: bool) {
        let ours = address.filter(|_| is_ours);
        let shared = self.shared(name);
        let by_cluster = self.observed.entry(shared.clone()).or_default();
        let before = match ours {
            Some(address) => by_cluster.insert(cluster.clone(), address),
            None => by_cluster.remove(cluster),
        };
        let is_unanimous = by_cluster.values().all(|address| Some(*address) == ours);
        if by_cluster.is_empty() {
            self.observed.remove(name);
        }
        let key = (cluster.clone(), name.to_owned());
        let foreign = address.filter(|_| !is_ours);
        let foreign_before = match foreign {
            Some(address) => self.foreign.insert(key, address),
            None => self.foreign.remove(&key),
        };
        // What was given and is now seen changes nothing.
        let expected = ours.is_some() && ours == self.address(name) && before.is_none() && is_unanimous;
        if before != ours && !expected {
            self.touch(shared);
        }
        self.is_stale |= foreign_before != foreign;
    }

    /// Notes Admiral's own record (reconcile-spec 3.3 A1).
    pub fn record(&mut self, entries: BTreeMap<String, IpAddr>) {
        let before = std::mem::replace(&mut self.recorded, entries);
        self.touch_all(differing(&before, &self.recorded));
    }

    /// Notes what a cluster remembers of released addresses.
    pub fn remember_released(&mut self, cluster: &ClusterId, entries: BTreeMap<String, Release>) {
        let times = |entries: &BTreeMap<String, Release>| {
            let at = |(name, release): (&String, &Release)| (release.released_s, cluster.clone(), name.clone());
            entries.iter().map(at).collect::<Vec<_>>()
        };
        self.released_at.extend(times(&entries));
        let before = self.released.insert(cluster.clone(), entries).unwrap_or_default();
        let after = self.released.get(cluster).cloned().unwrap_or_default();
        for gone in times(&before) {
            if after.get(&gone.2).is_none_or(|release| release.released_s != gone.0) {
                self.released_at.remove(&gone);
            }
        }
        self.touch_all(differing(&before, &after));
    }

    /// What a cluster remembers of released addresses.
    pub fn released(&self, cluster: &ClusterId) -> Option<&BTreeMap<String, Release>> {
        self.released.get(cluster)
    }

    /// The clusters that remember having released the address of `name`.
    pub fn clusters_that_released(&self, name: &str) -> impl Iterator<Item = &ClusterId> {
        self.released.iter().filter(move |(_, entries)| entries.contains_key(name)).map(|(cluster, _)| cluster)
    }

    /// Forgets a cluster.
    pub fn forget_cluster(&mut self, cluster: &ClusterId) {
        self.is_stale = true;
        self.remember_released(cluster, BTreeMap::new());
        self.released.remove(cluster);
        self.foreign.retain(|(of, _), _| of != cluster);
        let mut touched = Vec::new();
        self.observed.retain(|name, by_cluster| {
            if by_cluster.remove(cluster).is_some() {
                touched.push(name.clone());
            }
            !by_cluster.is_empty()
        });
        self.stale.extend(touched);
    }

    /// Disagreements, and hosts without an address.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.findings.values().flatten()
    }

    fn touch(&mut self, name: Arc<str>) {
        self.is_stale = true;
        self.stale.insert(name);
    }

    fn touch_all(&mut self, names: Vec<Arc<str>>) {
        self.is_stale |= !names.is_empty();
        self.stale.extend(names);
    }

    /// The name as it is kept already, or anew: thousands of names are worth storing once.
    fn shared(&self, name: &str) -> Arc<str> {
        let known = self.wanted.get(name).or_else(|| self.observed.get_key_value(name).map(|(name, _)| name));
        known.cloned().unwrap_or_else(|| Arc::from(name))
    }
}

/// The names that two maps do not have in common with equal values.
fn differing<T: PartialEq>(before: &BTreeMap<String, T>, after: &BTreeMap<String, T>) -> Vec<Arc<str>> {
    let names = before.keys().chain(after.keys());
    names.filter(|name| before.get(*name) != after.get(*name)).map(|name| Arc::from(name.as_str())).collect()
}

#[cfg(test)]
mod tests;
