//! Who has which address: claims in falling order of authority, of equals the first name.
//!
//! Invariant: what is held follows from all claims alone, in whatever order they came. A change costs the names
//! that compete with those that changed, directly or through others, and no others.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

/// Why a name should have an address, in falling order of authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// It is in the clusters.
    Observed,
    /// Admiral's own record says so.
    Recorded,
    /// It was released a while ago, in Unix seconds; the latest first.
    Released(Reverse<u64>),
    /// It was given and is not yet seen.
    Given,
}

/// One reason for one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// How much it counts.
    pub rank: Rank,
    /// What is claimed.
    pub address: IpAddr,
}

/// All claims and what they lead to.
#[derive(Debug, Default)]
pub struct Ledger {
    claims: BTreeMap<Arc<str>, Vec<Claim>>,
    claimants: BTreeMap<IpAddr, Vec<Arc<str>>>,
    holders: BTreeMap<IpAddr, Arc<str>>,
}

impl Ledger {
    /// The address that `name` holds.
    pub fn address(&self, name: &str) -> Option<IpAddr> {
        let claimed = self.claims.get(name)?.iter().map(|claim| claim.address);
        claimed.into_iter().find(|address| self.holder(address) == Some(name))
    }

    /// Who holds an address.
    pub fn holder(&self, address: &IpAddr) -> Option<&str> {
        self.holders.get(address).map(AsRef::as_ref)
    }

    /// Reads the claims of the `stale` names anew and grants what they and their competitors claim. Returns all
    /// of those: no other name's address can have changed.
    pub fn settle(&mut self, stale: BTreeSet<Arc<str>>, claims_of: impl Fn(&str) -> Vec<Claim>) -> BTreeSet<Arc<str>> {
        let mut affected = BTreeSet::new();
        let mut queue: Vec<Arc<str>> = stale.into_iter().collect();
        while let Some(name) = queue.pop() {
            if !affected.insert(name.clone()) {
                continue;
            }
            let before = self.retract(&name);
            let after = claims_of(&name);
            for claim in before.iter().chain(&after) {
                queue.extend(self.claimants.get(&claim.address).into_iter().flatten().cloned());
            }
            for claim in after {
                self.claim(&name, claim);
            }
        }
        self.grant_in_order(&affected);
        affected
    }

    /// Gives a free address to a name that holds none.
    pub fn give(&mut self, name: &Arc<str>, address: IpAddr) {
        self.claim(name, Claim { rank: Rank::Given, address });
        self.holders.insert(address, name.clone());
    }

    fn grant_in_order(&mut self, names: &BTreeSet<Arc<str>>) {
        let claims_of = |name: &Arc<str>| {
            let claims = self.claims.get(name).into_iter().flatten();
            claims.map(|claim| (claim.rank, name.clone(), claim.address)).collect::<Vec<_>>()
        };
        let mut claims: Vec<_> = names.iter().flat_map(claims_of).collect();
        claims.sort();
        let mut placed = BTreeSet::new();
        for (_, name, address) in claims {
            if !placed.contains(&name) && !self.holders.contains_key(&address) {
                self.holders.insert(address, name.clone());
                placed.insert(name);
            }
        }
    }

    fn claim(&mut self, name: &Arc<str>, claim: Claim) {
        let claimants = self.claimants.entry(claim.address).or_default();
        if !claimants.contains(name) {
            claimants.push(name.clone());
        }
        self.claims.entry(name.clone()).or_default().push(claim);
    }

    /// Takes back every claim of `name`, and its address.
    fn retract(&mut self, name: &Arc<str>) -> Vec<Claim> {
        let claims = self.claims.remove(name).unwrap_or_default();
        for Claim { address, .. } in &claims {
            if self.holder(address) == Some(name) {
                self.holders.remove(address);
            }
            if let Some(claimants) = self.claimants.get_mut(address) {
                claimants.retain(|claimant| claimant != name);
                if claimants.is_empty() {
                    self.claimants.remove(address);
                }
            }
        }
        claims
    }
}
