//! Copies of customers' objects: which originals there are, and where their copies belong.
//!
//! Invariant: a copy of an object about a mesh host is where that host is, and nowhere else. Of originals that would
//! have one name in one cluster the oldest wins; the others are reported unless they are alike.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Planner;
use crate::desired::copy::{self, Verdict};
use crate::desired::{MeshService, export_to, names};
use crate::index::observed;
use crate::mesh::{ClusterId, Condition, Kind, ObjectKey, Reason};

/// An original: its cluster and key.
type Original = (ClusterId, ObjectKey);

/// What is known of originals and copies.
#[derive(Debug, Default)]
pub struct Copies {
    /// Copy -> what would become it, and since when that exists.
    originals: BTreeMap<ObjectKey, BTreeMap<Original, Option<String>>>,
    /// Original -> the ServiceEntry of the host that it is about.
    entries: BTreeMap<Original, String>,
    /// ServiceEntry -> the copies that its host bears on.
    by_entry: BTreeMap<String, BTreeSet<(ObjectKey, Original)>>,
    /// Copy -> the clusters where it is desired.
    produced: BTreeMap<ObjectKey, BTreeSet<ClusterId>>,
    /// Copy -> what a person should know of it.
    conditions: BTreeMap<ObjectKey, Vec<Condition>>,
    dirty: BTreeSet<ObjectKey>,
}

impl Copies {
    /// What a person should know.
    pub fn conditions(&self) -> impl Iterator<Item = &Condition> {
        self.conditions.values().flatten()
    }

    /// All copies must be made anew.
    pub fn touch_all(&mut self) {
        self.dirty.extend(self.originals.keys().chain(self.produced.keys()).cloned());
    }

    /// The hosts of these ServiceEntries are served elsewhere than before.
    pub fn touch_hosts<'a>(&mut self, entries: impl IntoIterator<Item = &'a String>) {
        for entry in entries {
            self.dirty.extend(self.by_entry.get(entry).into_iter().flatten().map(|(copy, _)| copy.clone()));
        }
    }

    /// Forgets the originals of a cluster.
    pub fn forget_cluster(&mut self, cluster: &ClusterId) {
        let pairs = self.originals.iter().flat_map(|(copy, originals)| originals.keys().map(move |o| (copy, o)));
        let gone: Vec<_> = pairs.filter(|(_, (of, _))| of == cluster).map(|(c, o)| (c.clone(), o.clone())).collect();
        for (copy, original) in gone {
            self.note(&copy, &original, None);
        }
    }

    /// Notes the newest version of an original.
    fn note(&mut self, copy: &ObjectKey, original: &Original, object: Option<&Value>) {
        let originals = self.originals.entry(copy.clone()).or_default();
        match object {
            Some(object) => {
                let created = observed::text(object, "/metadata/creationTimestamp").map(str::to_owned);
                originals.insert(original.clone(), created);
            }
            None => drop(originals.remove(original)),
        }
        if originals.is_empty() {
            self.originals.remove(copy);
        }
        self.dirty.insert(copy.clone());
        if let Some(entry) = self.entries.remove(original)
            && let Some(bears_on) = self.by_entry.get_mut(&entry)
        {
            bears_on.remove(&(copy.clone(), original.clone()));
            if bears_on.is_empty() {
                self.by_entry.remove(&entry);
            }
        }
        if let Some(host) = object.and_then(observed::host) {
            let entry = names::entry(host);
            self.by_entry.entry(entry.clone()).or_default().insert((copy.clone(), original.clone()));
            self.entries.insert(original.clone(), entry);
        }
    }
}

impl Planner {
    /// Notes an observed object, if it is one of a customer's that may be copied.
    pub(super) fn read_original(&mut self, cluster: &ClusterId, key: &ObjectKey) {
        let Some(copy) = copy::target(key, &self.options) else { return };
        let object = self.index.cluster(cluster).and_then(|state| state.observed(key));
        self.copies.note(&copy, &(cluster.clone(), key.clone()), object.as_ref());
    }

    /// Makes the copies anew that something bears on, and returns their keys.
    pub(super) fn make_copies(&mut self) -> BTreeSet<(ClusterId, ObjectKey)> {
        let mut keys = BTreeSet::new();
        for target in std::mem::take(&mut self.copies.dirty) {
            let (objects, conditions) = self.copies_of(&target);
            for cluster in self.copies.produced.remove(&target).unwrap_or_default() {
                self.want(&cluster, &target, None);
                keys.insert((cluster, target.clone()));
            }
            self.copies.conditions.remove(&target);
            if !conditions.is_empty() {
                self.copies.conditions.insert(target.clone(), conditions);
            }
            if !objects.is_empty() {
                self.copies.produced.insert(target.clone(), objects.keys().cloned().collect());
            }
            for (cluster, object) in objects {
                self.want(&cluster, &target, Some(object));
                keys.insert((cluster, target.clone()));
            }
        }
        keys
    }

    /// The copies under one name, by cluster.
    fn copies_of(&self, target: &ObjectKey) -> (BTreeMap<ClusterId, Value>, Vec<Condition>) {
        let mut copies = BTreeMap::<ClusterId, (&Original, Value)>::new();
        let mut conditions = Vec::new();
        for original in self.by_age(target) {
            let (cluster, key) = original;
            let Some(object) = self.index.cluster(cluster).and_then(|state| state.observed(key)) else { continue };
            let host = match copy::judge(target, &object, &self.options) {
                Verdict::Copied(host) => host,
                Verdict::Private => continue,
                Verdict::Refused(message) => {
                    conditions.push(Condition::new(Some(cluster), key.to_string(), Reason::NotCopied, message));
                    continue;
                }
            };
            let is_kept = self.index.suspensions().keeps_host(host, &self.options.hostname_suffix);
            if is_kept || self.index.is_canary_route(cluster, key) {
                continue;
            }
            let service = self.service_of(host);
            let made = copy::make((cluster, key), &object, target, service.map(|s| s.host.as_str()), &self.options);
            let mut winner = None;
            for at in self.places(target, cluster, host, service) {
                let mut made = made.clone();
                if let Some(namespaces) = service.map(|service| export_to(&self.index, service, &at))
                    && !namespaces.is_empty()
                {
                    made["spec"]["exportTo"] = json!(namespaces);
                }
                match copies.get(&at) {
                    None => drop(copies.insert(at, (original, made))),
                    Some((_, first)) if copy::is_alike(first, &made) => {}
                    Some((first, _)) => winner = Some(*first),
                }
            }
            if let Some((of, first)) = winner {
                let message = format!(
                    "its copy would be named {}, as that of the older {first} in cluster {of}, which wins; make the two \
                     equal, or rename one",
                    target.name
                );
                conditions.push(Condition::new(Some(cluster), key.to_string(), Reason::NotCopied, message));
            }
        }
        // While some cluster is unknown it may have an older original: what is there stays.
        let is_settled = |at: &ClusterId| {
            self.index.is_complete() || self.index.cluster(at).is_some_and(|state| state.observed(target).is_none())
        };
        let copies = copies.into_iter().filter(|(at, _)| is_settled(at)).map(|(at, (_, copy))| (at, copy)).collect();
        (copies, conditions)
    }

    /// The clusters that get the copy (reconcile-spec V4, V5).
    fn places(
        &self,
        target: &ObjectKey,
        origin: &ClusterId,
        host: &str,
        service: Option<&MeshService>,
    ) -> Vec<ClusterId> {
        let is_rule = target.kind == Kind::DestinationRule;
        let clusters: Vec<&ClusterId> = match service {
            Some(service) => {
                let entry = ObjectKey::new(Kind::ServiceEntry, &self.options.sync_namespace, service.entry_name());
                let has_it = |at: &&ClusterId| self.desired.get(*at).is_some_and(|d| d.contains_key(&entry));
                let sources = service.sources.keys().filter(|_| !is_rule);
                sources.chain(service.dependents.iter()).filter(has_it).collect()
            }
            // A mesh host that nobody serves leads nowhere, least of all in clusters that never called it.
            None if names::is_below_suffix(host, &self.options) => Vec::new(),
            None => self.index.clusters().map(|(at, _)| at).filter(|at| self.index.is_plannable(at)).collect(),
        };
        clusters.into_iter().filter(|at| !is_rule || *at != origin).cloned().collect()
    }

    fn by_age(&self, target: &ObjectKey) -> Vec<&Original> {
        let originals = self.copies.originals.get(target).into_iter().flatten();
        let is_synced = |cluster| self.index.cluster(cluster).is_some_and(|state| state.synced);
        let mut originals: Vec<_> = originals.filter(|((cluster, _), _)| is_synced(cluster)).collect();
        // Times of Kubernetes have one form, in which the earlier is the lesser text.
        originals.sort_by_key(|(original, created)| (*created, *original));
        originals.into_iter().map(|(original, _)| original).collect()
    }

    /// The service that a host is one of, if the mesh has it.
    fn service_of(&self, host: &str) -> Option<&MeshService> {
        let entry = names::entry(host);
        let identity = self.claimants.get(&entry)?.first()?;
        self.resolved.get(identity)?.services.iter().find(|service| service.entry_name() == entry)
    }
}
