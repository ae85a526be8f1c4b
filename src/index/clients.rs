//! Who calls whom, and from where.

use std::collections::{BTreeMap, BTreeSet};

use super::routing_policy::RoutingPolicy;
use super::{Index, Name, WorkloadRef};
use crate::mesh::{ClusterId, Kind, ObjectKey};

impl Index {
    /// The clients of `identity` with the clusters that hold them. Identities are compared byte for byte
    /// (reconcile-spec W1, W2).
    pub fn clients_of<'a>(&'a self, identity: &str) -> impl Iterator<Item = (&'a str, BTreeSet<ClusterId>)> {
        let clients = self.clients.get(identity).into_iter().flat_map(BTreeMap::keys);
        clients.map(|client| (client.as_str(), self.spelt(client).into_iter().map(|w| w.cluster.clone()).collect()))
    }

    /// The namespaces that hold a client of `identity`, with their clusters.
    pub fn client_namespaces(&self, identity: &str) -> BTreeSet<(ClusterId, String)> {
        let clients = self.clients.get(identity).into_iter().flat_map(BTreeMap::keys);
        let workloads = clients.flat_map(|client| self.spelt(client));
        workloads.map(|workload| (workload.cluster.clone(), workload.name.namespace.clone())).collect()
    }

    /// The namespaces of one cluster that hold a client of `identity`.
    pub fn client_namespaces_in(&self, identity: &str, cluster: &ClusterId) -> BTreeSet<String> {
        let clients = self.clients.get(identity).into_iter().flat_map(BTreeMap::keys);
        clients.flat_map(|client| self.namespaces_of(client, cluster)).collect()
    }

    /// The namespaces of one cluster in which workloads of `identity` run.
    pub fn namespaces_of(&self, identity: &str, cluster: &ClusterId) -> BTreeSet<String> {
        let there = self.spelt(identity).into_iter().filter(|workload| workload.cluster == cluster);
        there.map(|workload| workload.name.namespace.clone()).collect()
    }

    /// Whether a Rollout of the namespace keeps its weights in the VirtualService of this key.
    pub fn is_canary_route(&self, cluster: &ClusterId, key: &ObjectKey) -> bool {
        let rollouts = self.cluster(cluster).into_iter().flat_map(|state| state.rollouts_in(&key.namespace));
        key.kind == Kind::VirtualService && rollouts.into_iter().any(|(_, r)| r.names_virtual_service(&key.name))
    }

    /// Whether a workload of `identity` or of one of its clients has a label that asks for further hosts
    /// (reconcile-spec 3.6.2).
    pub fn has_further_hosts(&self, identity: &str) -> bool {
        let clients = self.clients.get(identity).into_iter().flat_map(BTreeMap::keys).map(String::as_str);
        std::iter::once(identity).chain(clients).any(|id| self.spelt(id).iter().any(|w| w.workload.has_further_hosts))
    }

    /// The RoutingPolicies for an identity (given in lower case), the oldest first.
    pub fn routing_policies_of(&self, identity: &str) -> Vec<(&ClusterId, &Name, &RoutingPolicy)> {
        let places = self.routing_policies.get(identity).into_iter().flatten();
        let policy = |cluster, name| self.cluster(cluster).filter(|c| c.synced)?.routing_policies.get(name);
        let mut policies: Vec<_> =
            places.filter_map(|(cluster, name)| Some((cluster, name, policy(cluster, name)?))).collect();
        policies.sort_by_key(|(cluster, name, policy)| (policy.created_s, *cluster, *name));
        policies
    }

    /// The workloads whose identity is spelt exactly so.
    fn spelt(&self, identity: &str) -> Vec<WorkloadRef<'_>> {
        let lower = identity.to_lowercase();
        self.workloads(&lower).filter(|workload| workload.workload.identity == identity).collect()
    }
}
