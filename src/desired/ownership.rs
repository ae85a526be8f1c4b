//! Which observed objects are ours: to bring up to date, and to delete when nothing desires them any more.
//!
//! Invariant: what is deleted carries the mark of ownership *and* has exactly the shape of what a generator makes.
//! Others that carry Admiral's mark, such as its copies of customers' objects, are left alone.

use serde_json::Value;

use super::{additional, copy, envoy_filter, ingress, names};
use crate::index::observed;
use crate::mesh::{Kind, MeshOptions, ObjectKey, marks};

/// Whether `object` may be brought up to date. A Sidecar is its owner's; what is desired of it already is a merge.
pub fn is_ours(key: &ObjectKey, object: &Value) -> bool {
    match key.kind {
        Kind::EnvoyFilter => envoy_filter::is_ours(key, object),
        Kind::Sidecar => true,
        _ => marks::is_owned(object),
    }
}

/// Whether `object` may be deleted if nothing desires it.
pub fn is_disposable(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    let has_our_shape = match key.kind {
        Kind::ServiceEntry => has_host_shape(key, object, options),
        Kind::DestinationRule => {
            has_host_shape(key, object, options)
                || ingress::is_rule(key, object, options)
                || copy::is_copy(key, object, options)
        }
        Kind::VirtualService => {
            additional::has_our_shape(key, object, options)
                || ingress::has_our_shape(key, object, options)
                || copy::is_copy(key, object, options)
        }
        Kind::EnvoyFilter => key.namespace == options.routing.istio_namespace,
        _ => false,
    };
    is_ours(key, object) && has_our_shape && !is_frozen(key, object, options)
}

/// Whether `object` belongs to an excluded identity, whose objects stay as they are (reconcile-spec N8).
pub fn is_frozen(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    let identity = match key.kind {
        Kind::EnvoyFilter => envoy_filter::identity_of(object),
        _ => marks::annotation(object, &options.workload_identity_key).and_then(Value::as_str),
    };
    identity.is_some_and(|identity| is_excluded(identity, options))
        || observed::host(object).is_some_and(|host| is_host_excluded(host, options))
}

/// Whether an identity is excluded, whatever the case of its letters.
pub fn is_excluded(identity: &str, options: &MeshOptions) -> bool {
    options.excluded_identity_list.iter().any(|excluded| excluded.to_lowercase() == identity.to_lowercase())
}

/// Whether a host is one of an excluded identity.
pub fn is_host_excluded(host: &str, options: &MeshOptions) -> bool {
    let host = host.to_lowercase();
    options.excluded_identity_list.iter().any(|identity| {
        let tail = format!(".{identity}.{}", options.hostname_suffix).to_lowercase();
        host.ends_with(&tail)
    })
}

fn has_host_shape(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    let Some(host) = observed::host(object) else { return false };
    let named = match key.kind {
        Kind::ServiceEntry => key.name == names::entry(host),
        _ => key.name == names::rule(host) || key.name == names::prefixed_rule(host),
    };
    names::is_below_suffix(host, options) && named && key.namespace == options.sync_namespace
}
