//! Copies of customers' VirtualServices and DestinationRules in the sync namespaces of other clusters
//! (reconcile-spec 3.6.1), for those who ask for it.
//!
//! Invariant: a copy says where its original is, and follows it: whatever the original has, the copy has, but for
//! the names that mean something else where the copy is.

use serde_json::{Map, Value, json};

use crate::index::observed;
use crate::mesh::{ClusterId, Kind, MeshOptions, ObjectKey, marks};

/// Most characters of a copy's name.
const MAX_NAME: usize = 250;
/// Namespaces, besides Istio's and the sync namespace, whose objects are nobody's to copy.
const SYSTEM: &str = "kube-system";
/// How names of Services within a cluster end.
const LOCAL: &str = ".svc.cluster.local";
/// An annotation that is about the original's own manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether an original is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Yes; it is about this host.
    Copied(&'a str),
    /// No, as its owner wants it.
    Private,
    /// No, for a reason that its owner should know.
    Refused(String),
}

/// The copy of a customer's object; `None` if the object is none, or nothing is copied.
pub fn target(key: &ObjectKey, options: &MeshOptions) -> Option<ObjectKey> {
    let not_customers = [options.sync_namespace.as_str(), options.routing.istio_namespace.as_str(), SYSTEM];
    if !options.routing.copy_customer_routing || not_customers.contains(&key.namespace.as_str()) {
        return None;
    }
    let name = match key.kind {
        Kind::VirtualService => cut(&format!("{}-{}", key.namespace, key.name)).to_owned(),
        Kind::DestinationRule => key.name.clone(),
        _ => return None,
    };
    Some(ObjectKey::new(key.kind, &options.sync_namespace, name))
}

/// Whether an original is copied (reconcile-spec V1, V2).
pub fn judge<'a>(target: &ObjectKey, original: &'a Value, options: &MeshOptions) -> Verdict<'a> {
    let ignored = marks::annotation(original, marks::IGNORE).and_then(Value::as_str) == Some("true");
    let export_to = strings(original.pointer("/spec/exportTo"));
    if ignored || marks::is_owned(original) || !(export_to.is_empty() || export_to.contains(&"*")) {
        return Verdict::Private;
    }
    let host = match target.kind {
        Kind::DestinationRule => observed::text(original, "/spec/host"),
        _ => match strings(original.pointer("/spec/hosts")).as_slice() {
            [] => None,
            [host] => Some(*host),
            hosts => {
                return Verdict::Refused(format!(
                    "it has {} hosts, and only VirtualServices with one are copied; split it, or annotate it with {}: \
                     \"true\"",
                    hosts.len(),
                    marks::IGNORE
                ));
            }
        },
    };
    let Some(host) = host.filter(|host| !host.is_empty()) else { return Verdict::Private };
    if is_reserved(target, options) {
        return Verdict::Refused(format!(
            "its copy would be named {}, as a generated object is; rename it",
            target.name
        ));
    }
    Verdict::Copied(host)
}

/// The copy of an original. With `mesh_host` its local destinations lead to that host (reconcile-spec V4).
pub fn make(
    (cluster, key): (&ClusterId, &ObjectKey),
    original: &Value,
    target: &ObjectKey,
    mesh_host: Option<&str>,
    options: &MeshOptions,
) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".into(), json!(target.name));
    metadata.insert("namespace".into(), json!(target.namespace));
    for part in ["labels", "annotations"] {
        let present = original.pointer(&format!("/metadata/{part}")).and_then(Value::as_object);
        let mut kept = present.cloned().unwrap_or_default();
        kept.retain(|name, _| {
            !options.routing.not_copied.contains(name) && name != LAST_APPLIED && name != marks::EPOCH
        });
        if part == "annotations" {
            kept.insert(marks::CREATED_BY.into(), json!(marks::CREATED_BY_US));
            kept.insert(marks::COPIED_FROM.into(), json!(format!("{cluster}/{}/{}", key.namespace, key.name)));
        }
        if !kept.is_empty() {
            metadata.insert(part.into(), Value::Object(kept));
        }
    }
    let mut spec = original.get("spec").cloned().unwrap_or_default();
    match target.kind {
        Kind::DestinationRule => qualify(spec.get_mut("host"), &key.namespace),
        _ => translate(&mut spec, &key.namespace, mesh_host),
    }
    json!({
        "apiVersion": target.kind.api_version(), "kind": target.kind.name(),
        "metadata": metadata, "spec": spec,
    })
}

/// Whether an observed object is a copy that Flagship made.
pub fn is_copy(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    key.namespace == options.sync_namespace && marks::annotation(object, marks::COPIED_FROM).is_some()
}

/// Whether two copies are alike but for where they come from.
pub fn is_alike(a: &Value, b: &Value) -> bool {
    let without_origin = |copy: &Value| {
        let mut copy = copy.clone();
        if let Some(annotations) = copy.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
            annotations.remove(marks::COPIED_FROM);
        }
        copy
    };
    without_origin(a) == without_origin(b)
}

/// Whether a generated object may have this name.
fn is_reserved(target: &ObjectKey, options: &MeshOptions) -> bool {
    let ends = |suffix: &str, end: &str| target.name.ends_with(&format!(".{suffix}{end}").to_lowercase());
    match target.kind {
        Kind::DestinationRule => ["-default-dr", "-dr"].iter().any(|end| ends(&options.hostname_suffix, end)),
        _ => options.routing.additional_suffixes.iter().any(|suffix| ends(suffix, "-vs")),
    }
}

/// Names that mean something else in another namespace are written out; local destinations of a mesh host become it.
fn translate(spec: &mut Value, namespace: &str, mesh_host: Option<&str>) {
    for gateway in spec.get_mut("gateways").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(name) = gateway.as_str().filter(|name| *name != "mesh" && !name.contains('/')) {
            *gateway = json!(format!("{namespace}/{name}"));
        }
    }
    for protocol in ["http", "tls", "tcp"] {
        for route in spec.get_mut(protocol).and_then(Value::as_array_mut).into_iter().flatten() {
            lead(route.get_mut("mirror"), namespace, mesh_host);
            for branch in route.get_mut("route").and_then(Value::as_array_mut).into_iter().flatten() {
                lead(branch.get_mut("destination"), namespace, mesh_host);
            }
        }
    }
}

fn lead(destination: Option<&mut Value>, namespace: &str, mesh_host: Option<&str>) {
    let Some(destination) = destination else { return };
    qualify(destination.get_mut("host"), namespace);
    let is_local = observed::text(destination, "/host").is_some_and(|host| host.ends_with(LOCAL));
    if let Some(host) = mesh_host.filter(|_| is_local) {
        destination["host"] = json!(host);
        // A mesh host has one port.
        if let Some(number) = destination.pointer_mut("/port/number") {
            *number = json!(80);
        }
    }
}

/// A short name is that of a Service in the namespace of the object that says it.
fn qualify(host: Option<&mut Value>, namespace: &str) {
    let Some(host) = host else { return };
    if let Some(name) = host.as_str().filter(|name| !name.is_empty() && !name.contains(['.', '*'])) {
        *host = json!(format!("{name}.{namespace}{LOCAL}"));
    }
}

/// Cut to the length that Admiral allows, with a letter or digit at the end.
fn cut(name: &str) -> &str {
    let end = name.char_indices().nth(MAX_NAME).map_or(name.len(), |(at, _)| at);
    name.get(..end).unwrap_or(name).trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::MeshSettings;

    #[test]
    fn names_of_copies() {
        let mut settings = MeshSettings::default();
        let of = |kind, namespace: &str, name: &str, settings: &MeshSettings| {
            let options = MeshOptions::new(settings.clone()).unwrap();
            target(&ObjectKey::new(kind, namespace, name), &options).map(|key| key.name)
        };
        assert_eq!(of(Kind::VirtualService, "ns", "vs", &settings), None, "nobody asked for it");
        settings.routing.copy_customer_routing = true;
        assert_eq!(of(Kind::VirtualService, "ns", "vs", &settings).as_deref(), Some("ns-vs"));
        assert_eq!(of(Kind::DestinationRule, "ns", "dr", &settings).as_deref(), Some("dr"));
        for namespace in ["istio-system", "kube-system", "admiral-sync"] {
            assert_eq!(of(Kind::VirtualService, namespace, "vs", &settings), None);
        }
        assert_eq!(of(Kind::ServiceEntry, "ns", "se", &settings), None);
        // The 250th character would be a dot.
        let long = format!("{}.{}", "a".repeat(246), "b".repeat(6));
        assert_eq!(of(Kind::VirtualService, "ns", &long, &settings), Some(format!("ns-{}", "a".repeat(246))));
    }

    #[test]
    fn an_original_is_private_reserved_or_copied() {
        let mut settings = MeshSettings::default();
        settings.routing.additional_suffixes = vec!["intuit".into()];
        let options = MeshOptions::new(settings).unwrap();
        let judged = |kind, name: &str, spec: Value, annotations: Value| {
            let original = json!({"metadata": {"annotations": annotations}, "spec": spec});
            match judge(&ObjectKey::new(kind, "admiral-sync", name), &original, &options) {
                Verdict::Copied(host) => host.to_owned(),
                other => format!("{other:?}").split('(').next().unwrap_or_default().to_owned(),
            }
        };
        let (rule, service) = (Kind::DestinationRule, Kind::VirtualService);
        let none = || json!({});
        assert_eq!(judged(service, "n", json!({"hosts": ["h"]}), none()), "h");
        assert_eq!(judged(service, "n", json!({"hosts": ["h"], "exportTo": ["x", "*"]}), none()), "h");
        assert_eq!(judged(rule, "n", json!({"host": "h"}), none()), "h");
        assert_eq!(judged(rule, "n", json!({"host": "h", "exportTo": ["x"]}), none()), "Private");
        assert_eq!(judged(rule, "n", json!({"host": "h"}), json!({"admiral.io/ignore": "true"})), "Private");
        assert_eq!(judged(rule, "n", json!({"host": "h"}), json!({marks::CREATED_BY: "admiral"})), "Private");
        assert_eq!(judged(service, "n", json!({"hosts": []}), none()), "Private");
        assert_eq!(judged(rule, "n", json!({}), none()), "Private");
        assert_eq!(judged(service, "n", json!({"hosts": ["a", "b"]}), none()), "Refused");
        assert_eq!(judged(rule, "west.stage.a.global-dr", json!({"host": "h"}), none()), "Refused");
        assert_eq!(judged(service, "ns-stage.a.intuit-vs", json!({"hosts": ["h"]}), none()), "Refused");
    }
}
