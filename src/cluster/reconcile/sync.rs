//! Whether this instance has seen enough of the mesh to lead it (promise L4).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::instant::Instant;
use crate::lease::Eligibility;
use crate::mesh::{ClusterId, Kind, Origin};

/// How long an instance waits at its start for clusters that do not answer before it would lead without them.
pub const GRACE: Duration = Duration::from_secs(15);

/// Which first lists have arrived.
#[derive(Debug, Default)]
pub struct Sync {
    missing: BTreeMap<Origin, BTreeSet<Kind>>,
    discovery_listed: bool,
    awaits_suspensions: bool,
    started: Instant,
}

impl Sync {
    /// Nothing has arrived at `now`; the control cluster is waited for, and the suspension table if there is one.
    pub fn new(now: Instant, control_kinds: Vec<Kind>, awaits_suspensions: bool) -> Self {
        let missing = BTreeMap::from([(Origin::Control, control_kinds.into_iter().collect())]);
        Self { missing, discovery_listed: false, awaits_suspensions, started: now }
    }

    /// A cluster joined.
    pub fn add(&mut self, cluster: &ClusterId, kinds: Vec<Kind>) {
        self.missing.entry(Origin::Cluster(cluster.clone())).or_insert_with(|| kinds.into_iter().collect());
    }

    /// A cluster left.
    pub fn remove(&mut self, cluster: &ClusterId) {
        self.missing.remove(&Origin::Cluster(cluster.clone()));
    }

    /// A list arrived. True if it was the last one that was missing there.
    pub fn listed(&mut self, origin: &Origin, kind: Kind) -> bool {
        let Some(missing) = self.missing.get_mut(origin) else { return false };
        missing.remove(&kind) && missing.is_empty()
    }

    /// Every cluster that flags and secrets name is known.
    pub fn discovered(&mut self) {
        self.discovery_listed = true;
    }

    /// The suspension table has answered.
    pub fn suspensions_known(&mut self) {
        self.awaits_suspensions = false;
    }

    /// Whether every watch of `origin` has delivered its first list.
    pub fn is_synced(&self, origin: &Origin) -> bool {
        self.missing.get(origin).is_some_and(BTreeSet::is_empty)
    }

    /// Whether the control cluster is known, without which nothing can be planned, and who is suspended.
    pub fn is_plannable(&self) -> bool {
        self.discovery_listed && !self.awaits_suspensions && self.is_synced(&Origin::Control)
    }

    /// Whether this instance should take over.
    pub fn eligibility(&self, now: Instant) -> Eligibility {
        if !self.is_plannable() {
            return Eligibility::No;
        }
        let mut clusters = self.missing.iter().filter(|(origin, _)| **origin != Origin::Control);
        if clusters.clone().all(|(_, missing)| missing.is_empty()) {
            return Eligibility::Yes;
        }
        let sees_some = clusters.any(|(_, missing)| missing.is_empty());
        if sees_some && now >= self.grace_ends() { Eligibility::Reluctant } else { Eligibility::No }
    }

    /// When waiting alone may change [`Sync::eligibility`].
    pub fn grace_ends(&self) -> Instant {
        self.started + GRACE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn seen(sync: &mut Sync, cluster: &str) {
        sync.listed(&Origin::Cluster(ClusterId::new(cluster)), Kind::Service);
    }

    #[test]
    fn an_instance_leads_when_it_sees_all_and_reluctantly_when_it_sees_some() {
        let mut sync = Sync::new(at(0), vec![Kind::Dependency], false);
        for name in ["a", "b"] {
            sync.add(&ClusterId::new(name), vec![Kind::Service]);
        }
        seen(&mut sync, "a");
        sync.discovered();
        assert_eq!(sync.eligibility(at(100)), Eligibility::No, "the control cluster is not listed");
        assert!(sync.listed(&Origin::Control, Kind::Dependency));
        assert_eq!(sync.eligibility(at(14)), Eligibility::No);
        assert_eq!(sync.eligibility(at(15)), Eligibility::Reluctant);
        seen(&mut sync, "b");
        assert_eq!(sync.eligibility(at(1)), Eligibility::Yes);
    }

    #[test]
    fn an_instance_that_does_not_know_who_is_suspended_neither_leads_nor_writes() {
        let mut sync = Sync::new(at(0), vec![], true);
        sync.discovered();
        assert!(!sync.is_plannable());
        assert_eq!(sync.eligibility(at(100)), Eligibility::No);
        sync.suspensions_known();
        assert!(sync.is_plannable());
        assert_eq!(sync.eligibility(at(0)), Eligibility::Yes);
    }

    #[test]
    fn an_instance_that_sees_no_cluster_never_leads() {
        let mut sync = Sync::new(at(0), vec![], false);
        sync.discovered();
        assert_eq!(sync.eligibility(at(0)), Eligibility::Yes, "there is none to see");
        sync.add(&ClusterId::new("a"), vec![Kind::Service]);
        assert_eq!(sync.eligibility(at(100)), Eligibility::No);
    }
}
