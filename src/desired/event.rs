//! Kubernetes Events: what keeps an object from having an effect, told beside the object.
//!
//! Invariant: name and content follow from the condition and the object that it concerns, so that every instance asks
//! for the same Events and nothing is told twice. The API server forgets an Event after a while (an hour, unless set
//! otherwise); it is then made again while its condition holds.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::Objects;
use crate::index::Index;
use crate::mesh::{ClusterId, Condition, Kind, ObjectKey, marks};

/// Who says so, in every Event of ours.
const COMPONENT: &str = "flagship";

/// Events in one cluster; what is beyond stays among the conditions.
const MOST: usize = 100;

/// What the API server takes as a message, in bytes.
const LONGEST_MESSAGE: usize = 1024;

/// What is left of an object's name in the name of its Event; the rest of the 253 is a dot and the hash.
const LONGEST_NAME: usize = 200;

/// The Events that `conditions` ask for, at most `MOST` (100) in a cluster, policies before workloads, and how many each
/// cluster goes without. Only for conditions of objects that are there: an Event is found by the uid of its object.
pub fn events<'a>(
    index: &Index,
    conditions: impl IntoIterator<Item = &'a Condition>,
) -> (Objects, BTreeMap<ClusterId, usize>) {
    let mut found = BTreeMap::<&ClusterId, Vec<_>>::new();
    for condition in conditions {
        let Some(cluster) = &condition.cluster else { continue };
        let Some(subject) = subject(&condition.subject) else { continue };
        let Some(uid) = index.cluster(cluster).and_then(|state| state.uid(&subject)) else { continue };
        let is_policy = subject.kind.group() == Kind::GlobalTrafficPolicy.group();
        found.entry(cluster).or_default().push((!is_policy, subject, uid, condition));
    }
    let (mut objects, mut left_out) = (Objects::new(), BTreeMap::new());
    for (cluster, mut found) in found {
        found.sort();
        if found.len() > MOST {
            left_out.insert(cluster.clone(), found.len() - MOST);
        }
        for (_, subject, uid, condition) in found.into_iter().take(MOST) {
            let (key, object) = event(&subject, &uid, condition);
            objects.insert((cluster.clone(), key), object);
        }
    }
    (objects, left_out)
}

/// Whether an observed Event is one that [`events`] made.
pub fn has_our_shape(object: &Value) -> bool {
    object.pointer("/source/component").and_then(Value::as_str) == Some(COMPONENT)
}

/// The object that a condition's subject names; `None` if it is something else, or without a namespace.
fn subject(text: &str) -> Option<ObjectKey> {
    let (kind, name) = text.split_once(' ')?;
    let (namespace, name) = name.split_once('/')?;
    // No Events about Events.
    let kind = Kind::ALL.into_iter().find(|known| known.name() == kind && *known != Kind::Event)?;
    Some(ObjectKey::new(kind, namespace, name))
}

fn event(subject: &ObjectKey, uid: &str, condition: &Condition) -> (ObjectKey, Value) {
    let reason = condition.reason.to_string();
    let digest = Sha1::digest(format!("{subject}\n{uid}\n{reason}\n{}", condition.message));
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}.{hash}", cut(&subject.name, LONGEST_NAME).trim_end_matches(['.', '-']));
    let object = json!({
        "apiVersion": Kind::Event.api_version(),
        "kind": Kind::Event.name(),
        "metadata": {
            "name": name,
            "namespace": subject.namespace,
            "labels": { marks::MANAGED: "true" },
            "annotations": { marks::CREATED_BY: marks::CREATED_BY_US },
        },
        "involvedObject": {
            "apiVersion": subject.kind.api_version(),
            "kind": subject.kind.name(),
            "namespace": subject.namespace,
            "name": subject.name,
            "uid": uid,
        },
        "type": "Warning",
        "reason": reason,
        "message": cut(&condition.message, LONGEST_MESSAGE),
        "count": 1,
        "source": { "component": COMPONENT },
    });
    (ObjectKey::new(Kind::Event, &subject.namespace, name), object)
}

/// The first `most` bytes at most, whole characters.
fn cut(text: &str, most: usize) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= most).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
