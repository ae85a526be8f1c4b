//! Observed objects: their keys, and what of them is kept.

use serde_json::Value;

use crate::mesh::{Kind, NamespaceScope, ObjectKey};

/// An annotation of kubectl that holds the whole object once more.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The key of an object of `kind`.
pub fn key_of(kind: Kind, object: &Value) -> ObjectKey {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let namespace = match kind.namespace_scope() {
        NamespaceScope::ClusterScoped => "",
        _ => text("/metadata/namespace"),
    };
    ObjectKey::new(kind, namespace, text("/metadata/name"))
}

/// Removes what Flagship has no use for. Of kinds that it writes back, all that a PUT must repeat stays.
pub fn prune(kind: Kind, object: &mut Value) {
    let written = matches!(
        kind,
        Kind::ConfigMap
            | Kind::ServiceEntry
            | Kind::DestinationRule
            | Kind::VirtualService
            | Kind::Sidecar
            | Kind::EnvoyFilter
    );
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
        if !written && let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    if let Some(fields) = object.as_object_mut()
        && !kind.is_told_by_status()
        && let Some(status) = fields.remove("status")
        && kind == Kind::Service
        && let Some(load_balancer) = status.get("loadBalancer")
    {
        fields.insert("status".to_owned(), serde_json::json!({ "loadBalancer": load_balancer }));
    }
    if matches!(kind, Kind::Deployment | Kind::Rollout | Kind::Job)
        && let Some(template) = object.pointer_mut("/spec/template").and_then(Value::as_object_mut)
    {
        template.remove("spec");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_used_is_kept() {
        let mut service = json!({
            "metadata": { "name": "s", "managedFields": [1], "annotations": { LAST_APPLIED: "x", "a": "b" } },
            "status": { "loadBalancer": { "ingress": [] }, "conditions": [] },
        });
        prune(Kind::Service, &mut service);
        let expected = json!({
            "metadata": { "name": "s", "annotations": { "a": "b" } },
            "status": { "loadBalancer": { "ingress": [] } },
        });
        assert_eq!(service, expected);

        let mut deployment = json!({ "spec": { "template": { "metadata": {}, "spec": {} } }, "status": {} });
        prune(Kind::Deployment, &mut deployment);
        assert_eq!(deployment, json!({ "spec": { "template": { "metadata": {} } } }));
    }

    /// A client's Sidecar is written back with more hosts: whoever applied it goes on applying it.
    #[test]
    fn what_is_written_back_keeps_foreign_annotations() {
        for kind in [Kind::ServiceEntry, Kind::Sidecar, Kind::VirtualService] {
            let mut object = json!({ "metadata": { "annotations": { LAST_APPLIED: "x" } }, "status": {} });
            prune(kind, &mut object);
            assert_eq!(object, json!({ "metadata": { "annotations": { LAST_APPLIED: "x" } } }), "{kind:?}");
        }
    }
}
