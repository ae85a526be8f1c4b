//! What Flagship knows of the mesh: a synchronous fold of add, change and delete events.
//!
//! Invariant: the index is a function of the newest version of every object, and of nothing else: neither the
//! order of events nor time enters. An object that cannot be read is reported and leaves its previous version
//! in force. Events of unknown clusters and of objects outside the watched namespaces change nothing.

pub mod client_connection_config;
mod clients;
pub mod config_map;
pub mod decode;
pub mod dependency;
pub mod deployment;
pub mod destination_rule;
pub mod envoy_filter;
pub mod event;
mod fold;
pub mod global_traffic_policy;
pub mod http_route;
pub mod job;
pub mod namespace;
mod near_miss;
pub mod node;
pub mod observed;
pub mod outlier_detection;
pub mod policy;
mod port;
mod query;
pub mod rollout;
pub mod routing_policy;
pub mod service;
pub mod service_entry;
pub mod sidecar;
mod state;
mod told;
mod touched;
pub mod virtual_service;
pub mod workload;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use crate::mesh::{
    ClusterId, Concerned, Kind, MeshOptions, NamespaceScope, ObjectKey, Origin, Suspension, Suspensions, WatchScope,
};
use decode::At;
pub use decode::DecodeError;
pub use near_miss::NearMiss;
pub use query::WorkloadRef;
pub use state::{Name, State};
pub use touched::Touched;
use workload::WorkloadKind;

/// The fold over all clusters.
#[derive(Debug)]
pub struct Index {
    options: Arc<MeshOptions>,
    suspensions: Suspensions,
    control: State,
    clusters: BTreeMap<ClusterId, State>,
    /// Identity in lower case -> its workloads, ignored ones too.
    workloads: BTreeMap<String, BTreeSet<(ClusterId, WorkloadKind, Name)>>,
    /// Identity in lower case -> its traffic policies.
    policies: BTreeMap<String, BTreeSet<(Kind, ClusterId, Name)>>,
    /// Destination -> client -> number of records that say so.
    clients: BTreeMap<String, BTreeMap<String, usize>>,
    /// Client -> destination -> number of records that say so.
    servers: BTreeMap<String, BTreeMap<String, usize>>,
    /// Identity in lower case -> its RoutingPolicies.
    routing_policies: BTreeMap<String, BTreeSet<(ClusterId, Name)>>,
    /// Objects of which the status is news.
    newly_told: BTreeSet<(ClusterId, ObjectKey)>,
}

impl Index {
    /// An index that knows nothing.
    pub fn new(options: Arc<MeshOptions>) -> Self {
        Self {
            suspensions: Suspensions::listed(&options.excluded_identity_list),
            options,
            control: State::default(),
            clusters: BTreeMap::new(),
            workloads: BTreeMap::new(),
            policies: BTreeMap::new(),
            clients: BTreeMap::new(),
            servers: BTreeMap::new(),
            routing_policies: BTreeMap::new(),
            newly_told: BTreeSet::new(),
        }
    }

    /// The settings.
    pub fn options(&self) -> &MeshOptions {
        &self.options
    }

    /// Who is suspended: nothing is written or deleted for them.
    pub fn suspensions(&self) -> &Suspensions {
        &self.suspensions
    }

    /// Folds what the suspension table says now.
    pub fn suspend(&mut self, table: Suspension) -> Touched {
        match self.suspensions.set_table(table) {
            Concerned::All => Touched::all(),
            Concerned::Identities(identities) => Touched::identities(identities),
        }
    }

    /// Takes up a cluster; it counts as not synced until [`Self::set_synced`].
    pub fn add_cluster(&mut self, cluster: &ClusterId) -> Touched {
        if self.clusters.contains_key(cluster) {
            return Touched::none();
        }
        self.clusters.insert(cluster.clone(), State::default());
        Touched::all()
    }

    /// Forgets a cluster and everything that was seen there.
    pub fn remove_cluster(&mut self, cluster: &ClusterId) -> Touched {
        if self.clusters.remove(cluster).is_none() {
            return Touched::none();
        }
        self.workloads.retain(|_, workloads| {
            workloads.retain(|(of, ..)| of != cluster);
            !workloads.is_empty()
        });
        self.routing_policies.retain(|_, policies| {
            policies.retain(|(of, _)| of != cluster);
            !policies.is_empty()
        });
        self.policies.retain(|_, policies| {
            policies.retain(|(_, of, _)| of != cluster);
            !policies.is_empty()
        });
        Touched::all()
    }

    /// Says whether every watch of `origin` has delivered its first list. An origin that was synced and became
    /// unreachable should stay synced: its last known state is better than none.
    pub fn set_synced(&mut self, origin: &Origin, synced: bool) -> Touched {
        match self.state_mut(origin) {
            Some(state) if state.synced != synced => {
                state.synced = synced;
                Touched::all()
            }
            _ => Touched::none(),
        }
    }

    /// Folds the newest version of an object. Kinds that Flagship has no use for are passed over.
    ///
    /// # Errors
    /// When a field that is used cannot be read. The object is then listed in [`Self::invalid`], and its
    /// previous version, if there was one, stays in force.
    pub fn apply(&mut self, origin: &Origin, object: &Value) -> Result<Touched, DecodeError> {
        let root = At::root(object);
        let api_version = root.field("apiVersion")?.text()?.unwrap_or_default();
        match Kind::of(api_version, root.field("kind")?.text()?.unwrap_or_default()) {
            Some(kind) => self.apply_as(origin, kind, object),
            None => Ok(Touched::none()),
        }
    }

    /// As [`Self::apply`], for an object that is known to be of `kind`: the items of an API server's list do
    /// not say so themselves.
    ///
    /// # Errors
    /// As [`Self::apply`].
    pub fn apply_as(&mut self, origin: &Origin, kind: Kind, object: &Value) -> Result<Touched, DecodeError> {
        self.fold(origin, &key_of(kind, object)?, Some(object))
    }

    /// Folds the deletion of an object.
    pub fn delete(&mut self, origin: &Origin, key: &ObjectKey) -> Touched {
        // Absence always decodes.
        self.fold(origin, key, None).unwrap_or_default()
    }

    /// Folds a complete list: objects of `kind` (in `namespace`, if given) that it lacks are deleted. The
    /// errors of unreadable objects come beside what was touched.
    pub fn replace(
        &mut self,
        origin: &Origin,
        kind: Kind,
        namespace: Option<&str>,
        objects: &[Value],
    ) -> (Touched, Vec<DecodeError>) {
        let mut touched = Touched::none();
        let mut errors = Vec::new();
        let mut listed = BTreeSet::new();
        for object in objects {
            if let Ok(key) = key_of(kind, object) {
                listed.insert(Name::from(&key));
            }
            match self.apply_as(origin, kind, object) {
                Ok(more) => touched.merge(more),
                Err(error) => errors.push(error),
            }
        }
        for name in self.known(origin, kind) {
            if !listed.contains(&name) && namespace.is_none_or(|namespace| namespace == name.namespace) {
                touched.merge(self.delete(origin, &ObjectKey::new(kind, name.namespace, name.name)));
            }
        }
        if let Some(state) = self.state_mut(origin) {
            let is_in = |key: &ObjectKey| namespace.is_none_or(|namespace| namespace == key.namespace);
            state.uids.retain(|key, _| key.kind != kind || !is_in(key) || listed.contains(&Name::from(key)));
        }
        (touched, errors)
    }

    fn fold(&mut self, origin: &Origin, key: &ObjectKey, object: Option<&Value>) -> Result<Touched, DecodeError> {
        if !self.is_watched(origin, key) {
            return Ok(Touched::none());
        }
        let Some(row) = fold::row_of(key.kind) else { return Ok(Touched::none()) };
        let mut result = (row.fold)(self, origin, &Name::from(key), object);
        self.note_status(origin, key, object);
        let tells = self.options.extension.kubernetes_events;
        if let Some(state) = self.state_mut(origin) {
            let is_another = tells && state.note_uid(key, object);
            match &mut result {
                Ok(touched) => touched.findings |= state.invalid.remove(key).is_some() || is_another,
                Err(error) => drop(state.invalid.insert(key.clone(), error.clone())),
            }
        }
        result
    }

    fn is_watched(&self, origin: &Origin, key: &ObjectKey) -> bool {
        let here = match key.kind.watch_scope() {
            WatchScope::Control => *origin == Origin::Control,
            WatchScope::EachCluster => *origin != Origin::Control,
            WatchScope::Everywhere => true,
        };
        let jobs_in = &self.options.workload.client_discovery_clusters;
        let is_counted = match origin {
            Origin::Cluster(cluster) if key.kind == Kind::Job => {
                jobs_in.is_empty() || jobs_in.contains(cluster.as_str())
            }
            _ => true,
        };
        let namespace = key.kind.watched_namespace(&self.options);
        here && is_counted
            && key.kind.is_watched(&self.options)
            && namespace.is_none_or(|namespace| namespace == key.namespace)
    }

    fn known(&mut self, origin: &Origin, kind: Kind) -> BTreeSet<Name> {
        let (Some(row), Some(state)) = (fold::row_of(kind), self.state_mut(origin)) else { return BTreeSet::new() };
        let mut names: BTreeSet<_> = (row.names)(state).into_iter().collect();
        names.extend(state.invalid.keys().filter(|key| key.kind == kind).map(Name::from));
        names.extend(state.near_misses.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.clone()));
        names
    }

    fn state(&self, origin: &Origin) -> Option<&State> {
        match origin {
            Origin::Control => Some(&self.control),
            Origin::Cluster(cluster) => self.clusters.get(cluster),
        }
    }

    fn state_mut(&mut self, origin: &Origin) -> Option<&mut State> {
        match origin {
            Origin::Control => Some(&mut self.control),
            Origin::Cluster(cluster) => self.clusters.get_mut(cluster),
        }
    }

    fn remember_workload(&mut self, identity: &str, cluster: &ClusterId, kind: WorkloadKind, name: &Name) {
        self.workloads.entry(identity.to_lowercase()).or_default().insert((cluster.clone(), kind, name.clone()));
    }

    fn forget_workload(&mut self, identity: &str, cluster: &ClusterId, kind: WorkloadKind, name: &Name) {
        let identity = identity.to_lowercase();
        if let Some(workloads) = self.workloads.get_mut(&identity) {
            workloads.remove(&(cluster.clone(), kind, name.clone()));
            if workloads.is_empty() {
                self.workloads.remove(&identity);
            }
        }
    }

    fn count_dependency(&mut self, client: &str, server: &str, by: isize) {
        let count = |map: &mut BTreeMap<String, BTreeMap<String, usize>>, outer: &str, inner: &str| {
            let records = map.entry(outer.to_owned()).or_default();
            let count = records.entry(inner.to_owned()).or_default();
            *count = count.saturating_add_signed(by);
            if *count == 0 {
                records.remove(inner);
            }
            if records.is_empty() {
                map.remove(outer);
            }
        };
        count(&mut self.clients, server, client);
        count(&mut self.servers, client, server);
    }

    /// The Rollouts that keep their weights in this VirtualService.
    fn touched_by_route(&self, origin: &Origin, name: &Name) -> Touched {
        let rollouts = self.state(origin).into_iter().flat_map(|state| state.rollouts_in(&name.namespace));
        let naming = rollouts.filter(|(_, rollout)| rollout.names_virtual_service(&name.name));
        Touched::identities(naming.map(|(_, rollout)| rollout.workload.identity.as_str()))
    }

    /// These identities, and those that they call.
    fn touched_with_servers(&self, identities: &[String]) -> Touched {
        let called = identities.iter().filter_map(|identity| self.servers.get(identity)).flat_map(BTreeMap::keys);
        Touched::identities(identities.iter().chain(called))
    }
}

fn key_of(kind: Kind, object: &Value) -> Result<ObjectKey, DecodeError> {
    let root = At::root(object);
    let name = root.field("metadata.name")?;
    let name = name.text()?.filter(|n| !n.is_empty()).ok_or_else(|| name.error("the name of the object"))?;
    let namespace = match kind.namespace_scope() {
        NamespaceScope::ClusterScoped => "",
        _ => root.field("metadata.namespace")?.text()?.unwrap_or("default"),
    };
    Ok(ObjectKey::new(kind, namespace, name))
}

#[cfg(test)]
mod tests;
