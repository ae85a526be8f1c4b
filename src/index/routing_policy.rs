//! RoutingPolicies: which filter the clients of an identity load (reconcile-spec 3.8).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks, name};

/// Most characters of a plugin: hashes and a version follow it in an object's name.
const LONGEST_PLUGIN: usize = 180;

/// What is kept of a RoutingPolicy; one that is ignored is not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingPolicy {
    /// Whose clients it concerns, as written (reconcile-spec N6).
    pub identity: String,
    /// Part of the names of what is made from it, nothing else.
    pub env: String,
    /// The filter's name for itself, and the start of object names.
    pub plugin: String,
    /// The hosts that the filter routes.
    pub hosts: Vec<String>,
    /// The filter's configuration.
    pub config: BTreeMap<String, String>,
    /// Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
}

impl Watched for RoutingPolicy {
    const KIND: Kind = Kind::RoutingPolicy;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        let annotations = root.field("metadata.annotations")?.strings()?;
        let at_labels = root.field("metadata.labels")?;
        let labels = at_labels.strings()?;
        if [&annotations, &labels].iter().any(|map| map.get(marks::IGNORE) == Some(&"true")) {
            return Ok(None);
        }
        let Some(identity) = labels.get(options.workload_identity_key.as_str()).filter(|value| !value.is_empty())
        else {
            return Err(at_labels.error("labels with the identity (--workload_identity_key) whose clients it is for"));
        };
        let env_key = options.env_key.as_str();
        let env = annotations.get(env_key).or_else(|| labels.get(env_key)).filter(|value| !value.is_empty());
        let plugin = root.field("spec.plugin")?;
        let plugin_name = plugin.text()?.unwrap_or_default();
        if plugin_name.len() > LONGEST_PLUGIN || name::check_host(&plugin_name.to_lowercase()).is_err() {
            return Err(plugin.error("a short name of letters, digits, '-' and '.': it begins the EnvoyFilter's name"));
        }
        let hosts = root.field("spec.hosts")?;
        let hosts: Vec<_> = hosts.items()?.iter().map(required).collect::<Result<_, _>>()?;
        let config = root.field("spec.config")?.strings()?;
        Ok(Some(Self {
            identity: (*identity).to_owned(),
            env: env.map_or("default", |env| *env).to_owned(),
            plugin: plugin_name.to_owned(),
            hosts,
            config: config.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            created_s: root.field("metadata.creationTimestamp")?.time()?,
        }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.routing_policies
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        let Origin::Cluster(cluster) = origin else { return Touched::none() };
        let place = (cluster.clone(), name.clone());
        if let Some(old) = old {
            let identity = old.identity.to_lowercase();
            let places = index.routing_policies.entry(identity.clone()).or_default();
            places.remove(&place);
            if places.is_empty() {
                index.routing_policies.remove(&identity);
            }
        }
        if let Some(new) = new {
            index.routing_policies.entry(new.identity.to_lowercase()).or_default().insert(place);
        }
        Touched::identities([old, new].into_iter().flatten().map(|policy| &policy.identity))
    }
}

fn required(at: &At<'_>) -> Result<String, DecodeError> {
    at.text()?.map(str::to_owned).ok_or_else(|| at.error("a host"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(change: impl FnOnce(&mut Value)) -> Result<Option<RoutingPolicy>, DecodeError> {
        let mut object = json!({"metadata": {"name": "p", "namespace": "n", "labels": {"identity": "greeting"}},
            "spec": {"plugin": "Greeting", "hosts": ["a.global"], "config": {"k": "v"}}});
        change(&mut object);
        RoutingPolicy::decode(&object, &MeshOptions::default())
    }

    #[test]
    fn env_comes_from_annotation_then_label_then_default() {
        let env = |change: fn(&mut Value)| decode(change).unwrap().unwrap().env;
        assert_eq!(env(|_| ()), "default");
        assert_eq!(env(|o| o["metadata"]["labels"]["admiral.io/env"] = json!("qa")), "qa");
        let both = |o: &mut Value| {
            o["metadata"]["labels"]["admiral.io/env"] = json!("qa");
            o["metadata"]["annotations"] = json!({"admiral.io/env": "stage"});
        };
        assert_eq!(env(both), "stage");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let error = |change: fn(&mut Value)| decode(change).unwrap_err().field;
        assert_eq!(error(|o| o["metadata"]["labels"] = json!({"identity": ""})), "metadata.labels");
        assert_eq!(error(|o| o["spec"]["plugin"] = json!("no plugin")), "spec.plugin");
        assert_eq!(error(|o| o["spec"] = json!({})), "spec.plugin");
        assert_eq!(error(|o| o["spec"]["hosts"] = json!([7])), "spec.hosts[0]");
        assert_eq!(error(|o| o["spec"]["config"]["k"] = json!(7)), "spec.config[\"k\"]");
        assert_eq!(decode(|o| o["metadata"]["labels"]["admiral.io/ignore"] = json!("true")), Ok(None));
    }
}
