//! ServiceEntries (reconcile-spec 3.2).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Placement, object};
use crate::mesh::{Kind, ObjectKey, marks};

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
    // The port that the mesh uses, always number 80 (reconcile-spec P4), and what else is offered.
    let first = json!({"name": protocol, "number": 80, "protocol": protocol});
    let further = service.further_ports.iter();
    let further =
        further.map(|port| json!({"name": port.name(), "number": port.number, "protocol": port.protocol.as_str()}));
    spec.insert("ports".into(), std::iter::once(first).chain(further).collect());
    spec.insert("endpoints".into(), json!(endpoints));
    if let Some(address) = placement.address {
        spec.insert("addresses".into(), json!([address]));
    }
    if options.entry.subject_alt_names {
        let trust_domain = options.entry.san_prefix.as_str();
        let slash = if trust_domain.is_empty() { "" } else { "/" };
        spec.insert("subjectAltNames".into(), json!([format!("spiffe://{trust_domain}{slash}{}", service.identity)]));
    }
    if !placement.export_to.is_empty() {
        spec.insert("exportTo".into(), json!(placement.export_to));
    }
    let labels = BTreeMap::from([(options.env_key.as_str(), service.env.as_str())]);
    let mut annotations = BTreeMap::from([(options.workload_identity_key.as_str(), service.identity.as_str())]);
    if let Some(policy) = &service.policy.governed_by {
        annotations.insert(marks::ASSOCIATED_POLICY, policy.name.name.as_str());
    }
    if let Some(prefix) = &service.policy.dns_prefix {
        annotations.insert(marks::DNS_PREFIX, prefix);
    }
    let object = object(&key, labels, annotations, ("spec", Value::Object(spec)));
    (key, object)
}
