//! From what is known to who has which address.
//!
//! Invariant: the outcome is that of reading all claims anew; only what may have changed is read.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::AddressBook;
use super::ledger::{Claim, Rank};
use crate::instant::WallTime;
use crate::mesh::{ClusterId, Condition, MeshOptions, Reason};

impl AddressBook {
    /// Gives every wanted name an address, and returns the names whose address changed.
    pub fn settle(&mut self, now: WallTime) -> BTreeSet<String> {
        if !std::mem::take(&mut self.is_stale) {
            return BTreeSet::new();
        }
        self.note_time(now);
        let stale = std::mem::take(&mut self.stale);
        // The closure needs the book while the ledger changes.
        let mut ledger = std::mem::take(&mut self.ledger);
        let mut affected = ledger.settle(stale, |name| self.claims_of(name));
        self.ledger = ledger;
        affected.append(&mut self.unplaced);
        if !self.options.disable_ip_generation {
            self.give_new(&affected);
        }
        let mut changed = BTreeSet::new();
        for name in affected {
            self.find(&name);
            let address = self.ledger.address(&name).filter(|_| self.wanted.contains(&name));
            let before = match address {
                Some(address) => self.given.insert(name.clone(), address),
                None => self.given.remove(&name),
            };
            if before != address {
                changed.insert(name.as_ref().to_owned());
            }
        }
        changed
    }

    /// In falling order of authority: clusters, Admiral's record, the memory of released ones, our own word.
    fn claims_of(&self, name: &str) -> Vec<Claim> {
        let is_wanted = self.wanted.contains(name);
        let claim = |rank| move |address| Claim { rank, address };
        let observed = self.observed.get(name).map(|by_cluster| majority(by_cluster).0).map(claim(Rank::Observed));
        let recorded = self.recorded.get(name).copied().map(claim(Rank::Recorded));
        let released = self.released.values().filter_map(|entries| entries.get(name));
        let held = released.filter(|release| is_wanted || release.released_s > self.expired_s);
        let held = held.map(|release| claim(Rank::Released(Reverse(release.released_s)))(release.address));
        let given = self.given.get(name).copied().filter(|_| is_wanted).map(claim(Rank::Given));
        observed.into_iter().chain(recorded).chain(held).chain(given).collect()
    }

    /// Time ends the hold of released addresses (and starts it again, if the wall clock goes back).
    fn note_time(&mut self, now: WallTime) {
        let before =
            std::mem::replace(&mut self.expired_s, now.unix_s().saturating_sub(self.options.address_hold.as_secs()));
        let (from, to) = (before.min(self.expired_s), before.max(self.expired_s));
        let first = ClusterId::new("");
        let passed = self.released_at.range((from, first.clone(), String::new())..);
        let passed = passed.take_while(|(at_s, _, _)| *at_s <= to).map(|(_, _, name)| Arc::from(name.as_str()));
        self.stale.extend(passed.collect::<Vec<_>>());
    }

    fn give_new(&mut self, names: &BTreeSet<Arc<str>>) {
        let homeless = |name: &&Arc<str>| self.wanted.contains(*name) && self.ledger.address(name).is_none();
        let homeless: Vec<_> = names.iter().filter(homeless).cloned().collect();
        if homeless.is_empty() {
            return;
        }
        let blocked: BTreeSet<IpAddr> = self.foreign.values().copied().collect();
        let mut is_full = false;
        for name in homeless {
            match if is_full { None } else { self.free_slot(&name, &blocked) } {
                Some(address) => self.ledger.give(&name, address),
                None => {
                    is_full = true;
                    self.unplaced.insert(name);
                }
            }
        }
    }

    fn free_slot(&self, name: &str, blocked: &BTreeSet<IpAddr>) -> Option<IpAddr> {
        let first = fnv1a(name) % MeshOptions::SLOTS;
        (0..MeshOptions::SLOTS)
            .map(|step| IpAddr::V4(self.options.address(first + step)))
            .find(|address| self.ledger.holder(address).is_none() && !blocked.contains(address))
    }

    /// Notes what people should know of a name.
    fn find(&mut self, name: &Arc<str>) {
        let mut found = Vec::new();
        if let Some(by_cluster) = self.observed.get(name).filter(|_| self.wanted.contains(name)) {
            let (address, is_unanimous) = majority(by_cluster);
            if !is_unanimous {
                let message = format!(
                    "clusters have different addresses for this host; {address}, which most of them have, is kept and \
                     the others are changed, nothing need be done"
                );
                found.push(conflict(name, message));
            }
            if let Some(holder) = self.ledger.holder(&address).filter(|holder| *holder != name.as_ref()) {
                let message =
                    format!("{address} belongs to {holder}; this host gets another one, nothing need be done");
                found.push(conflict(name, message));
            }
        }
        if self.unplaced.contains(name) {
            let message = format!(
                "every address of {}.0.0/16 is taken, so the host has none; set another --se_ip_prefix or remove hosts",
                self.options.se_ip_prefix
            );
            let subject = format!("ServiceEntry {name}");
            found.push(Condition::new(None, subject, Reason::AddressSpaceFull, message));
        }
        if found.is_empty() {
            self.findings.remove(name);
        } else {
            self.findings.insert(name.clone(), found);
        }
    }
}

/// The address that most clusters have, of several the lowest; and whether it is the only one.
pub(super) fn majority(by_cluster: &BTreeMap<ClusterId, IpAddr>) -> (IpAddr, bool) {
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
pub(super) fn fnv1a(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

fn conflict(name: &str, message: String) -> Condition {
    Condition::new(None, format!("ServiceEntry {name}"), Reason::AddressConflict, message)
}
