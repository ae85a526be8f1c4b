//! Kubernetes objects written in the order of Go's structs, as Admiral's clients know them.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

/// A ServiceEntry that serializes as Admiral's API does: known fields in the order of the Go types, all others
/// after them by name, `creationTimestamp` and `status` always there.
pub struct ServiceEntry<'a>(pub &'a Value);

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
