//! Compares meshes as `compare.py --any-address` does, with which the cases were made: bookkeeping metadata,
//! the order of endpoints, Flagship's own annotations and in-cluster objects are left out; addresses need only
//! be one-to-one with hosts and equal in all clusters.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use serde_json::Value;

/// Fields of metadata that only API servers set.
const DROPPED: [&str; 6] = ["uid", "resourceVersion", "generation", "managedFields", "creationTimestamp", "selfLink"];

/// Cluster -> its objects.
pub type Mesh = BTreeMap<String, Vec<Value>>;

/// What differs, in words; empty if nothing does.
pub fn differences(want: &Mesh, got: &Mesh) -> Vec<String> {
    let (want, _) = load(want);
    let (got, mut found) = load(got);
    let mut keys: Vec<_> = want.keys().chain(got.keys()).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        match (want.get(key), got.get(key)) {
            (Some(_), None) => found.push(format!("MISSING {key:?}")),
            (None, Some(_)) => found.push(format!("UNEXPECTED {key:?}")),
            (Some(want), Some(got)) if want != got => {
                found.push(format!("DIFFERS {key:?}\n  want {want}\n  got  {got}"));
            }
            _ => {}
        }
    }
    found
}

type Key = (String, String, String, String);

fn load(mesh: &Mesh) -> (BTreeMap<Key, Value>, Vec<String>) {
    let mut objects = BTreeMap::new();
    let mut addresses = BTreeMap::<String, Value>::new();
    let mut bad = Vec::new();
    for (cluster, object) in mesh.iter().flat_map(|(cluster, objects)| objects.iter().map(move |o| (cluster, o))) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        if name.contains("incluster") || kind == "ConfigMap" {
            continue;
        }
        let mut object = stripped(object);
        if kind == "ServiceEntry" {
            let address = object["spec"].as_object_mut().and_then(|s| s.remove("addresses")).unwrap_or(Value::Null);
            for host in object["spec"]["hosts"].as_array().into_iter().flatten() {
                let before = addresses.entry(text(host)).or_insert_with(|| address.clone());
                if *before != address {
                    bad.push(format!("ADDRESS of {host}: {before} and {address}"));
                }
            }
            if let Some(endpoints) = object["spec"].get_mut("endpoints").and_then(Value::as_array_mut) {
                endpoints.sort_by_cached_key(Value::to_string);
            }
        }
        let namespace = text(&object["metadata"]["namespace"]);
        objects.insert((cluster.clone(), kind, namespace, name), object);
    }
    let mut used: Vec<_> = addresses.values().filter(|a| !a.is_null()).map(Value::to_string).collect();
    used.sort();
    if used.windows(2).any(|pair| pair[0] == pair[1]) {
        bad.push("ADDRESS given to two hosts".to_owned());
    }
    (objects, bad)
}

fn stripped(object: &Value) -> Value {
    let mut object = object.clone();
    let fields = object.as_object_mut().expect("an object");
    fields.remove("status");
    fields.remove("apiVersion");
    let metadata = fields["metadata"].as_object_mut().expect("metadata");
    metadata.retain(|name, _| !DROPPED.contains(&name.as_str()));
    for part in ["annotations", "labels"] {
        if let Some(map) = metadata.get_mut(part).and_then(Value::as_object_mut) {
            map.retain(|name, _| !name.contains("flagship"));
        }
    }
    cleaned(&object)
}

fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().map(|(k, v)| (k.clone(), cleaned(v))).filter(|(_, v)| !is_empty(v)).collect()
        }
        Value::Array(items) => items.iter().map(cleaned).collect(),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.as_str().is_some_and(str::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
        || value.as_object().is_some_and(serde_json::Map::is_empty)
}
