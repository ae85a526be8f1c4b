//! Desired x observed: what is to be changed in each cluster, as data.
//!
//! Invariant: the plan is a function of the index and the address book. An event costs the identities and
//! objects that it touches, not the mesh. Objects that are not ours are never touched, and while some cluster
//! has never been seen nothing is deleted, since what looks superfluous may belong to it.

mod compare;
mod copies;
mod diff;
mod dirty;
mod events;
mod observe;
mod order;
mod parts;
mod release;
mod standing;
mod status;
mod suspend;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::desired::{self, AddressBook, Identity, MeshService, Objects, Resolved};
use crate::index::{DecodeError, Index, Touched};
use crate::instant::WallTime;
use crate::mesh::{ClusterId, Compact, Condition, Kind, MeshOptions, ObjectKey, Op, Origin};
use dirty::Dirty;
pub use standing::Standing;
pub use view::ClusterView;

/// The kinds that Flagship writes.
const WRITTEN: [Kind; 7] = [
    Kind::ConfigMap,
    Kind::ServiceEntry,
    Kind::DestinationRule,
    Kind::VirtualService,
    Kind::Sidecar,
    Kind::EnvoyFilter,
    Kind::Event,
];

/// The whole pure pipeline: events in, pending changes out.
#[derive(Debug)]
pub struct Planner {
    options: Arc<MeshOptions>,
    index: Index,
    book: AddressBook,
    dirty: Dirty,
    resolved: BTreeMap<String, Resolved>,
    /// ServiceEntry name -> the identities that lead to it; the first one has it.
    claimants: BTreeMap<String, BTreeSet<String>>,
    /// ServiceEntry names to which several identities lead.
    contested: BTreeSet<String>,
    /// Identities of which people should know something.
    flawed: BTreeSet<String>,
    /// Identity -> the keys of what it desires.
    produced: BTreeMap<String, Box<[(ClusterId, ObjectKey)]>>,
    /// What identities need of objects that they share.
    parts: parts::Ledger,
    copies: copies::Copies,
    /// Identity -> what its generators found.
    findings: BTreeMap<String, Vec<Condition>>,
    desired: BTreeMap<ClusterId, BTreeMap<ObjectKey, Compact>>,
    changes: BTreeMap<ClusterId, BTreeMap<ObjectKey, Op<Compact>>>,
    foreign: BTreeSet<(ClusterId, ObjectKey)>,
    /// Pending updates that send all traffic of a host to another region: this one.
    turning: BTreeMap<(ClusterId, ObjectKey), String>,
    releasing: release::Releasing,
    /// Admiral's own record of addresses, if it cannot be read.
    unreadable_record: Option<Condition>,
    /// Whether the desired Events are those of the conditions of the whole mesh.
    announced: bool,
    /// Cluster -> conditions beyond the Events that it may have.
    unannounced: BTreeMap<ClusterId, usize>,
    recomputed: usize,
}

impl Planner {
    /// A planner that knows nothing.
    pub fn new(options: MeshOptions) -> Self {
        let options = Arc::new(options);
        Self {
            index: Index::new(options.clone()),
            book: AddressBook::new(options.clone()),
            options,
            dirty: Dirty::default(),
            resolved: BTreeMap::new(),
            claimants: BTreeMap::new(),
            contested: BTreeSet::new(),
            flawed: BTreeSet::new(),
            produced: BTreeMap::new(),
            parts: parts::Ledger::default(),
            copies: copies::Copies::default(),
            findings: BTreeMap::new(),
            desired: BTreeMap::new(),
            changes: BTreeMap::new(),
            foreign: BTreeSet::new(),
            turning: BTreeMap::new(),
            releasing: release::Releasing::new(),
            unreadable_record: None,
            announced: false,
            unannounced: BTreeMap::new(),
            recomputed: 0,
        }
    }

    /// Folds the newest version of an object; see [`Index::apply`].
    ///
    /// # Errors
    /// When the object cannot be read; it is then also among [`Self::conditions`].
    pub fn apply(&mut self, origin: &Origin, object: &Value) -> Result<(), DecodeError> {
        let touched = self.index.apply(origin, object).inspect_err(|_| self.dirty.findings = true)?;
        self.absorb(origin, touched);
        Ok(())
    }

    /// As [`Self::apply`], for an object that is known to be of `kind`; see [`Index::apply_as`].
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_as(&mut self, origin: &Origin, kind: Kind, object: &Value) -> Result<(), DecodeError> {
        let touched = self.index.apply_as(origin, kind, object).inspect_err(|_| self.dirty.findings = true)?;
        self.absorb(origin, touched);
        Ok(())
    }

    /// Folds the deletion of an object.
    pub fn delete(&mut self, origin: &Origin, key: &ObjectKey) {
        let touched = self.index.delete(origin, key);
        self.absorb(origin, touched);
    }

    /// Folds a complete list of a kind (in `namespace`, if given); see [`Index::replace`]. Returns what could
    /// not be read.
    pub fn replace(
        &mut self,
        origin: &Origin,
        kind: Kind,
        namespace: Option<&str>,
        objects: &[Value],
    ) -> Vec<DecodeError> {
        let (touched, errors) = self.index.replace(origin, kind, namespace, objects);
        self.absorb(origin, touched);
        self.dirty.findings |= !errors.is_empty();
        errors
    }

    /// Takes up a cluster; see [`Index::add_cluster`].
    pub fn add_cluster(&mut self, cluster: &ClusterId) {
        let touched = self.index.add_cluster(cluster);
        self.absorb(&Origin::Cluster(cluster.clone()), touched);
    }

    /// Forgets a cluster and its pending changes.
    pub fn remove_cluster(&mut self, cluster: &ClusterId) {
        let touched = self.index.remove_cluster(cluster);
        self.book.forget_cluster(cluster);
        self.copies.forget_cluster(cluster);
        self.absorb(&Origin::Cluster(cluster.clone()), touched);
    }

    /// Says whether every watch of `origin` has delivered its first list; see [`Index::set_synced`].
    pub fn set_synced(&mut self, origin: &Origin, synced: bool) {
        let touched = self.index.set_synced(origin, synced);
        self.absorb(origin, touched);
    }

    /// Brings the plan up to date and returns the keys whose pending change appeared, changed or vanished.
    pub fn plan(&mut self, now: WallTime) -> BTreeSet<(ClusterId, ObjectKey)> {
        self.dirty.keys.extend(self.index.take_newly_told());
        if self.dirty.is_clean() {
            return BTreeSet::new();
        }
        let mut dirty = std::mem::take(&mut self.dirty);
        if dirty.all {
            self.announced = false;
            dirty.identities.extend(self.index.identities().chain(self.resolved.keys()).cloned());
            dirty.keys.extend(self.every_key());
            self.copies.touch_all();
        }
        let mut stale = self.resolve(&dirty.identities, &mut dirty.keys);
        // Without the control cluster's record an address might be given twice.
        if self.index.control().synced {
            for name in self.book.settle(now) {
                stale.extend(self.claimants.get(&name).into_iter().flatten().cloned());
            }
        }
        dirty.keys.extend(self.generate(stale));
        dirty.keys.extend(self.make_copies());
        self.assemble(&dirty.keys);
        self.plan_releases(&mut dirty.keys, now);
        self.compare_keys(dirty.keys)
    }

    /// The identities that must be generated anew, after those of `identities` were resolved anew. Adds to `keys`
    /// the ServiceEntries of hosts that nobody wants any more, or that somebody wants again.
    fn resolve(
        &mut self,
        identities: &BTreeSet<String>,
        keys: &mut BTreeSet<(ClusterId, ObjectKey)>,
    ) -> BTreeSet<String> {
        let mut stale = identities.clone();
        for identity in identities {
            self.recomputed += 1;
            let new = desired::resolve(&self.index, identity);
            let names = |resolved: &Resolved| resolved.services.iter().map(|s| s.entry_name()).collect::<BTreeSet<_>>();
            let new_names = names(&new);
            match new.conditions.is_empty() {
                true => self.flawed.remove(identity),
                false => self.flawed.insert(identity.clone()),
            };
            let old_names = match new == Resolved::default() {
                true => self.resolved.remove(identity),
                false => self.resolved.insert(identity.clone(), new),
            };
            let old_names = old_names.as_ref().map(names).unwrap_or_default();
            self.copies.touch_hosts(old_names.union(&new_names));
            for name in old_names.symmetric_difference(&new_names) {
                let claimants = self.claimants.entry(name.clone()).or_default();
                stale.extend(claimants.iter().cloned());
                if new_names.contains(name) {
                    claimants.insert(identity.clone())
                } else {
                    claimants.remove(identity)
                };
                self.book.want(name, !claimants.is_empty());
                match claimants.len() > 1 {
                    true => self.contested.insert(name.clone()),
                    false => self.contested.remove(name),
                };
                let key = ObjectKey::new(Kind::ServiceEntry, &self.options.sync_namespace, name);
                keys.extend(self.book.clusters_with(name).map(|cluster| (cluster.clone(), key.clone())));
                if claimants.is_empty() {
                    self.claimants.remove(name);
                }
            }
        }
        stale
    }

    /// Generates what these identities desire, and returns the keys of what is desired differently now.
    fn generate(&mut self, identities: BTreeSet<String>) -> BTreeSet<(ClusterId, ObjectKey)> {
        let (mut keys, mut lost, mut gained) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for identity in identities {
            let desired::Wanted { objects, parts, conditions } = self.wanted(&identity);
            keys.extend(self.parts.replace(&identity, parts));
            match conditions.is_empty() {
                true => self.findings.remove(&identity),
                false => self.findings.insert(identity.clone(), conditions),
            };
            let before = self.produced.get(&identity).map_or(&[][..], |keys| keys);
            let is_as_before = before.iter().eq(objects.keys());
            if !is_as_before {
                lost.extend(before.iter().filter(|at| !objects.contains_key(at)).cloned());
                gained.extend(objects.keys().filter(|at| before.binary_search(at).is_err()).cloned());
                match objects.is_empty() {
                    true => self.produced.remove(&identity),
                    false => self.produced.insert(identity, objects.keys().cloned().collect()),
                };
            }
            for (at, object) in objects {
                let object = Compact::new(&object);
                let desired = self.desired.entry(at.0.clone()).or_default();
                match desired.get_mut(&at.1) {
                    Some(old) if *old == object => continue,
                    Some(old) => *old = object,
                    None => drop(desired.insert(at.1.clone(), object)),
                }
                keys.insert(at);
            }
        }
        // What one gives up another may have taken over, before or after it.
        for at in lost.difference(&gained) {
            self.want(&at.0, &at.1, None);
        }
        keys.extend(lost);
        keys
    }

    fn wanted(&self, identity: &str) -> desired::Wanted {
        let is_first = |service: &&MeshService| {
            let claimants = self.claimants.get(&service.entry_name());
            claimants.and_then(BTreeSet::first).is_some_and(|first| first == identity)
        };
        let services = self.resolved.get(identity).into_iter().flat_map(|resolved| &resolved.services);
        let services: Vec<_> = services.filter(is_first).collect();
        let mut objects = Objects::new();
        for service in &services {
            objects.extend(desired::generate(&self.index, &self.book, service));
        }
        desired::wanted(&Identity { index: &self.index, name: identity, services: &services }, objects)
    }

    fn every_key(&self) -> BTreeSet<(ClusterId, ObjectKey)> {
        let mut keys = BTreeSet::new();
        for (cluster, state) in self.index.clusters() {
            for kind in WRITTEN {
                keys.extend(state.observed_of(kind).into_iter().map(|(key, _)| (cluster.clone(), key)));
            }
        }
        for (cluster, desired) in &self.desired {
            keys.extend(desired.keys().map(|key| (cluster.clone(), key.clone())));
        }
        for (cluster, changes) in &self.changes {
            keys.extend(changes.keys().map(|key| (cluster.clone(), key.clone())));
        }
        keys.extend(self.foreign.iter().chain(self.parts.objects()).cloned());
        keys
    }

    fn absorb(&mut self, origin: &Origin, touched: Touched) {
        for key in &touched.objects {
            match origin {
                Origin::Control => self.read_record(key),
                Origin::Cluster(cluster) => self.read_observed(cluster, key),
            }
        }
        self.dirty.absorb(origin, touched);
    }
}

#[cfg(test)]
mod tests;
