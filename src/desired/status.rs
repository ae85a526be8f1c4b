//! The status of people's traffic policies: whether every value of one is used, and in which clusters it is in place.
//!
//! Invariant: the status follows from the findings and from what is pending, so that every instance asks for the same one,
//! and no time is part of it: nothing is written while nothing changes. What others say in it stays.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Objects;
use crate::index::policy::Policy;
use crate::index::{Index, Name, State};
use crate::mesh::{ClusterId, Condition, Kind, ObjectKey};

/// Conditions that are ours; those of other types are other people's.
const TYPES: [&str; 2] = ["Accepted", "Synced"];

/// Clusters that hold objects of an identity, and whether all of these are as they should be.
pub type Places = BTreeMap<ClusterId, bool>;

/// The status that every policy of every cluster should have. `places` says where the objects of an identity, in lower
/// case, are.
pub fn statuses(index: &Index, conditions: &[Condition], places: impl Fn(&str) -> Places) -> Objects {
    let mut findings = BTreeMap::<(Option<&ClusterId>, &str), Vec<&Condition>>::new();
    for condition in conditions {
        findings.entry((condition.cluster.as_ref(), &condition.subject)).or_default().push(condition);
    }
    let mut objects = Objects::new();
    for (cluster, state) in index.clusters() {
        for (key, told) in &state.told {
            let subject = key.to_string();
            let found = findings.get(&(Some(cluster), subject.as_str())).map_or(&[][..], |found| found);
            let of_identity = identity(state, key).map(|identity| places(&identity.to_lowercase()));
            let places = of_identity.unwrap_or_default();
            let generation = told.value().pointer("/metadata/generation").cloned();
            let mut conditions = [accepted(found), synced(&places)];
            for condition in &mut conditions {
                if let Some(generation) = &generation {
                    condition["observedGeneration"] = generation.clone();
                }
            }
            let in_place = places.values().filter(|in_place| **in_place).count();
            let refused = found.first().map(|first| first.reason.to_string());
            let state = refused.unwrap_or_else(|| text(&conditions[1], "reason").to_owned());
            let object = json!({
                "apiVersion": key.kind.api_version(),
                "kind": key.kind.name(),
                "metadata": { "name": key.name, "namespace": key.namespace },
                "status": { "clustersSynced": in_place, "state": state, "conditions": conditions },
            });
            objects.insert((cluster.clone(), key.clone()), object);
        }
    }
    objects
}

/// `desired` with what others say in the observed status.
pub fn merged(desired: &Value, observed: &Value) -> Value {
    let mut object = desired.clone();
    let mut status = observed.get("status").and_then(Value::as_object).cloned().unwrap_or_default();
    let theirs = status.remove("conditions").and_then(|all| all.as_array().cloned()).unwrap_or_default();
    let theirs = theirs.into_iter().filter(|condition| !TYPES.contains(&text(condition, "type")));
    for (field, value) in desired.get("status").and_then(Value::as_object).into_iter().flatten() {
        status.insert(field.clone(), value.clone());
    }
    if let Some(Value::Array(ours)) = status.get_mut("conditions") {
        ours.extend(theirs);
    }
    object["status"] = Value::Object(status);
    object
}

/// Whose traffic the policy shapes, as written; `None` if it cannot be read.
fn identity<'a>(state: &'a State, key: &ObjectKey) -> Option<&'a str> {
    let name = Name::from(key);
    match key.kind {
        Kind::GlobalTrafficPolicy => state.traffic_policies.get(&name).map(|policy| policy.owner().identity.as_str()),
        Kind::OutlierDetection => state.outlier_detections.get(&name).map(|policy| policy.owner().identity.as_str()),
        Kind::ClientConnectionConfig => {
            state.connection_configs.get(&name).map(|policy| policy.owner().identity.as_str())
        }
        Kind::RoutingPolicy => state.routing_policies.get(&name).map(|policy| policy.identity.as_str()),
        _ => None,
    }
}

fn accepted(found: &[&Condition]) -> Value {
    let Some(first) = found.first() else {
        return json!({"type": "Accepted", "status": "True", "reason": "Accepted", "message": "every value is used"});
    };
    let messages: Vec<&str> = found.iter().map(|condition| condition.message.as_str()).collect();
    json!({"type": "Accepted", "status": "False", "reason": first.reason.to_string(), "message": messages.join("; ")})
}

fn synced(places: &Places) -> Value {
    let named = |wanted: bool| {
        let names = places.iter().filter(|(_, in_place)| **in_place == wanted).map(|(cluster, _)| cluster.as_str());
        names.collect::<Vec<_>>().join(", ")
    };
    let (synced, pending) = (named(true), named(false));
    let (status, reason, message) = match (synced.is_empty(), pending.is_empty()) {
        (_, true) if places.is_empty() => ("False", "NothingToSync", "no cluster holds objects of its identity".into()),
        (_, true) => ("True", "Synced", format!("in place in {synced}")),
        (true, false) => ("False", "Pending", format!("not yet in {pending}")),
        (false, false) => ("False", "Pending", format!("in place in {synced}; not yet in {pending}")),
    };
    json!({"type": "Synced", "status": status, "reason": reason, "message": message})
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}
