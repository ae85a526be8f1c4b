//! What the later stages ask of the index.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decode::DecodeError;
use super::deployment::{Deployment, Ignored};
use super::service::{Gateway, Port, Service};
use super::{Index, Name, State};
use crate::mesh::{ClusterId, Compact, Condition, Kind, ObjectKey, Origin, Reason};

/// A workload that counts, and where it is.
#[derive(Clone, Copy, Debug)]
pub struct WorkloadRef<'a> {
    /// Its cluster.
    pub cluster: &'a ClusterId,
    /// Its namespace and name.
    pub name: &'a Name,
    /// What is known of it.
    pub deployment: &'a Deployment,
}

impl WorkloadRef<'_> {
    /// For conditions.
    pub fn subject(&self) -> String {
        format!("Deployment {}/{}", self.name.namespace, self.name.name)
    }
}

/// The Service of a workload (reconcile-spec 2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceMatch<'a> {
    /// The oldest Service that selects it and has the port.
    Found(&'a Name, Port),
    /// Services select it, but none has the port.
    NoPort,
    /// No Service selects it.
    NoService,
}

impl State {
    /// The Deployments of a namespace.
    pub fn deployments_in(&self, namespace: &str) -> impl Iterator<Item = (&Name, &Deployment)> {
        in_namespace(&self.deployments, namespace)
    }

    /// The Services of a namespace.
    pub fn services_in(&self, namespace: &str) -> impl Iterator<Item = (&Name, &Service)> {
        in_namespace(&self.services, namespace)
    }

    /// The workloads that count: neither they nor their namespace are ignored.
    pub fn counts(&self, name: &Name) -> Option<&Deployment> {
        self.deployments.get(name).filter(|deployment| self.ignored(name, deployment).is_none())
    }

    /// What takes a workload out of the mesh, if anything does.
    pub fn ignored(&self, name: &Name, deployment: &Deployment) -> Option<Ignored> {
        let by_namespace = self.namespaces.contains_key(&Name::new("", &name.namespace));
        deployment.ignored.or(by_namespace.then_some(Ignored::Namespace))
    }

    /// An observed object of a kind that is kept whole.
    pub fn observed(&self, key: &ObjectKey) -> Option<Value> {
        let name = Name::from(key);
        let kept = match key.kind {
            Kind::ServiceEntry => self.service_entries.get(&name).map(|kept| &kept.0),
            Kind::DestinationRule => self.destination_rules.get(&name).map(|kept| &kept.0),
            Kind::ConfigMap => self.config_maps.get(&name).map(|kept| &kept.0),
            Kind::VirtualService => self.virtual_services.get(&name).map(|kept| &kept.0),
            Kind::Sidecar => self.sidecars.get(&name).map(|kept| &kept.0),
            Kind::EnvoyFilter => self.envoy_filters.get(&name).map(|kept| &kept.0),
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
            Kind::VirtualService => self.virtual_services.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
            Kind::Sidecar => self.sidecars.iter().map(|(name, kept)| (key(name), &kept.0)).collect(),
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

    /// Every identity that some workload has or some RoutingPolicy is for, in lower case.
    pub fn identities(&self) -> impl Iterator<Item = &String> {
        self.workloads.keys().chain(self.routing_policies.keys())
    }

    /// The workloads of an identity (given in lower case) that count, by cluster and name.
    pub fn workloads<'a>(&'a self, identity: &str) -> impl Iterator<Item = WorkloadRef<'a>> {
        self.every_workload(identity).filter(|(_, ignored)| ignored.is_none()).map(|(workload, _)| workload)
    }

    /// As [`Self::workloads`], with those that do not count and why.
    pub fn every_workload<'a>(&'a self, identity: &str) -> impl Iterator<Item = (WorkloadRef<'a>, Option<Ignored>)> {
        self.workloads.get(identity).into_iter().flatten().filter_map(|(cluster, name)| {
            let state = self.clusters.get(cluster)?;
            let deployment = state.deployments.get(name)?;
            Some((WorkloadRef { cluster, name, deployment }, state.ignored(name, deployment)))
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
            clusters.extend(workloads.filter(|w| w.deployment.identity == *client).map(|w| w.cluster.clone()));
        }
        clusters
    }

    /// The Service of a workload (reconcile-spec 2.4 S1, S2).
    pub fn service_of(&self, workload: WorkloadRef<'_>) -> ServiceMatch<'_> {
        let Some(state) = self.clusters.get(workload.cluster) else { return ServiceMatch::NoService };
        let mut outcome = ServiceMatch::NoService;
        let mut oldest: Option<(Option<i64>, &Name)> = None;
        for (name, service) in in_namespace(&state.services, &workload.name.namespace) {
            if service.ignored || !service.selects(workload.deployment) {
                continue;
            }
            match service.mesh_port(workload.deployment.inbound_port) {
                None if oldest.is_none() => outcome = ServiceMatch::NoPort,
                Some(port) if oldest.is_none_or(|oldest| (service.created_s, name) < oldest) => {
                    oldest = Some((service.created_s, name));
                    outcome = ServiceMatch::Found(name, port);
                }
                _ => {}
            }
        }
        outcome
    }

    /// Where other clusters reach `cluster`.
    pub fn gateway(&self, cluster: &ClusterId) -> Option<&Gateway> {
        self.clusters.get(cluster)?.gateway.as_ref()
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
            if state.gateway.is_none() && state.deployments.keys().any(|name| state.counts(name).is_some()) {
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
