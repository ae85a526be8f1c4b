//! Whether an observed object is as desired, and what it must become if not.
//!
//! Invariant: the comparison looks at meaning. Absent, `null` and empty are the same; order counts only where
//! Istio gives it a meaning; labels and annotations of others are theirs.

use serde_json::{Map, Value};

use crate::mesh::{BODIES, MeshOptions, marks};

/// Whether nothing need be written.
pub fn is_as_desired(desired: &Value, observed: &Value, options: &MeshOptions) -> bool {
    let is_ours = |part: &str, key: &str| is_ours(desired, part, key, options);
    ["labels", "annotations"].iter().all(|part| {
        let (wanted, present) = (map(desired, part), map(observed, part));
        wanted.iter().all(|(key, value)| present.get(key) == Some(value))
            && present.keys().all(|key| wanted.contains_key(key) || !is_ours(part, key))
    }) && BODIES.iter().all(|body| normal(desired.get(body)) == normal(observed.get(body)))
}

/// `desired` with what others have put on the observed object: labels, annotations, finalizers and owners.
pub fn merged(desired: &Value, observed: &Value, options: &MeshOptions) -> Value {
    let mut object = desired.clone();
    for part in ["labels", "annotations"] {
        let mut merged = map(observed, part);
        merged.retain(|key, _| !is_ours(desired, part, key, options));
        merged.extend(map(desired, part));
        if !merged.is_empty() {
            object["metadata"][part] = Value::Object(merged);
        }
    }
    for part in ["finalizers", "ownerReferences"] {
        if let Some(value) = observed.pointer(&format!("/metadata/{part}")).filter(|value| !is_empty(value)) {
            object["metadata"][part] = value.clone();
        }
    }
    object
}

/// The observed uid and resourceVersion.
pub fn version(observed: &Value) -> (Option<String>, String) {
    let text = |name: &str| observed.pointer(&format!("/metadata/{name}")).and_then(Value::as_str).map(str::to_owned);
    (text("uid"), text("resourceVersion").unwrap_or_default())
}

fn map(object: &Value, part: &str) -> Map<String, Value> {
    object.pointer(&format!("/metadata/{part}")).and_then(Value::as_object).cloned().unwrap_or_default()
}

/// Whether the label or annotation is one that Admiral or Flagship sets on generated objects; all of a copy's are.
/// The epoch is the gate's and never a difference.
fn is_ours(desired: &Value, part: &str, key: &str, options: &MeshOptions) -> bool {
    if marks::annotation(desired, marks::COPIED_FROM).is_some() {
        return key != marks::EPOCH;
    }
    match part {
        "labels" => key == options.env_key || key == marks::MANAGED,
        _ => {
            let names = [marks::CREATED_BY, marks::EGRESS_HOSTS, &options.workload_identity_key];
            names.contains(&key) || marks::POLICY_ANNOTATIONS.contains(&key)
        }
    }
}

/// Without empty parts, and sorted where order means nothing.
fn normal(value: Option<&Value>) -> Value {
    let mut value = value.map(cleaned).filter(|value| !is_empty(value)).unwrap_or_default();
    for list in ["endpoints", "hosts", "exportTo", "addresses"] {
        if let Some(Value::Array(items)) = value.get_mut(list) {
            items.sort_by_cached_key(Value::to_string);
        }
    }
    value
}

fn cleaned(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), cleaned(value)));
            Value::Object(fields.filter(|(_, value)| !is_empty(value)).collect())
        }
        Value::Array(items) => items.iter().map(cleaned).collect(),
        other => other.clone(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry() -> Value {
        json!({"metadata": {"labels": {"admiral.io/env": "e"}, "annotations": {"identity": "i", marks::CREATED_BY: "admiral"}},
            "spec": {"hosts": ["h"], "endpoints": [{"address": "a"}, {"address": "b"}], "ports": [{"number": 80}]}})
    }

    fn is_same(change: impl FnOnce(&mut Value)) -> bool {
        let mut observed = entry();
        change(&mut observed);
        is_as_desired(&entry(), &observed, &MeshOptions::default())
    }

    #[test]
    fn meaning_is_compared() {
        assert!(is_same(|_| ()));
        assert!(is_same(
            |o| o["spec"]["endpoints"] = json!([{"address": "b", "labels": {}}, {"address": "a", "x": null}])
        ));
        assert!(is_same(|o| o["spec"]["exportTo"] = json!([])));
        assert!(is_same(|o| o["metadata"]["labels"]["team"] = json!("x")));
        assert!(is_same(|o| o["metadata"]["annotations"][marks::EPOCH] = json!("7")));
        assert!(!is_same(|o| o["spec"]["endpoints"][0]["address"] = json!("c")));
        assert!(!is_same(|o| o["spec"]["exportTo"] = json!(["*"])));
        assert!(!is_same(|o| o["spec"]["ports"][0]["number"] = json!(0)));
        assert!(!is_same(|o| o["metadata"]["labels"] = json!({})));
        assert!(!is_same(|o| o["metadata"]["annotations"]["associated-gtp"] = json!("g")), "ours, no longer wanted");
    }

    #[test]
    fn what_others_put_on_an_object_survives() {
        let mut observed = entry();
        observed["metadata"]["labels"]["team"] = json!("x");
        observed["metadata"]["annotations"]["dns-prefix"] = json!("west");
        observed["metadata"]["annotations"][marks::EPOCH] = json!("7");
        observed["metadata"]["finalizers"] = json!(["f"]);
        observed["metadata"]["resourceVersion"] = json!("5");
        observed["spec"]["extra"] = json!(1);
        let object = merged(&entry(), &observed, &MeshOptions::default());
        assert_eq!(object["metadata"]["labels"], json!({"admiral.io/env": "e", "team": "x"}));
        assert_eq!(
            object["metadata"]["annotations"],
            json!({"identity": "i", marks::CREATED_BY: "admiral", marks::EPOCH: "7"})
        );
        assert_eq!(object["metadata"]["finalizers"], json!(["f"]));
        assert_eq!(object["metadata"].get("resourceVersion"), None);
        assert_eq!(object["spec"], entry()["spec"]);
        assert_eq!(version(&observed), (None, "5".to_owned()));
    }
}
