//! EnvoyFilters of RoutingPolicies: a Wasm filter in the sidecars of an identity's clients (reconcile-spec 3.8).
//!
//! Names are Admiral's, hash by hash: a team that changes over keeps its objects. They carry no mark of ownership
//! but the policy's name and identity.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::wanted::{Identity, Wanted};
use crate::index::Name;
use crate::index::routing_policy::RoutingPolicy;
use crate::mesh::{ClusterId, Condition, Kind, MeshOptions, ObjectKey, Reason, marks};

/// The key of a policy's configuration that asks for the filter's file.
const WASM_PATH_KEY: &str = "wasmPath";
/// Where proxies find that file, whatever the value of the key.
const WASM_PATH: &str = "/etc/istio/extensions/dynamicrouter.wasm";
/// The label by which a client's pods are selected.
const CLIENT_LABEL: &str = "assetAlias";
/// What stands between plugin and hashes in a name.
const INFIX: &str = "-dr-";

/// Asks for one EnvoyFilter for each policy, client, cluster and proxy version.
pub fn generate(identity: &Identity<'_>, wanted: &mut Wanted) {
    let (index, options) = (identity.index, identity.index.options());
    let enabled = &options.routing.routing_policy_clusters;
    let mut taken = BTreeMap::<(String, String), (&ClusterId, &Name, &RoutingPolicy)>::new();
    for (cluster, name, policy) in index.routing_policies_of(identity.name) {
        if index.suspensions().covers(&policy.identity, &policy.env) {
            continue;
        }
        // The names of EnvoyFilters follow from these two alone.
        let slot = (policy.plugin.to_lowercase(), subject_of(name, policy));
        let (first_cluster, first_name, first) = *taken.entry(slot).or_insert((cluster, name, policy));
        if first != policy && !is_same(first, policy) {
            let message = format!(
                "the older RoutingPolicy {}/{} in cluster {first_cluster} has the same name, identity, env and plugin and \
                 wins; make the two equal, or rename one",
                first_name.namespace, first_name.name
            );
            let subject = format!("RoutingPolicy {}/{}", name.namespace, name.name);
            wanted.conditions.push(Condition::new(Some(cluster), subject, Reason::PolicyConflict, message));
        }
        if (first_cluster, first_name) != (cluster, name) {
            continue;
        }
        for (client, clusters) in index.clients_of(&policy.identity) {
            for at in clusters {
                let is_enabled = enabled.contains("*") || enabled.contains(at.as_str());
                if is_enabled && index.is_plannable(&at) {
                    for version in &options.routing.envoy_filter_versions {
                        let (key, object) = filter(options, name, policy, client, version);
                        wanted.objects.insert((at.clone(), key), object);
                    }
                }
            }
        }
    }
}

/// Whether `object` was made from a RoutingPolicy, by Admiral or by us.
pub fn is_ours(key: &ObjectKey, object: &Value) -> bool {
    let annotated = [marks::ROUTING_POLICY_NAME, marks::ROUTING_POLICY_IDENTITY]
        .iter()
        .all(|name| marks::annotation(object, name).is_some_and(Value::is_string));
    annotated && key.name.contains(INFIX)
}

/// The identity whose policy `object` was made from.
pub fn identity_of(object: &Value) -> Option<&str> {
    marks::annotation(object, marks::ROUTING_POLICY_IDENTITY).and_then(Value::as_str)
}

fn filter(
    options: &MeshOptions,
    policy_name: &Name,
    policy: &RoutingPolicy,
    client: &str,
    version: &str,
) -> (ObjectKey, Value) {
    let (plugin, subject) = (policy.plugin.to_lowercase(), hash(&subject_of(policy_name, policy)));
    let name = format!("{plugin}{INFIX}{subject}-{}-{version}", hash(client));
    let key = ObjectKey::new(Kind::EnvoyFilter, &options.routing.istio_namespace, name);
    let object = json!({
        "apiVersion": key.kind.api_version(),
        "kind": key.kind.name(),
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "annotations": {
                marks::ROUTING_POLICY_NAME: policy_name.name,
                marks::ROUTING_POLICY_IDENTITY: policy.identity,
            },
        },
        "spec": {
            "workloadSelector": {"labels": {CLIENT_LABEL: client}},
            "configPatches": [patch(options, policy, version, &key.name)],
        },
    });
    (key, object)
}

fn patch(options: &MeshOptions, policy: &RoutingPolicy, version: &str, vm_id: &str) -> Value {
    let wasm_path = if policy.config.contains_key(WASM_PATH_KEY) { WASM_PATH } else { "" };
    json!({
        "applyTo": "HTTP_FILTER",
        "match": {
            "context": "SIDECAR_OUTBOUND",
            "listener": {"filterChain": {"filter": {
                "name": "envoy.filters.network.http_connection_manager",
                "subFilter": {"name": "envoy.filters.http.router"},
            }}},
            "proxy": {"proxyVersion": format!("^{}.*", version.replace('.', "\\."))},
        },
        "patch": {
            "operation": "INSERT_BEFORE",
            "value": {
                "name": "dynamicRoutingFilterPatch",
                "typed_config": {
                    "@type": "type.googleapis.com/udpa.type.v1.TypedStruct",
                    "type_url": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "value": {"config": {
                        "configuration": {
                            "@type": "type.googleapis.com/google.protobuf.StringValue",
                            "value": configuration(options, policy),
                        },
                        "vm_config": {
                            "runtime": "envoy.wasm.runtime.v8",
                            "vm_id": vm_id,
                            "code": {"local": {"filename": wasm_path}},
                        },
                    }},
                },
            },
        },
    })
}

/// The lines that the filter reads, in the order of their keys.
fn configuration(options: &MeshOptions, policy: &RoutingPolicy) -> String {
    let config = policy.config.iter().filter(|(key, _)| *key != WASM_PATH_KEY);
    let mut lines: Vec<_> = config.map(|(key, value)| format!("{key}: {value}")).collect();
    lines.extend(Some(options.routing.envoy_filter_additional_config.clone()).filter(|line| !line.is_empty()));
    lines.push(format!("hosts: {}", policy.hosts.join(",")));
    lines.push(format!("plugin: {}", policy.plugin));
    lines.join("\n")
}

fn subject_of(name: &Name, policy: &RoutingPolicy) -> String {
    format!("{}{}{}", name.name, policy.env, policy.identity)
}

fn is_same(a: &RoutingPolicy, b: &RoutingPolicy) -> bool {
    (&a.plugin, &a.hosts, &a.config) == (&b.plugin, &b.hosts, &b.config)
}

/// The first 20 hex digits of the SHA-1 of Go's gob encoding of a string.
fn hash(text: &str) -> String {
    let mut payload = vec![0x0c, 0x00];
    payload.extend(unsigned(text.len()));
    payload.extend(text.as_bytes());
    let mut gob = unsigned(payload.len());
    gob.extend(payload);
    Sha1::digest(gob).iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

/// Gob's unsigned integer: itself below 128, else the negated count of its bytes, then these.
fn unsigned(n: usize) -> Vec<u8> {
    match u8::try_from(n) {
        Ok(small) if small < 128 => vec![small],
        _ => {
            let bytes: Vec<u8> = n.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            let count = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
            std::iter::once(count.wrapping_neg()).chain(bytes).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_admiral() {
        assert_eq!(hash("webapp"), "52d2ec8839d0de350a02");
        assert_eq!(hash("greeting-routing-policystagegreeting"), "7997be308551bcdb8afe");
    }

    #[test]
    fn lengths_are_encoded_as_gob_does() {
        assert_eq!((unsigned(7), unsigned(127)), (vec![7], vec![127]));
        assert_eq!((unsigned(128), unsigned(255)), (vec![255, 128], vec![255, 255]));
        assert_eq!(unsigned(256), vec![254, 1, 0]);
    }
}
