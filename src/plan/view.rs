//! What others may ask of the planner.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Planner, Standing};
use crate::desired::MeshService;
use crate::index::{Index, observed};
use crate::mesh::{Change, ClusterId, Compact, Condition, Kind, ObjectKey, Op, Reason, marks};

/// A cluster, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterView {
    /// Its name.
    pub id: ClusterId,
    /// Whether every watch has delivered its first list.
    pub synced: bool,
    /// Its region, if known.
    pub region: Option<String>,
    /// Address and port of its gateway, if known.
    pub gateway: Option<(String, u16)>,
    /// Workloads that count.
    pub workloads: usize,
    /// Objects that it should hold.
    pub desired: usize,
    /// Changes that are pending.
    pub pending: usize,
}

impl Planner {
    /// The pending change of an object.
    pub fn change(&self, cluster: &ClusterId, key: &ObjectKey) -> Option<Change> {
        let op = self.pending(cluster, key)?.clone().map(|object| object.value());
        Some(Change { key: key.clone(), op })
    }

    /// The pending change of an object, with the object packed.
    pub fn pending(&self, cluster: &ClusterId, key: &ObjectKey) -> Option<&Op<Compact>> {
        self.changes.get(cluster)?.get(key)
    }

    /// The pending changes of a cluster, by key.
    pub fn changes(&self, cluster: &ClusterId) -> impl Iterator<Item = Change> {
        let change = |(key, op): (&ObjectKey, &Op<Compact>)| Change {
            key: key.clone(),
            op: op.clone().map(|object| object.value()),
        };
        self.pending_in(cluster).map(change)
    }

    /// The pending changes of a cluster, by key, with the objects packed.
    pub fn pending_in(&self, cluster: &ClusterId) -> impl Iterator<Item = (&ObjectKey, &Op<Compact>)> {
        self.changes.get(cluster).into_iter().flatten()
    }

    /// Every known cluster, whether it is synced, and how many changes are pending there.
    pub fn progress(&self) -> impl Iterator<Item = (&ClusterId, bool, usize)> {
        self.index.clusters().map(|(id, state)| (id, state.synced, self.changes.get(id).map_or(0, BTreeMap::len)))
    }

    /// How many changes are pending in all clusters.
    pub fn pending_count(&self) -> usize {
        self.changes.values().map(BTreeMap::len).sum()
    }

    /// What a cluster should hold, by key.
    pub fn desired(&self, cluster: &ClusterId) -> impl Iterator<Item = (&ObjectKey, Value)> {
        self.desired.get(cluster).into_iter().flatten().map(|(key, object)| (key, object.value()))
    }

    /// What a cluster holds of a kind that is written, foreign objects too; `None` for an unknown cluster.
    pub fn observed(&self, cluster: &ClusterId, kind: Kind) -> Option<Vec<Value>> {
        let state = self.index.cluster(cluster)?;
        Some(state.observed_of(kind).into_iter().map(|(_, object)| object.value()).collect())
    }

    /// The hosts of observed ServiceEntries of ours, with the clusters that have them.
    pub fn hosts(&self) -> BTreeMap<String, BTreeSet<ClusterId>> {
        let mut hosts = BTreeMap::<String, BTreeSet<ClusterId>>::new();
        for (cluster, state) in self.index.clusters() {
            for (_, entry) in state.observed_of(Kind::ServiceEntry) {
                let entry = entry.value();
                if let Some(host) = observed::host(&entry).filter(|_| marks::is_owned(&entry)) {
                    hosts.entry(host.to_owned()).or_default().insert(cluster.clone());
                }
            }
        }
        hosts
    }

    /// Every known cluster, by name.
    pub fn clusters(&self) -> Vec<ClusterView> {
        let view = |(id, state): (&ClusterId, &crate::index::State)| ClusterView {
            id: id.clone(),
            synced: state.synced,
            region: state.region.clone(),
            gateway: state.gateway.as_ref().map(|gateway| (gateway.address.clone(), gateway.port)),
            workloads: state.serving().count(),
            desired: self.desired.get(id).map_or(0, BTreeMap::len),
            pending: self.changes.get(id).map_or(0, BTreeMap::len),
        };
        self.index.clusters().map(view).collect()
    }

    /// Everything that a person should know, sorted.
    pub fn conditions(&self) -> Vec<Condition> {
        let mut conditions = self.index.conditions();
        let flawed = self.flawed.iter().filter_map(|identity| self.resolved.get(identity));
        conditions.extend(flawed.flat_map(|resolved| resolved.conditions.iter().cloned()));
        conditions.extend(self.findings.values().flatten().chain(self.copies.conditions()).cloned());
        conditions.extend(self.book.conditions().cloned());
        conditions.extend(self.unreadable_record.clone());
        conditions.extend(self.suspended());
        conditions.extend(self.foreign.iter().map(|(cluster, key)| foreign(cluster, key)));
        conditions.extend(self.host_conflicts());
        conditions.sort();
        conditions.dedup();
        conditions
    }

    /// The GlobalTrafficPolicy in force for an identity and env, both as written.
    pub fn traffic_policy(&self, identity: &str, env: &str) -> Option<Value> {
        let services = &self.resolved.get(&identity.to_lowercase())?.services;
        let mut matching = services.iter().filter(|service| service.identity == identity && service.env == env);
        let at = matching.find_map(|service| service.policy.governed_by.as_ref())?;
        let state = self.index.cluster(&at.cluster)?;
        state.traffic_policies.get(&at.name).map(|policy| policy.object.value())
    }

    /// Whether the plan, or what people are told ([`Self::conditions`]), may differ from the last one.
    pub fn is_stale(&self) -> bool {
        !self.dirty.is_clean()
    }

    /// Whether the next plan has to look at everything.
    pub fn is_all_stale(&self) -> bool {
        self.dirty.all
    }

    /// The index behind the plan.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// How many times an identity was computed since the start, for metrics and tests.
    pub fn recomputed(&self) -> usize {
        self.recomputed
    }

    /// What a person who asks for one identity (given in lower case) should know, sorted.
    pub fn conditions_of(&self, identity: &str) -> Vec<Condition> {
        let resolved = self.resolved(identity);
        let mut conditions: Vec<_> = resolved.iter().flat_map(|resolved| resolved.conditions.iter().cloned()).collect();
        let services = resolved.map(|resolved| resolved.services.as_slice()).unwrap_or_default();
        conditions.extend(services.iter().filter_map(|service| self.host_conflict(identity, service)));
        let entries: BTreeSet<String> = services.iter().map(|s| format!("ServiceEntry {}", s.entry_name())).collect();
        conditions.extend(self.book.conditions().filter(|c| entries.contains(&c.subject)).cloned());
        for (cluster, key) in self.objects_of(identity) {
            if self.standing(&cluster, &key) == Standing::Foreign {
                conditions.push(foreign(&cluster, &key));
            }
        }
        let homes: BTreeSet<&ClusterId> = self.index.every_workload(identity).map(|(w, _)| w.cluster).collect();
        let of_clusters = self.index.conditions().into_iter();
        conditions.extend(of_clusters.filter(|condition| {
            let is_here = condition.cluster.as_ref().is_some_and(|cluster| homes.contains(cluster));
            is_here && matches!(condition.reason, Reason::NoRegion | Reason::NoGatewayAddress)
        }));
        let workloads: BTreeSet<_> =
            self.index.every_workload(identity).map(|(w, _)| (Some(w.cluster.clone()), w.subject())).collect();
        let unreadable = self.index.conditions().into_iter().filter(|c| c.reason == Reason::InvalidObject);
        conditions.extend(unreadable.filter(|c| workloads.contains(&(c.cluster.clone(), c.subject.clone()))));
        conditions.sort();
        conditions.dedup();
        conditions
    }

    /// Of each host that several identities lead to, all but the first are told.
    fn host_conflicts(&self) -> Vec<Condition> {
        let rivals: BTreeSet<_> = self.contested.iter().filter_map(|name| self.claimants.get(name)).flatten().collect();
        let resolved = rivals.into_iter().filter_map(|identity| Some((identity, self.resolved.get(identity)?)));
        let services = resolved.flat_map(|(id, r)| r.services.iter().map(move |s| (id, s)));
        services.filter_map(|(identity, service)| self.host_conflict(identity, service)).collect()
    }

    /// That another identity has the host of `service` already.
    fn host_conflict(&self, identity: &str, service: &MeshService) -> Option<Condition> {
        let first = self.claimants.get(&service.entry_name()).and_then(BTreeSet::first);
        let first = first.filter(|first| *first != identity)?;
        let message = format!(
            "env {:?} and identity {:?} give the host {}, which identity {first:?} has already; rename one",
            service.env, service.identity, service.host
        );
        let subject = format!("identity {}", service.identity);
        Some(Condition::new(None, subject, Reason::HostConflict, message))
    }
}

fn foreign(cluster: &ClusterId, key: &ObjectKey) -> Condition {
    let message = format!(
        "an object of this name exists and lacks the annotation {}: {}, so it is left alone; delete or rename it, or add \
         the annotation to hand it over",
        marks::CREATED_BY,
        marks::CREATED_BY_US
    );
    Condition::new(Some(cluster), key.to_string(), Reason::ForeignObject, message)
}
