//! Which address each host has, kept by the name of its ServiceEntry.
//!
//! Invariant: an address that is in a cluster stays; two hosts never get one address; a new host's address
//! follows from its name and from what is taken, so that instances agree without talking.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::released::Release;
use crate::instant::WallTime;
use crate::mesh::{ClusterId, Condition, MeshOptions, Reason};

/// All addresses, observed and given.
#[derive(Debug)]
pub struct AddressBook {
    options: Arc<MeshOptions>,
    /// Name -> cluster -> address, of ServiceEntries that are ours.
    observed: BTreeMap<String, BTreeMap<ClusterId, IpAddr>>,
    /// Addresses of ServiceEntries that are not ours.
    foreign: BTreeMap<(ClusterId, String), IpAddr>,
    /// Admiral's own record.
    recorded: BTreeMap<String, IpAddr>,
    /// Released a while ago, as each cluster remembers it.
    released: BTreeMap<ClusterId, BTreeMap<String, Release>>,
    wanted: BTreeSet<String>,
    /// Of the wanted names.
    given: BTreeMap<String, IpAddr>,
    conditions: Vec<Condition>,
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
            wanted: BTreeSet::new(),
            given: BTreeMap::new(),
            conditions: Vec::new(),
            is_stale: false,
        }
    }

    /// The address of a ServiceEntry's host, as of the last [`Self::settle`].
    pub fn address(&self, name: &str) -> Option<IpAddr> {
        self.given.get(name).copied()
    }

    /// Says whether some cluster should have the ServiceEntry.
    pub fn want(&mut self, name: &str, wanted: bool) {
        self.is_stale |= if wanted { self.wanted.insert(name.to_owned()) } else { self.wanted.remove(name) };
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
        let by_cluster = self.observed.entry(name.to_owned()).or_default();
        let before = match ours {
            Some(address) => by_cluster.insert(cluster.clone(), address),
            None => by_cluster.remove(cluster),
        };
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
        let expected = ours.is_some() && ours == self.address(name) && before.is_none_or(|b| ours == Some(b));
        self.is_stale |= (before != ours && !expected) || foreign_before != foreign;
    }

    /// Notes Admiral's own record (reconcile-spec 3.3 A1).
    pub fn record(&mut self, entries: BTreeMap<String, IpAddr>) {
        self.is_stale |= self.recorded != entries;
        self.recorded = entries;
    }

    /// Notes what a cluster remembers of released addresses.
    pub fn remember_released(&mut self, cluster: &ClusterId, entries: BTreeMap<String, Release>) {
        self.is_stale |= self.released.get(cluster) != Some(&entries);
        self.released.insert(cluster.clone(), entries);
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
        self.released.remove(cluster);
        self.foreign.retain(|(of, _), _| of != cluster);
        self.observed.retain(|_, by_cluster| {
            by_cluster.remove(cluster);
            !by_cluster.is_empty()
        });
    }

    /// Gives every wanted name an address, and returns the names whose address changed.
    pub fn settle(&mut self, now: WallTime) -> BTreeSet<String> {
        if !std::mem::take(&mut self.is_stale) {
            return BTreeSet::new();
        }
        let mut ledger = Ledger::default();
        self.conditions.clear();
        self.grant_known(&mut ledger, now);
        if !self.options.disable_ip_generation {
            self.grant_new(&mut ledger);
        }
        let given: BTreeMap<_, _> = ledger.by_name.into_iter().filter(|(name, _)| self.wanted.contains(name)).collect();
        let names = given.keys().chain(self.given.keys());
        let changed = names.filter(|name| given.get(*name) != self.given.get(*name)).cloned().collect();
        self.given = given;
        changed
    }

    /// Disagreements, and hosts without an address.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// In falling order of authority: clusters, Admiral's record, the memory of released ones, our own word.
    fn grant_known(&mut self, ledger: &mut Ledger, now: WallTime) {
        for (name, by_cluster) in &self.observed {
            let (address, is_unanimous) = majority(by_cluster);
            let is_wanted = self.wanted.contains(name);
            if !is_unanimous && is_wanted {
                let message = format!(
                    "clusters have different addresses for this host; {address}, which most of them have, is kept and \
                     the others are changed, nothing need be done"
                );
                self.conditions.push(conflict(name, message));
            }
            if let Err(holder) = ledger.grant(name, address)
                && is_wanted
            {
                let message =
                    format!("{address} belongs to {holder}; this host gets another one, nothing need be done");
                self.conditions.push(conflict(name, message));
            }
        }
        for (name, address) in &self.recorded {
            let _ = ledger.grant(name, *address);
        }
        let oldest_held_s = now.unix_s().saturating_sub(self.options.address_hold.as_secs());
        let mut releases: Vec<_> = self.released.values().flatten().collect();
        // The latest first; of equals the lowest.
        releases.sort_by_key(|(name, release)| (std::cmp::Reverse(release.released_s), *name, release.address));
        for (name, release) in releases {
            if release.released_s > oldest_held_s || self.wanted.contains(name) {
                let _ = ledger.grant(name, release.address);
            }
        }
        for (name, address) in self.given.iter().filter(|(name, _)| self.wanted.contains(*name)) {
            let _ = ledger.grant(name, *address);
        }
    }

    fn grant_new(&mut self, ledger: &mut Ledger) {
        let blocked: BTreeSet<IpAddr> = self.foreign.values().copied().collect();
        let mut is_full = false;
        for name in &self.wanted {
            if ledger.by_name.contains_key(name) {
                continue;
            }
            let free = if is_full { None } else { self.free_slot(name, ledger, &blocked) };
            is_full = free.is_none();
            match free {
                Some(address) => {
                    let _ = ledger.grant(name, address);
                }
                None => self.conditions.push(Condition::new(
                    None,
                    format!("ServiceEntry {name}"),
                    Reason::AddressSpaceFull,
                    format!(
                        "every address of {}.0.0/16 is taken, so the host has none; set another --se_ip_prefix or \
                         remove hosts",
                        self.options.se_ip_prefix
                    ),
                )),
            }
        }
    }

    fn free_slot(&self, name: &str, ledger: &Ledger, blocked: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let first = fnv1a(name) % MeshOptions::SLOTS;
        (0..MeshOptions::SLOTS)
            .map(|step| IpAddr::V4(self.options.address(first + step)))
            .find(|address| !ledger.by_address.contains_key(address) && !blocked.contains(address))
    }
}

/// Who has what, while the book is settled.
#[derive(Default)]
struct Ledger {
    by_name: BTreeMap<String, IpAddr>,
    by_address: BTreeMap<IpAddr, String>,
}

impl Ledger {
    /// Gives `address` to `name`, unless it has one already; the error is the present holder.
    fn grant(&mut self, name: &str, address: IpAddr) -> Result<(), String> {
        if self.by_name.contains_key(name) {
            return Ok(());
        }
        if let Some(holder) = self.by_address.get(&address) {
            return Err(holder.clone());
        }
        self.by_name.insert(name.to_owned(), address);
        self.by_address.insert(address, name.to_owned());
        Ok(())
    }
}

/// The address that most clusters have, of several the lowest; and whether it is the only one.
fn majority(by_cluster: &BTreeMap<ClusterId, IpAddr>) -> (IpAddr, bool) {
    let first = by_cluster.values().next().copied().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
    if by_cluster.values().all(|address| *address == first) {
        return (first, true);
    }
    let mut counts = BTreeMap::<IpAddr, usize>::new();
    for address in by_cluster.values() {
        *counts.entry(*address).or_default() += 1;
    }
    // max_by_key keeps the last of equals, hence the reversal.
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    (most.map_or(first, |(address, _)| address), false)
}

/// FNV-1a, 32 bits: small, stable, and good enough to spread names over slots.
fn fnv1a(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn conflict(name: &str, message: String) -> Condition {
    Condition::new(None, format!("ServiceEntry {name}"), Reason::AddressConflict, message)
}

#[cfg(test)]
mod tests;
