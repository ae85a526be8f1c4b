//! An API server of one cluster, as far as the planner can tell.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use flagship::mesh::{Change, Op};
use serde_json::{Value, json};

/// Objects by kind, namespace and name.
#[derive(Default)]
pub struct Api {
    pub objects: BTreeMap<(String, String, String), Value>,
    version: u64,
}

/// What happened to an object.
pub enum Event {
    Applied(Value),
    Deleted(Value),
}

impl Api {
    /// A user's `kubectl create` or `replace`; `created` is the time of creation, unless the object has one.
    pub fn put(&mut self, mut object: Value, created: &str) -> Event {
        let key = key(&object);
        self.version += 1;
        let old = self.objects.get(&key);
        let kept = |name: &str| old.and_then(|old| old["metadata"].get(name)).cloned();
        let (uid, since) = (kept("uid"), kept("creationTimestamp"));
        let metadata = &mut object["metadata"];
        metadata["uid"] = uid.unwrap_or_else(|| json!(format!("uid-{}", self.version)));
        metadata["resourceVersion"] = json!(self.version.to_string());
        if let Some(since) = since {
            metadata["creationTimestamp"] = since;
        } else if metadata.get("creationTimestamp").is_none() {
            metadata["creationTimestamp"] = json!(created);
        }
        self.objects.insert(key, object.clone());
        Event::Applied(object)
    }

    /// A user's `kubectl delete`.
    pub fn remove(&mut self, object: &Value) -> Event {
        Event::Deleted(self.objects.remove(&key(object)).expect("the object exists"))
    }

    /// A change of the planner's, with its preconditions checked.
    pub fn execute(&mut self, change: &Change, created: &str) -> Event {
        let key = (change.key.kind.name().to_owned(), change.key.namespace.clone(), change.key.name.clone());
        let present = self.objects.get(&key).cloned();
        let check = |expected: &str, expected_uid: &Option<String>| {
            let present = present.as_ref().expect("the object exists");
            assert_eq!(present["metadata"]["resourceVersion"], expected, "{}", change.key);
            assert_eq!(present["metadata"]["uid"].as_str(), expected_uid.as_deref(), "{}", change.key);
        };
        match &change.op {
            Op::Create { object } => {
                assert!(present.is_none(), "{} exists", change.key);
                assert_eq!(self::key(object), key);
                self.put(object.clone(), created)
            }
            Op::Update { object, uid, resource_version } => {
                check(resource_version, uid);
                assert_eq!(self::key(object), key);
                self.put(object.clone(), created)
            }
            Op::Delete { uid, resource_version, .. } => {
                check(resource_version, uid);
                self.remove(&present.expect("checked above"))
            }
        }
    }

    /// The objects of Istio's networking group.
    pub fn istio_objects(&self) -> impl Iterator<Item = &Value> {
        self.objects
            .values()
            .filter(|o| o["apiVersion"].as_str().is_some_and(|v| v.starts_with("networking.istio.io/")))
    }
}

fn key(object: &Value) -> (String, String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]))
}
