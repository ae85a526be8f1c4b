//! Which namespaces of a cluster see a host (reconcile-spec W5).

use std::collections::BTreeSet;

use super::MeshService;
use crate::index::Index;
use crate::mesh::ClusterId;

/// `exportTo` of the objects of `service` in `cluster`, sorted: the namespaces of its clients, and where it runs
/// also its own and Istio's. Empty, which means everybody, unless it is asked for.
pub fn export_to(index: &Index, service: &MeshService, cluster: &ClusterId) -> Vec<String> {
    let options = &index.options().entry;
    let host = service.host.to_lowercase();
    let is_listed = |entry: &String| entry == "*" || host.contains(&entry.to_lowercase());
    if !options.export_to_clients || !options.export_identities.iter().any(is_listed) {
        return Vec::new();
    }
    let clients = index.client_namespaces_in(&service.identity, cluster);
    let mut namespaces = BTreeSet::new();
    if service.sources.contains_key(cluster) {
        namespaces.insert(index.options().routing.istio_namespace.clone());
        namespaces.extend(index.namespaces_of(&service.identity, cluster));
    }
    let has_clients = !clients.is_empty();
    namespaces.extend(clients);
    if has_clients && namespaces.len() > usize::try_from(options.export_max_namespaces).unwrap_or(usize::MAX) {
        return vec!["*".to_owned()];
    }
    namespaces.into_iter().collect()
}
