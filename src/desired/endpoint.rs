//! How one cluster reaches a service: by the Service's own name where it runs, by gateways elsewhere.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Local, MeshService, Source};
use crate::index::service::Gateway;
use crate::index::workload::WorkloadKind;
use crate::index::{Index, observed};
use crate::mesh::{ClusterId, Kind, MeshOptions, ObjectKey};

/// An endpoint of a ServiceEntry. Sorted by locality, then address.
#[derive(Clone, Debug, PartialEq)]
pub struct Endpoint {
    /// Region, with the zone if that is known.
    pub locality: String,
    /// Host name or IP.
    pub address: String,
    /// As Istio wants it.
    pub value: Value,
}

impl Endpoint {
    /// Whether it lies within the cluster or is an IPv4 address (reconcile-spec DR3 b).
    pub fn is_local_or_ip(&self) -> bool {
        is_local(&self.address) || self.address.parse::<Ipv4Addr>().is_ok()
    }

    fn new(service: &MeshService, locality: &str, (address, port): (&str, u16), kind: Option<WorkloadKind>) -> Self {
        let mut value = json!({
            "address": address,
            "labels": {"security.istio.io/tlsMode": "istio"},
            "locality": locality,
            "ports": {service.protocol.as_str(): port},
        });
        if let Some(kind) = kind {
            value["labels"]["type"] = json!(kind.endpoint_type());
        }
        Self { locality: locality.to_owned(), address: address.to_owned(), value }
    }

    fn local(options: &MeshOptions, service: &MeshService, locality: &str, local: &Local) -> Self {
        let absolute = options.enable_absolute_fqdn && options.enable_absolute_fqdn_for_local_endpoints;
        let address = format!("{}{}", local.host(), if absolute { "." } else { "" });
        let mut endpoint = Self::new(service, locality, (&address, local.port), Some(local.kind));
        for port in &service.further_ports {
            endpoint.value["ports"][port.name()] = json!(port.number);
        }
        if let Some(weight) = local.weight {
            endpoint.value["weight"] = json!(weight);
        }
        endpoint
    }

    /// The gateway knows by the name of the host and the number of the port where to go.
    fn remote(service: &MeshService, locality: &str, gateway: &Gateway, kind: Option<WorkloadKind>) -> Self {
        let mut endpoint = Self::new(service, locality, (&gateway.address, gateway.port), kind);
        for port in &service.further_ports {
            endpoint.value["ports"][port.name()] = json!(gateway.port);
        }
        endpoint
    }
}

/// The endpoints of `service` as `cluster` sees them (reconcile-spec 3.2.3, 3.2.6 to 3.2.8).
pub fn endpoints(index: &Index, service: &MeshService, cluster: &ClusterId) -> Vec<Endpoint> {
    let own = service.sources.get(cluster);
    let own_gateway = own.and_then(|source| source.gateway.as_ref());
    let is_migrating = own.is_some_and(Source::is_migrating);
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for (of, source) in service.sources.iter() {
        if of == cluster {
            let locals = source.locals.iter();
            endpoints.extend(locals.map(|local| Endpoint::local(index.options(), service, &source.locality, local)));
        } else if let Some(gateway) = &source.gateway
            // Two clusters behind one address are one endpoint, and behind our own address we are it.
            && own_gateway.is_none_or(|own| own.address != gateway.address)
            && endpoints.iter().all(|e| e.address != gateway.address)
        {
            // Reconcile-spec R5: beside two kinds of its own a cluster does not tell those of others.
            let kind = source.kind().filter(|_| !is_migrating);
            endpoints.push(Endpoint::remote(service, &source.locality, gateway, kind));
        }
    }
    for kept in unknown_endpoints(index, service, cluster) {
        if endpoints.iter().all(|e| e.address != kept.address) {
            endpoints.push(kept);
        }
    }
    endpoints.sort_by(|a, b| (&a.locality, &a.address).cmp(&(&b.locality, &b.address)));
    endpoints
}

/// While some cluster has never been seen: the endpoints that are there and may be its. A gateway of a synced
/// cluster, or a name within a cluster, cannot be.
fn unknown_endpoints(index: &Index, service: &MeshService, cluster: &ClusterId) -> Vec<Endpoint> {
    if index.is_complete() {
        return Vec::new();
    }
    let key = ObjectKey::new(Kind::ServiceEntry, &index.options().sync_namespace, service.entry_name());
    let Some(entry) = index.cluster(cluster).and_then(|state| state.observed(&key)) else { return Vec::new() };
    if !crate::mesh::marks::is_owned(&entry) {
        return Vec::new();
    }
    let known: Vec<_> = index
        .clusters()
        .filter(|(_, state)| state.synced)
        .filter_map(|(_, state)| state.gateway.as_ref().map(|gateway| gateway.address.as_str()))
        .collect();
    let mut kept = Vec::new();
    for value in observed::endpoints(&entry) {
        let Some(address) = observed::text(value, "/address") else { continue };
        if !is_local(address) && !known.contains(&address) {
            let locality = observed::text(value, "/locality").unwrap_or_default().to_owned();
            kept.push(Endpoint { locality, address: address.to_owned(), value: value.clone() });
        }
    }
    kept
}

fn is_local(address: &str) -> bool {
    address.contains(".svc.cluster.local")
}
