//! Egress hosts in customers' Sidecars: a client's proxies may reach the Services of their own cluster that their
//! identity calls (reconcile-spec 3.7).
//!
//! Invariant: nothing of the Sidecar changes but the hosts of its first egress listener and the one annotation in
//! which Flagship remembers which of them it added; only those does it ever take out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::shared::Asked;
use super::wanted::{Identity, Wanted};
use crate::mesh::{Kind, MeshOptions, ObjectKey, marks};

/// Asks, for every client of the identity, for the hosts of the clusters that both are in.
pub fn generate(identity: &Identity<'_>, wanted: &mut Wanted) {
    let (index, options) = (identity.index, identity.index.options());
    if !options.routing.sidecar_update {
        return;
    }
    for service in identity.services {
        for (cluster, namespace) in index.client_namespaces(&service.identity) {
            let Some(source) = service.sources.get(&cluster) else { continue };
            let key = ObjectKey::new(Kind::Sidecar, namespace, &options.routing.sidecar_name);
            for host in local_hosts(source) {
                wanted.ask(&cluster, key.clone(), host);
            }
        }
    }
}

/// `observed` with the hosts that are asked for, or `None` if it has nothing to do with us. Hosts that Flagship
/// added and nobody asks for go, if `may_remove` says so of the identity that they lead to.
pub fn merged(observed: &Value, asked: &Asked, may_remove: impl Fn(&str) -> bool) -> Option<Value> {
    let present = observed.pointer("/spec/egress/0/hosts").and_then(Value::as_array)?;
    let is_ignored = marks::annotation(observed, marks::IGNORE).and_then(Value::as_str) == Some("true");
    let recorded = recorded(observed);
    if is_ignored || (asked.is_empty() && recorded.is_empty()) {
        return None;
    }
    let kept = |host: &str| match recorded.get(host) {
        Some(identity) => asked.contains_key(host) || !may_remove(identity),
        None => true,
    };
    let mut hosts: Vec<&str> = present.iter().filter_map(Value::as_str).filter(|host| kept(host)).collect();
    let mut record = BTreeMap::<&str, &str>::new();
    for (host, identity) in &recorded {
        if hosts.contains(&host.as_str()) {
            record.insert(host, asked.get(host).and_then(|by| by.first()).unwrap_or(identity));
        }
    }
    for (host, by) in asked {
        if !hosts.contains(&host.as_str()) {
            hosts.push(host);
            record.insert(host, by.first().map_or("", String::as_str));
        }
    }
    let mut object = without_bookkeeping(observed);
    object["spec"]["egress"][0]["hosts"] = json!(hosts);
    let annotations = object["metadata"].as_object_mut()?.entry("annotations").or_insert_with(|| json!({}));
    let annotations = annotations.as_object_mut()?;
    annotations.remove(marks::EGRESS_HOSTS);
    if !record.is_empty() {
        annotations.insert(marks::EGRESS_HOSTS.to_owned(), Value::String(json!(record).to_string()));
    }
    Some(object)
}

/// Whether a Sidecar may be added to at all.
pub fn key_is_ours(key: &ObjectKey, options: &MeshOptions) -> bool {
    key.kind == Kind::Sidecar && key.name == options.routing.sidecar_name
}

/// The hosts that Flagship added, each with the identity that it leads to. A record that cannot be read is empty:
/// then nothing is taken out.
fn recorded(observed: &Value) -> BTreeMap<String, String> {
    let text = marks::annotation(observed, marks::EGRESS_HOSTS).and_then(Value::as_str);
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

fn local_hosts(source: &super::Source) -> Vec<String> {
    source.locals.iter().map(|local| format!("{}/{}", local.namespace, local.host())).collect()
}

fn without_bookkeeping(observed: &Value) -> Value {
    let mut object = observed.clone();
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        let dropped = ["uid", "resourceVersion", "generation", "creationTimestamp", "selfLink"];
        dropped.iter().for_each(|name| drop(metadata.remove(*name)));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(marks::EPOCH);
        }
    }
    object
}
