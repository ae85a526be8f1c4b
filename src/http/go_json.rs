//! Kubernetes objects written in the order of Go's structs, as Admiral's clients know them.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

/// A ServiceEntry that serializes as Admiral's API does: known fields in the order of the Go types, all others
/// after them by name, `creationTimestamp` and `status` always there.
pub struct ServiceEntry<'a>(pub &'a Value);

/// A GlobalTrafficPolicy that serializes as Admiral's API does: without its kind, without zeros in its entries,
/// with a status that nobody sets.
pub struct GlobalTrafficPolicy<'a>(pub &'a Value);

/// Which keys come first, and the shapes of what is under them.
struct Shape {
    order: &'static [&'static str],
    children: &'static [(&'static str, &'static Shape)],
    /// Keys that are written even when absent, with their value.
    always: &'static [(&'static str, Absent)],
}

#[derive(Clone, Copy)]
enum Absent {
    Null,
    EmptyObject,
}

const PLAIN: Shape = Shape { order: &[], children: &[], always: &[] };

const METADATA: Shape = Shape {
    order: &[
        "name",
        "generateName",
        "namespace",
        "selfLink",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "labels",
        "annotations",
        "ownerReferences",
        "finalizers",
        "managedFields",
    ],
    children: &[],
    always: &[("creationTimestamp", Absent::Null)],
};

const PORT: Shape = Shape { order: &["number", "protocol", "name", "targetPort"], children: &[], always: &[] };

const ENDPOINT: Shape = Shape {
    order: &["address", "ports", "labels", "network", "locality", "weight", "serviceAccount"],
    children: &[],
    always: &[],
};

const SPEC: Shape = Shape {
    order: &[
        "hosts",
        "addresses",
        "ports",
        "location",
        "resolution",
        "endpoints",
        "workloadSelector",
        "exportTo",
        "subjectAltNames",
    ],
    children: &[("ports", &PORT), ("endpoints", &ENDPOINT)],
    always: &[],
};

const OBJECT: Shape = Shape {
    order: &["kind", "apiVersion", "metadata", "spec", "status"],
    children: &[("metadata", &METADATA), ("spec", &SPEC)],
    always: &[("status", Absent::EmptyObject)],
};

const ENTRY: Shape = Shape {
    order: &["dns", "lbType", "target", "dnsPrefix", "outlier_detection"],
    children: &[("target", &TARGET), ("outlier_detection", &EJECTION)],
    always: &[],
};

const TARGET: Shape = Shape { order: &["region", "weight"], children: &[], always: &[] };

const EJECTION: Shape =
    Shape { order: &["base_ejection_time", "consecutive_gateway_errors", "interval"], children: &[], always: &[] };

const POLICY: Shape = Shape { order: &["policy", "selector"], children: &[("policy", &ENTRY)], always: &[] };

const POLICY_OBJECT: Shape = Shape {
    order: &["metadata", "spec", "status"],
    children: &[("metadata", &METADATA), ("spec", &POLICY)],
    always: &[("metadata", Absent::EmptyObject), ("spec", Absent::EmptyObject)],
};

impl Serialize for GlobalTrafficPolicy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = self.0.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.retain(|key, _| key != "kind" && key != "apiVersion");
            if let Some(spec) = fields.get_mut("spec") {
                drop_zeros(spec);
            }
            fields.insert("status".into(), serde_json::json!({"clustersSynced": 0, "state": ""}));
        }
        Shaped(&object, &POLICY_OBJECT).serialize(serializer)
    }
}

/// What Go's `omitempty` leaves out.
fn drop_zeros(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(drop_zeros),
        Value::Object(fields) => {
            fields.values_mut().for_each(drop_zeros);
            fields.retain(|_, value| match value {
                Value::Null => false,
                Value::Bool(is_set) => *is_set,
                Value::Number(number) => number.as_f64() != Some(0.0),
                Value::String(text) => !text.is_empty(),
                Value::Array(items) => !items.is_empty(),
                Value::Object(_) => true,
            });
        }
        _ => {}
    }
}

impl Serialize for ServiceEntry<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Shaped(self.0, &OBJECT).serialize(serializer)
    }
}

struct Shaped<'a>(&'a Value, &'a Shape);

impl Serialize for Shaped<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(fields) => object(fields, self.1, serializer),
            Value::Array(items) => {
                let mut seq = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(&Self(item, self.1))?;
                }
                seq.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

fn object<S: Serializer>(fields: &Map<String, Value>, shape: &Shape, serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for key in shape.order {
        if let Some(value) = fields.get(*key) {
            map.serialize_entry(key, &Shaped(value, shape.child(key)))?;
        } else if let Some((_, absent)) = shape.always.iter().find(|(name, _)| name == key) {
            map.serialize_entry(key, &absent.value())?;
        }
    }
    for (key, value) in fields.iter().filter(|(key, _)| !shape.order.contains(&key.as_str())) {
        map.serialize_entry(key, &Shaped(value, &PLAIN))?;
    }
    map.end()
}

impl Shape {
    fn child(&self, key: &str) -> &'static Self {
        self.children.iter().find(|(name, _)| *name == key).map_or(&PLAIN, |(_, shape)| shape)
    }
}

impl Absent {
    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::EmptyObject => Value::Object(Map::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of reconcile-spec section 4.
    #[test]
    fn a_traffic_policy_is_written_as_admiral_writes_it() {
        let object = serde_json::json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy",
            "metadata": {"labels": {"identity": "greeting", "admiral.io/env": "stage"}, "namespace": "sample", "name": "gtp1"},
            "spec": {"policy": [{"outlier_detection": {"base_ejection_time": 90, "interval": 0}, "dnsPrefix": "default",
                "lbType": 1, "target": [{"weight": 70, "region": "us-west-2"}, {"weight": 30, "region": "us-east-2"}]},
                {"dnsPrefix": "west", "lbType": 0, "target": []}]}});
        assert_eq!(
            serde_json::to_string(&GlobalTrafficPolicy(&object)).unwrap(),
            concat!(
                r#"{"metadata":{"name":"gtp1","namespace":"sample","creationTimestamp":null,"labels":{"admiral.io/env":"#,
                r#""stage","identity":"greeting"}},"spec":{"policy":[{"lbType":1,"target":[{"region":"us-west-2","weight":"#,
                r#"70},{"region":"us-east-2","weight":30}],"dnsPrefix":"default","outlier_detection":{"base_ejection_time":"#,
                r#"90}},{"dnsPrefix":"west"}]},"status":{"clustersSynced":0,"state":""}}"#
            )
        );
    }

    #[test]
    fn unknown_fields_survive_after_the_known_ones() {
        let object =
            serde_json::json!({"spec": {"zeta": 1, "hosts": ["h"], "alpha": {"b": 1, "a": 2}}, "metadata": {}});
        assert_eq!(
            serde_json::to_string(&ServiceEntry(&object)).unwrap(),
            r#"{"metadata":{"creationTimestamp":null},"spec":{"hosts":["h"],"alpha":{"a":2,"b":1},"zeta":1},"status":{}}"#
        );
    }
}
