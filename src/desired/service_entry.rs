//! ServiceEntries (reconcile-spec 3.2).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{HostRole, Placement, object};
use crate::mesh::{Kind, ObjectKey};

/// The ServiceEntry of a placement.
pub fn generate(placement: &Placement<'_>) -> (ObjectKey, Value) {
    let (options, service) = (placement.options, placement.service);
    let key = ObjectKey::new(Kind::ServiceEntry, &options.sync_namespace, service.entry_name());
    let protocol = service.protocol.as_str();
    let endpoints: Vec<&Value> = placement.endpoints.iter().map(|endpoint| &endpoint.value).collect();

    let mut spec = Map::new();
    spec.insert("hosts".into(), json!([service.host]));
    spec.insert("location".into(), json!("MESH_INTERNAL"));
    spec.insert("resolution".into(), json!("DNS"));
    // One port, always number 80 (reconcile-spec P4).
    spec.insert("ports".into(), json!([{"name": protocol, "number": 80, "protocol": protocol}]));
    spec.insert("endpoints".into(), json!(endpoints));
    if let Some(address) = placement.address {
        spec.insert("addresses".into(), json!([address]));
    }
    let labels = BTreeMap::from([(options.env_key.as_str(), service.env.as_str())]);
    let mut annotations = BTreeMap::from([(options.workload_identity_key.as_str(), service.identity.as_str())]);
    if service.role == HostRole::Canary {
        annotations.insert("dns-prefix", HostRole::Canary.prefix());
    }
    let object = object(&key, labels, annotations, ("spec", Value::Object(spec)));
    (key, object)
}
