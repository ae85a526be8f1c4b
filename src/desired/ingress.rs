//! Routing at the gateways of the clusters that run a service: a VirtualService that takes the calls of other
//! clusters to the Services by name, and one DestinationRule for each namespace of such Services
//! (reconcile-spec 3.6.5).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::shared::Asked;
use super::wanted::{Identity, Wanted};
use super::{Local, MeshService, Source, object};
use crate::index::observed;
use crate::mesh::{ClusterId, Kind, MeshOptions, ObjectKey, marks};

/// Istio's name for calls to port 80 of a host, as a gateway sees it.
const SNI: &str = "outbound_.80_._.";
/// How the names of our VirtualServices end.
const ROUTES: &str = "-routing-vs";
/// How the names of our DestinationRules end.
const RULE: &str = ".svc.cluster.local-routing-dr";

/// Asks for the routes of every env in every cluster that runs it, and for the identity's part of the rules.
pub fn generate(identity: &Identity<'_>, wanted: &mut Wanted) {
    let options = identity.index.options();
    let routing = &options.routing;
    if !routing.ingress_routing || routing.ingress_gateways.is_empty() {
        return;
    }
    let mut routes = BTreeMap::<(ClusterId, ObjectKey), BTreeMap<String, Value>>::new();
    for service in identity.services {
        for cluster in wanted.clusters_with(identity, service) {
            let Some(source) = service.sources.get(&cluster) else { continue };
            let disabled = &routing.ingress_disabled_clusters;
            if disabled.contains("*") || disabled.contains(cluster.as_str()) {
                continue;
            }
            let sni = format!("{SNI}{}", service.host);
            let route =
                json!({"match": [{"port": marks::GATEWAY_PORT, "sniHosts": [sni]}], "route": destinations(source)});
            routes.entry((cluster.clone(), routes_key(options, service))).or_default().insert(sni, route);
            for namespace in namespaces(source) {
                let key = ObjectKey::new(Kind::DestinationRule, &routing.istio_namespace, format!("{namespace}{RULE}"));
                wanted.ask(&cluster, key, subject_name(options, &service.identity));
            }
        }
    }
    for ((cluster, key), mut by_sni) in routes {
        keep_unknown(identity, &cluster, &key, &mut by_sni);
        let spec = json!({
            "hosts": by_sni.keys().collect::<Vec<_>>(),
            "gateways": routing.ingress_gateways,
            "exportTo": routing.ingress_export_to,
            "tls": by_sni.values().collect::<Vec<_>>(),
        });
        let labels = BTreeMap::from([(marks::VS_ROUTING, marks::VS_ROUTING_ENABLED)]);
        let value = object(&key, labels, BTreeMap::new(), ("spec", spec));
        wanted.objects.insert((cluster, key), value);
    }
}

/// Whether an owned VirtualService has exactly the shape of a generated one.
pub fn has_our_shape(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    key.namespace == options.routing.istio_namespace
        && key.name.ends_with(ROUTES)
        && is_labelled(object)
        && observed::host(object).is_some_and(|host| host.starts_with(SNI))
}

/// Whether this is the key of the rule of some namespace.
pub fn is_namespace_rule(key: &ObjectKey, options: &MeshOptions) -> bool {
    key.kind == Kind::DestinationRule
        && key.namespace == options.routing.istio_namespace
        && key.name.strip_suffix(RULE).is_some_and(|namespace| !namespace.is_empty() && !namespace.contains('.'))
}

/// Whether an owned DestinationRule has exactly the shape of a generated one.
pub fn is_rule(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    is_namespace_rule(key, options) && is_labelled(object) && observed::host(object) == Some(&rule_host(key))
}

/// The rule of a namespace, trusting the workloads of every identity that asks.
pub fn namespace_rule(
    key: &ObjectKey,
    asked: &Asked,
    observed: Option<&Value>,
    options: &MeshOptions,
    may_remove: impl Fn(&str) -> bool,
) -> Option<Value> {
    let mut names: Vec<&str> = asked.keys().map(String::as_str).collect();
    let ours = observed.filter(|rule| marks::is_owned(rule) && is_rule(key, rule, options));
    for present in ours.map(subject_names).unwrap_or_default() {
        let identity = present.rsplit_once('/').map_or(present, |(_, identity)| identity);
        if !may_remove(identity) && !names.contains(&present) {
            names.push(present);
        }
    }
    if names.is_empty() {
        return None;
    }
    names.sort_unstable();
    let mut policy = json!({
        "connectionPool": {"http": {"maxRequestsPerConnection": options.max_requests_per_connection}},
        "loadBalancer": {
            "localityLbSetting": {"enabled": false},
            "simple": options.routing.ingress_lb_policy.to_uppercase(),
        },
    });
    // Without a trust domain there is no name that a workload could have.
    if !options.entry.san_prefix.is_empty() {
        policy["tls"] = json!({"subjectAltNames": names});
    }
    if options.disable_default_automatic_failover {
        policy["outlierDetection"] = json!({"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 0});
    }
    let labels = BTreeMap::from([(marks::VS_ROUTING, marks::VS_ROUTING_ENABLED)]);
    let spec = json!({"host": rule_host(key), "exportTo": options.routing.ingress_export_to, "trafficPolicy": policy});
    Some(object(key, labels, BTreeMap::new(), ("spec", spec)))
}

/// While some cluster has never been seen: the routes that are there and that we do not know may be due to it.
fn keep_unknown(identity: &Identity<'_>, cluster: &ClusterId, key: &ObjectKey, routes: &mut BTreeMap<String, Value>) {
    if identity.index.is_complete() {
        return;
    }
    let Some(present) = identity.index.cluster(cluster).and_then(|state| state.observed(key)) else { return };
    let known = present.pointer("/spec/tls").and_then(Value::as_array).filter(|_| marks::is_owned(&present));
    for route in known.into_iter().flatten() {
        if let Some(sni) = observed::text(route, "/match/0/sniHosts/0") {
            routes.entry(sni.to_owned()).or_insert_with(|| route.clone());
        }
    }
}

fn routes_key(options: &MeshOptions, service: &MeshService) -> ObjectKey {
    let plain = format!("{}.{}.{}", service.env, service.identity, options.hostname_suffix).to_lowercase();
    ObjectKey::new(Kind::VirtualService, &options.routing.istio_namespace, format!("{plain}{ROUTES}"))
}

fn rule_host(key: &ObjectKey) -> String {
    format!("*.{}.svc.cluster.local", key.name.strip_suffix(RULE).unwrap_or_default())
}

/// Several destinations have the weights that they came with, or else equal ones, the rest of 100 at the first
/// (reconcile-spec 3.6.3).
fn destinations(source: &Source) -> Vec<Value> {
    let destination = |local: &Local| json!({"destination": {"host": local.host(), "port": {"number": local.port}}});
    let mut destinations: Vec<_> = source.locals.iter().map(destination).collect();
    let count = u32::try_from(destinations.len()).unwrap_or(u32::MAX).max(1);
    if count > 1 {
        let weighted = source.locals.iter().all(|local| local.weight.is_some());
        for (i, (destination, local)) in destinations.iter_mut().zip(&source.locals).enumerate() {
            let equal = 100 / count + if i == 0 { 100 % count } else { 0 };
            destination["weight"] = json!(local.weight.filter(|_| weighted).unwrap_or(equal));
        }
    }
    destinations
}

fn namespaces(source: &Source) -> BTreeSet<&str> {
    source.locals.iter().map(|local| local.namespace.as_str()).collect()
}

fn subject_name(options: &MeshOptions, identity: &str) -> String {
    format!("spiffe://{}/{identity}", options.entry.san_prefix)
}

fn subject_names(rule: &Value) -> Vec<&str> {
    let names = rule.pointer("/spec/trafficPolicy/tls/subjectAltNames").and_then(Value::as_array);
    names.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn is_labelled(object: &Value) -> bool {
    let label = object.pointer("/metadata/labels").and_then(|labels| labels.get(marks::VS_ROUTING));
    label.and_then(Value::as_str) == Some(marks::VS_ROUTING_ENABLED)
}
