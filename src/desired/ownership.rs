//! Which observed objects are ours: to bring up to date, and to delete when nothing desires them any more.
//!
//! Invariant: what is deleted carries the mark of ownership *and* has exactly the shape of what a generator makes.
//! Others that carry Admiral's mark, such as its copies of customers' objects, are left alone.

use serde_json::Value;

use super::{additional, copy, envoy_filter, event, ingress, names};
use crate::index::observed;
use crate::mesh::{Kind, MeshOptions, ObjectKey, Suspensions, marks};

/// Whether `object` may be brought up to date. A Sidecar is its owner's; what is desired of it already is a merge.
pub fn is_ours(key: &ObjectKey, object: &Value) -> bool {
    match key.kind {
        Kind::EnvoyFilter => envoy_filter::is_ours(key, object),
        Kind::Sidecar => true,
        _ => marks::is_owned(object),
    }
}

/// Whether `object` may be deleted if nothing desires it.
pub fn is_disposable(key: &ObjectKey, object: &Value, options: &MeshOptions, suspensions: &Suspensions) -> bool {
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
        Kind::Event => event::has_our_shape(object),
        Kind::EnvoyFilter => key.namespace == options.routing.istio_namespace,
        _ => false,
    };
    is_ours(key, object) && has_our_shape && !is_frozen(key, object, options, suspensions)
}

/// Whether `object` belongs to a suspended identity, whose objects stay as they are (reconcile-spec N8, 6.3).
/// Objects that do not tell their env stay if their identity is suspended in any.
pub fn is_frozen(key: &ObjectKey, object: &Value, options: &MeshOptions, suspensions: &Suspensions) -> bool {
    let identity = match key.kind {
        Kind::EnvoyFilter => envoy_filter::identity_of(object),
        _ => marks::annotation(object, &options.workload_identity_key).and_then(Value::as_str),
    };
    let env = || object.get("metadata")?.get("labels")?.get(&options.env_key)?.as_str();
    identity.is_some_and(|identity| suspensions.keeps(identity, env()))
        || observed::host(object).is_some_and(|host| suspensions.keeps_host(host, &options.hostname_suffix))
        || suspensions.is_all()
}

fn has_host_shape(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    let Some(host) = observed::host(object) else { return false };
    let named = match key.kind {
        Kind::ServiceEntry => key.name == names::entry(host),
        _ => key.name == names::rule(host) || key.name == names::prefixed_rule(host),
    };
    names::is_below_suffix(host, options) && named && key.namespace == options.sync_namespace
}
