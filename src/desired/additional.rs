//! Further hosts of a service, under other suffixes: a VirtualService that leads them to the mesh host
//! (reconcile-spec 3.6.2).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::wanted::{Identity, Wanted};
use super::{MeshService, export_to, names, object};
use crate::index::observed;
use crate::mesh::{Condition, Kind, MeshOptions, ObjectKey, Reason, marks, name};

/// Part of an env that further hosts leave out.
const AIR: &str = "-air";
/// The value of the label where a host has no prefix.
const NO_PREFIX: &str = "default";

/// Asks for the VirtualService in every cluster that has the ServiceEntry.
pub fn generate(identity: &Identity<'_>, wanted: &mut Wanted) {
    let options = identity.index.options();
    if options.routing.additional_suffixes.is_empty() {
        return;
    }
    let services = identity.services.iter().copied();
    for service in services.filter(|service| identity.index.has_further_hosts(&service.identity)) {
        let hosts = hosts(options, service);
        if let Some((host, cause)) = hosts.iter().find_map(|host| Some((host, name::check_host(host).err()?))) {
            let message = format!(
                "the further host {} of {} would not be valid: {cause}; correct --additional_endpoint_suffixes",
                name::shown(host),
                service.host
            );
            let subject = format!("identity {}", service.identity);
            wanted.conditions.push(Condition::new(None, subject, Reason::InvalidName, message));
            continue;
        }
        let Some(first) = hosts.first() else { continue };
        let key = ObjectKey::new(Kind::VirtualService, &options.sync_namespace, names::further(first));
        for cluster in wanted.clusters_with(identity, service) {
            let namespaces = export_to(identity.index, service, &cluster);
            let value = virtual_service(options, service, (&key, &hosts), &namespaces);
            wanted.objects.insert((cluster, key.clone()), value);
        }
    }
}

/// Whether an owned VirtualService has exactly the shape of a generated one.
pub fn has_our_shape(key: &ObjectKey, object: &Value, options: &MeshOptions) -> bool {
    let label = |name: &str| object.pointer("/metadata/labels").is_some_and(|labels| labels.get(name).is_some());
    let leads_to = observed::text(object, "/spec/http/0/route/0/destination/host").unwrap_or_default();
    key.namespace == options.sync_namespace
        && observed::host(object).is_some_and(|host| key.name == names::further(host))
        && label(&options.env_key)
        && label(marks::DNS_PREFIX)
        && names::is_below_suffix(leads_to, options)
}

fn hosts(options: &MeshOptions, service: &MeshService) -> Vec<String> {
    let env = service.env.strip_suffix(AIR).unwrap_or(&service.env);
    let prefix = prefix(options, service).map_or_else(String::new, |prefix| format!("{prefix}."));
    let suffixes = options.routing.additional_suffixes.iter();
    suffixes.map(|suffix| format!("{prefix}{env}.{}.{suffix}", service.identity).to_lowercase()).collect()
}

/// What stands before env and identity in the mesh host.
fn prefix<'a>(options: &MeshOptions, service: &'a MeshService) -> Option<&'a str> {
    let plain = format!("{}.{}.{}", service.env, service.identity, options.hostname_suffix);
    let at = service.host.len().checked_sub(plain.len() + 1)?;
    service.host.get(..at)
}

fn virtual_service(
    options: &MeshOptions,
    service: &MeshService,
    (key, hosts): (&ObjectKey, &[String]),
    export_to: &[String],
) -> Value {
    let prefix = prefix(options, service).unwrap_or(NO_PREFIX).to_lowercase();
    let labels =
        BTreeMap::from([(options.env_key.as_str(), service.env.as_str()), (marks::DNS_PREFIX, prefix.as_str())]);
    let annotations = BTreeMap::from([(options.workload_identity_key.as_str(), service.identity.as_str())]);
    let route = json!({"destination": {"host": service.host, "port": {"number": 80}}});
    let mut spec = json!({"hosts": hosts, "http": [{"route": [route]}]});
    if !export_to.is_empty() {
        spec["exportTo"] = json!(export_to);
    }
    object(key, labels, annotations, ("spec", spec))
}
