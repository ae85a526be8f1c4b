//! What each cluster should hold, from what the index knows: a registry of generators, one Istio kind each.
//!
//! Invariant: the result is a function of the index and the address book; endpoints and names are sorted, so
//! equal knowledge gives equal bytes on every instance.

mod additional;
pub mod addresses;
pub mod copy;
mod destination_rule;
mod endpoint;
mod envoy_filter;
mod event;
mod export;
mod ingress;
mod mesh_service;
pub mod ownership;
pub mod policy;
mod ports;
pub mod released;
mod resolve;
mod service_entry;
mod shared;
mod sidecar;
mod status;
mod wanted;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use crate::index::Index;
use crate::mesh::{ClusterId, MeshOptions, ObjectKey, marks};
pub use addresses::AddressBook;
pub use endpoint::Endpoint;
pub use event::events;
pub use export::export_to;
pub use mesh_service::{HostRole, Local, MeshService, Source};
pub use policy::preferred_region;
pub use resolve::{Resolved, resolve};
pub use shared::{Asked, assemble, is_shared};
pub use status::{Places, merged as with_status, statuses};
pub use wanted::{Identity, Parts, Wanted, wanted};

/// Desired objects, by cluster and key.
pub type Objects = BTreeMap<(ClusterId, ObjectKey), Value>;

/// What a generator makes an object from: one service in one cluster. There is at least one endpoint.
#[derive(Debug)]
pub struct Placement<'a> {
    /// The settings.
    pub options: &'a MeshOptions,
    /// The service.
    pub service: &'a MeshService,
    /// The cluster.
    pub cluster: &'a ClusterId,
    /// Its region.
    pub region: &'a str,
    /// How the cluster reaches it, sorted.
    pub endpoints: &'a [Endpoint],
    /// The address of its host.
    pub address: Option<IpAddr>,
    /// The namespaces that see it; empty means all.
    pub export_to: &'a [String],
}

/// A generator: the name and spec-bearing object of one Istio kind for one placement.
type Generator = fn(&Placement<'_>) -> (ObjectKey, Value);

/// Every generator; a new one is a file and a row here.
const GENERATORS: [Generator; 2] = [service_entry::generate, destination_rule::generate];

/// Every object that `service` should have, in every cluster for which something may be planned. A cluster
/// from which no endpoint can be reached gets nothing (case w02).
pub fn generate(index: &Index, book: &AddressBook, service: &MeshService) -> Objects {
    let address = book.address(&service.entry_name());
    let mut objects = Objects::new();
    for cluster in service.sources.keys().chain(service.dependents.iter()) {
        if !index.is_plannable(cluster) {
            continue;
        }
        let endpoints = endpoint::endpoints(index, service, cluster);
        if endpoints.is_empty() {
            continue;
        }
        let placement = Placement {
            options: index.options(),
            service,
            cluster,
            region: index.region(cluster).unwrap_or_default(),
            endpoints: &endpoints,
            address,
            export_to: &export_to(index, service, cluster),
        };
        for generator in GENERATORS {
            let (key, object) = generator(&placement);
            objects.insert((cluster.clone(), key), object);
        }
    }
    objects
}

/// An object of ours: Admiral's mark of ownership is added to `annotations`.
fn object(
    key: &ObjectKey,
    labels: BTreeMap<&str, &str>,
    mut annotations: BTreeMap<&str, &str>,
    body: (&str, Value),
) -> Value {
    annotations.insert(marks::CREATED_BY, marks::CREATED_BY_US);
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(key.name));
    metadata.insert("namespace".into(), json!(key.namespace));
    metadata.insert("annotations".into(), json!(annotations));
    if !labels.is_empty() {
        metadata.insert("labels".into(), json!(labels));
    }
    let mut object = Map::new();
    object.insert("apiVersion".into(), json!(key.kind.api_version()));
    object.insert("kind".into(), json!(key.kind.name()));
    object.insert("metadata".into(), Value::Object(metadata));
    object.insert(body.0.into(), body.1);
    Value::Object(object)
}

/// Names of generated objects, of a host in any case (reconcile-spec 3.2.1, DR1).
pub mod names {
    use crate::mesh::MeshOptions;

    /// The ServiceEntry of `host`.
    pub fn entry(host: &str) -> String {
        format!("{}-se", host.to_lowercase())
    }

    /// The DestinationRule of `host`.
    pub fn rule(host: &str) -> String {
        format!("{}-default-dr", host.to_lowercase())
    }

    /// The DestinationRule of a host with a policy's prefix.
    pub fn prefixed_rule(host: &str) -> String {
        format!("{}-dr", host.to_lowercase())
    }

    /// The ServiceEntries whose host may have the DestinationRule of this name.
    pub fn entries_of_rule(rule: &str) -> impl Iterator<Item = String> {
        ["-default-dr", "-dr"].into_iter().filter_map(move |suffix| rule.strip_suffix(suffix)).map(entry)
    }

    /// The VirtualService of further hosts, of which this is the first (reconcile-spec 3.6.2).
    pub fn further(host: &str) -> String {
        format!("{}-vs", host.to_lowercase())
    }

    /// Whether a host is one that the mesh could have.
    pub fn is_below_suffix(host: &str, options: &MeshOptions) -> bool {
        host.to_lowercase().ends_with(&format!(".{}", options.hostname_suffix.to_lowercase()))
    }
}
