//! What the later stages ask of the index.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decode::DecodeError;
use super::http_route::HttpRoute;
use super::policy::Policy;
use super::rollout::Rollout;
use super::service::{Gateway, Port, Service};
use super::workload::{Ignored, Workload, WorkloadKind};
use super::{Index, Name, State};
use crate::mesh::{ClusterId, Compact, Condition, Kind, ObjectKey, Origin, Reason};

/// A workload that counts, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadRef<'a> {
    /// Its cluster.
    pub cluster: &'a ClusterId,
    /// What it is.
    pub kind: WorkloadKind,
    /// Its namespace and name.
    pub name: &'a Name,
    /// What is known of it.
    pub workload: &'a Workload,
}

impl WorkloadRef<'_> {
    /// For conditions.
    pub fn subject(&self) -> String {
        format!("{} {}/{}", self.kind.kind(), self.name.namespace, self.name.name)
    }

    /// Older ones come first; of equals the order is fixed.
    pub fn by_age(&self) -> (Option<i64>, &ClusterId, WorkloadKind, &Name) {
        (self.workload.created_s, self.cluster, self.kind, self.name)
    }
}

impl State {
    /// Every workload, ignored ones too.
    pub fn workloads(&self) -> impl Iterator<Item = (WorkloadKind, &Name, &Workload)> {
        let deployments = self.deployments.iter().map(|(name, d)| (WorkloadKind::Deployment, name, &d.0));
        let rollouts = self.rollouts.iter().map(|(name, r)| (WorkloadKind::Rollout, name, &r.workload));
        deployments.chain(rollouts).chain(self.jobs.iter().map(|(name, j)| (WorkloadKind::Job, name, &j.0)))
    }

    /// The Services of a namespace.
    pub fn services_in(&self, namespace: &str) -> impl Iterator<Item = (&Name, &Service)> {
        in_namespace(&self.services, namespace)
    }

    /// The workloads of a namespace, ignored ones too.
    pub fn workloads_in(&self, namespace: &str) -> impl Iterator<Item = (WorkloadKind, &Name, &Workload)> {
        let deployments = in_namespace(&self.deployments, namespace);
        let deployments = deployments.map(|(name, d)| (WorkloadKind::Deployment, name, &d.0));
        let rollouts = self.rollouts_in(namespace).map(|(name, r)| (WorkloadKind::Rollout, name, &r.workload));
        let jobs = in_namespace(&self.jobs, namespace).map(|(name, j)| (WorkloadKind::Job, name, &j.0));
        deployments.chain(rollouts).chain(jobs)
    }

    /// The Rollouts of a namespace.
    pub fn rollouts_in(&self, namespace: &str) -> impl Iterator<Item = (&Name, &Rollout)> {
        in_namespace(&self.rollouts, namespace)
    }

    /// The workloads that serve and count: neither they nor their namespace are ignored.
    pub fn serving(&self) -> impl Iterator<Item = (WorkloadKind, &Name, &Workload)> {
        let counting = self.workloads().filter(|(_, name, workload)| self.ignored(name, workload).is_none());
        counting.filter(|(kind, ..)| WorkloadKind::SERVING.contains(kind))
    }

    /// What takes a workload out of the mesh, if anything does.
    pub fn ignored(&self, name: &Name, workload: &Workload) -> Option<Ignored> {
        let namespace = self.namespaces.get(&Name::new("", &name.namespace));
        let by_namespace = namespace.filter(|namespace| namespace.ignored).map(|_| Ignored::Namespace);
        let is_outside = workload.by_namespace && !namespace.is_some_and(|namespace| namespace.is_in_mesh);
        workload.ignored.or(by_namespace).or(is_outside.then_some(Ignored::NotInjected))
    }

    fn workload(&self, kind: WorkloadKind, name: &Name) -> Option<&Workload> {
        match kind {
            WorkloadKind::Deployment => self.deployments.get(name).map(|deployment| &deployment.0),
            WorkloadKind::Rollout => self.rollouts.get(name).map(|rollout| &rollout.workload),
            WorkloadKind::Job => self.jobs.get(name).map(|job| &job.0),
        }
    }

    /// An observed object of a kind that is kept whole.
    pub fn observed(&self, key: &ObjectKey) -> Option<Value> {
        let name = Name::from(key);
        let kept = match key.kind {
            Kind::ServiceEntry => self.service_entries.get(&name).map(|kept| &kept.0),
            Kind::DestinationRule => self.destination_rules.get(&name).map(|kept| &kept.0),
            Kind::ConfigMap => self.config_maps.get(&name).map(|kept| &kept.0),
            Kind::VirtualService => self.virtual_services.get(&name).and_then(|v| v.kept.as_ref()),
            Kind::Sidecar => self.sidecars.get(&name).map(|kept| &kept.0),
            Kind::EnvoyFilter => self.envoy_filters.get(&name).map(|kept| &kept.0),
            Kind::Event => self.events.get(&name).map(|kept| &kept.0),
            kind if kind.is_told_by_status() => self.told.get(key),
            _ => None,
        };
        kept.map(Compact::value)
    }

    /// Every observed object of a kind that is kept whole.
    pub fn observed_of(&self, kind: Kind) -> Vec<(ObjectKey, &Compact)> {
        let key = |name: &Name| ObjectKey::new(kind, &name.namespace, &name.name);
        match kind {
            Kind::ServiceEntry => self.service_entries.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            Kind::DestinationRule => self.destination_rules.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            Kind::ConfigMap => self.config_maps.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            Kind::VirtualService => {
                let all = self.virtual_services.iter();
                all.filter_map(|(name, v)| Some((key(name), v.kept.as_ref()?))).collect()
            }
            Kind::Sidecar => self.sidecars.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            Kind::Event => self.events.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            Kind::EnvoyFilter => self.envoy_filters.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            _ => Vec::new(),
        }
    }
}

impl Index {
    /// Every known cluster.
    pub fn clusters(&self) -> impl Iterator<Item = (&ClusterId, &State)> {
        self.clusters.iter()
    }

    /// One cluster.
    pub fn cluster(&self, cluster: &ClusterId) -> Option<&State> {
        self.clusters.get(cluster)
    }

    /// The control cluster.
    pub fn control(&self) -> &State {
        &self.control
    }

    /// Whether the control cluster and every known cluster have been seen completely.
    pub fn is_complete(&self) -> bool {
        self.control.synced && self.clusters.values().all(|state| state.synced)
    }

    /// Whether anything may be planned for `cluster`: its own state, its region and the Dependency records
    /// must be known.
    pub fn is_plannable(&self, cluster: &ClusterId) -> bool {
        self.control.synced && self.cluster(cluster).is_some_and(|state| state.synced && state.region.is_some())
    }

    /// Every identity that some workload or policy has, in lower case; some more than once.
    pub fn identities(&self) -> impl Iterator<Item = &String> {
        self.workloads.keys().chain(self.policies.keys()).chain(self.routing_policies.keys())
    }

    /// The policies of a kind and an identity (given in lower case), by cluster and name.
    pub fn policies<'a, P: Policy + 'a>(
        &'a self,
        identity: &str,
    ) -> impl Iterator<Item = (&'a ClusterId, &'a Name, &'a P)> {
        let policies = self.policies.get(identity).into_iter().flatten().filter(|(kind, ..)| *kind == P::KIND);
        policies.filter_map(|(_, cluster, name)| Some((cluster, name, P::of(self.clusters.get(cluster)?).get(name)?)))
    }

    /// The workloads of an identity (given in lower case) that count, by cluster and name.
    pub fn workloads<'a>(&'a self, identity: &str) -> impl Iterator<Item = WorkloadRef<'a>> {
        self.every_workload(identity).filter(|(_, ignored)| ignored.is_none()).map(|(workload, _)| workload)
    }

    /// As [`Self::workloads`], with those that do not count and why.
    pub fn every_workload<'a>(&'a self, identity: &str) -> impl Iterator<Item = (WorkloadRef<'a>, Option<Ignored>)> {
        self.workloads.get(identity).into_iter().flatten().filter_map(|(cluster, kind, name)| {
            let state = self.clusters.get(cluster)?;
            let workload = state.workload(*kind, name)?;
            Some((WorkloadRef { cluster, kind: *kind, name, workload }, state.ignored(name, workload)))
        })
    }

    /// The identities that `client`, compared byte for byte, calls.
    pub fn servers_of(&self, client: &str) -> impl Iterator<Item = &String> {
        self.servers.get(client).into_iter().flat_map(BTreeMap::keys)
    }

    /// The clusters that hold a client of `identity`, which is compared byte for byte (reconcile-spec W1, W2).
    pub fn client_clusters(&self, identity: &str) -> BTreeSet<ClusterId> {
        let mut clusters = BTreeSet::new();
        for client in self.clients.get(identity).into_iter().flat_map(BTreeMap::keys) {
            let lower = client.to_lowercase();
            let workloads = self.workloads(&lower);
            clusters.extend(workloads.filter(|w| w.workload.identity == *client).map(|w| w.cluster.clone()));
        }
        clusters
    }

    /// The Rollout behind a workload, if it is one.
    pub fn rollout(&self, workload: &WorkloadRef<'_>) -> Option<&Rollout> {
        if workload.kind != WorkloadKind::Rollout {
            return None;
        }
        self.clusters.get(workload.cluster)?.rollouts.get(workload.name)
    }

    /// The Services that select a workload, the oldest first, each with the port that the mesh uses if it has
    /// that one (reconcile-spec 2.4 S1, S2).
    pub fn services_of(&self, workload: &WorkloadRef<'_>) -> Vec<(&Name, Option<Port>)> {
        let Some(state) = self.clusters.get(workload.cluster) else { return Vec::new() };
        let services = in_namespace(&state.services, &workload.name.namespace);
        let mut selecting: Vec<_> =
            services.filter(|(_, service)| !service.ignored && service.selects(workload.workload)).collect();
        selecting.sort_by_key(|(name, service)| (service.created_s, *name));
        let port = |service: &Service| service.mesh_port(workload.workload.inbound_port);
        selecting.into_iter().map(|(name, service)| (name, port(service))).collect()
    }

    /// The http routes of a VirtualService of the workload's namespace; `None` if there is no such one.
    pub fn http_routes(&self, workload: &WorkloadRef<'_>, virtual_service: &str) -> Option<&[HttpRoute]> {
        let name = Name::new(&workload.name.namespace, virtual_service);
        let found = self.clusters.get(workload.cluster)?.virtual_services.get(&name);
        found.map(|virtual_service| virtual_service.routes.as_slice())
    }

    /// Whether a Service of this name is in the workload's namespace, whatever it selects.
    pub fn has_service(&self, workload: &WorkloadRef<'_>, service: &str) -> bool {
        let name = Name::new(&workload.name.namespace, service);
        self.clusters.get(workload.cluster).is_some_and(|state| state.services.contains_key(&name))
    }

    /// Where other clusters reach `cluster`.
    pub fn gateway(&self, cluster: &ClusterId) -> Option<&Gateway> {
        self.clusters.get(cluster)?.gateway.as_ref()
    }

    /// The locality of the endpoints of `cluster`, as Istio writes it: the region, with the zone if it is known.
    pub fn locality(&self, cluster: &ClusterId) -> Option<String> {
        let state = self.clusters.get(cluster)?;
        let region = state.region.as_ref()?;
        Some(state.zone.as_ref().map_or_else(|| region.clone(), |zone| format!("{region}/{zone}")))
    }

    /// The region of `cluster`.
    pub fn region(&self, cluster: &ClusterId) -> Option<&str> {
        self.clusters.get(cluster)?.region.as_deref()
    }

    /// Objects whose newest version could not be read.
    pub fn invalid(&self) -> impl Iterator<Item = (Origin, &ObjectKey, &DecodeError)> {
        let control = self.control.invalid.iter().map(|(key, error)| (Origin::Control, key, error));
        let others = self
            .clusters
            .iter()
            .flat_map(|(id, state)| state.invalid.iter().map(|(key, error)| (Origin::Cluster(id.clone()), key, error)));
        control.chain(others)
    }

    /// What is wrong with whole clusters and with single objects, whatever identity they belong to.
    pub fn conditions(&self) -> Vec<Condition> {
        let mut found = Vec::new();
        for (id, state) in self.clusters.iter().filter(|(_, state)| state.synced) {
            if state.region.is_none() {
                found.push(Condition::new(
                    Some(id),
                    "Node",
                    Reason::NoRegion,
                    "no Node says in which region the cluster is, so it is left out of the mesh; label its Nodes with \
                     topology.kubernetes.io/region",
                ));
            }
            if state.gateway.is_none() && state.serving().next().is_some() {
                found.push(self.no_gateway(id, &state.services));
            }
        }
        for (origin, key, error) in self.invalid() {
            let cluster = match &origin {
                Origin::Control => None,
                Origin::Cluster(id) => Some(id),
            };
            let message = format!(
                "{error}; correct the object (until then its previous version stays in force, if there was one)"
            );
            found.push(Condition::new(cluster, key.to_string(), Reason::InvalidObject, message));
        }
        found
    }

    fn no_gateway(&self, cluster: &ClusterId, services: &BTreeMap<Name, Service>) -> Condition {
        let (namespace, app) = (&self.options.gateway_namespace, &self.options.gateway_app);
        let message = if services.values().any(|service| service.gateway.is_some() && !service.ignored) {
            "the gateway Service has no load-balancer address and no external IP, so other clusters cannot reach this \
             one; wait for the load balancer or give the Service externalIPs"
                .to_owned()
        } else {
            format!(
                "no Service in {namespace} has the label app={app}, so other clusters cannot reach this one; install \
                 the gateway or set --gateway_app"
            )
        };
        Condition::new(Some(cluster), format!("Service {namespace} app={app}"), Reason::NoGatewayAddress, message)
    }
}

fn in_namespace<'a, T>(map: &'a BTreeMap<Name, T>, namespace: &str) -> impl Iterator<Item = (&'a Name, &'a T)> {
    let namespace = namespace.to_owned();
    map.range(Name::new(&namespace, "")..).take_while(move |(name, _)| name.namespace == namespace)
}
