//! Objects that Admiral made from resources which Flagship does not read yet. Rewriting or deleting them would
//! take traffic away from whoever relies on them, so they stay as they are and people are told.

use serde_json::Value;

use crate::desired::{HostRole, names};
use crate::index::{State, observed};
use crate::mesh::{Kind, MeshOptions, ObjectKey, marks};

/// What an owned object was made from that Flagship does not know; `None` if it may be planned.
pub(super) fn made_from(key: &ObjectKey, object: &Value, state: &State, options: &MeshOptions) -> Option<&'static str> {
    if key.namespace != options.sync_namespace || marks::annotation(object, marks::COPIED_FROM).is_some() {
        return None;
    }
    match key.kind {
        Kind::ServiceEntry => entry_made_from(object),
        Kind::DestinationRule if object.pointer("/spec/trafficPolicy/loadBalancer/localityLbSetting").is_some() => {
            Some("a GlobalTrafficPolicy or Admiral's active/passive default")
        }
        Kind::DestinationRule => {
            let entry = state.observed(&entry_key(observed::host(object)?, options))?;
            entry_made_from(&entry).filter(|_| marks::is_owned(&entry))
        }
        _ => None,
    }
}

fn entry_made_from(entry: &Value) -> Option<&'static str> {
    // The prefix of a canary host is its own.
    let is_policy = |name: &&str| {
        let value = marks::annotation(entry, name).and_then(Value::as_str);
        value.is_some_and(|value| *name != "dns-prefix" || value != HostRole::Canary.prefix())
    };
    marks::POLICY_ANNOTATIONS.iter().any(is_policy).then_some("a GlobalTrafficPolicy")
}

fn entry_key(host: &str, options: &MeshOptions) -> ObjectKey {
    ObjectKey::new(Kind::ServiceEntry, options.sync_namespace.clone(), names::entry(host))
}
