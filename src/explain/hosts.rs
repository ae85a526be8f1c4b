//! The hosts of an identity: what each cluster holds of them, by which rule, and why others hold nothing.

use super::{ClusterNote, Explanation, HostNote, ObjectNote, Part, Role, Subject, rules};
use crate::desired::MeshService;
use crate::index::observed;
use crate::mesh::{ClusterId, Kind, ObjectKey, name};
use crate::plan::Planner;

pub(super) fn note(planner: &Planner, subject: &Subject, answer: &mut Explanation) {
    let services = planner.resolved(&subject.lower).map(|resolved| resolved.services.as_slice()).unwrap_or_default();
    let keys = planner.objects_of(&subject.lower);
    let belongs = |key: &ObjectKey, service: &MeshService| key.name.contains(&service.host.to_lowercase());
    for service in services.iter().filter(|service| subject.wants_env(&service.env)) {
        let mut host = HostNote {
            host: service.host.clone(),
            env: service.env.clone(),
            address: planner.address(&service.entry_name()).map(|address| address.to_string()),
            clusters: Vec::new(),
        };
        for (cluster, _) in planner.index().clusters() {
            let here = keys.iter().filter(|(of, key)| of == cluster && belongs(key, service));
            let objects: Vec<_> = here.map(|(_, key)| object(planner, cluster, key)).collect();
            host.clusters.push(self::cluster(planner, service, cluster, objects, answer));
        }
        answer.hosts.push(host);
    }
    let others = keys.iter().filter(|(_, key)| !services.iter().any(|service| belongs(key, service)));
    answer.others = others.map(|(cluster, key)| object(planner, cluster, key)).collect();
}

fn object(planner: &Planner, cluster: &ClusterId, key: &ObjectKey) -> ObjectNote {
    let shown = |endpoint: &serde_json::Value| {
        let text = |pointer| observed::text(endpoint, pointer).unwrap_or_default();
        let ports = endpoint.get("ports").and_then(serde_json::Value::as_object);
        let port = ports.and_then(|ports| ports.values().next()).map(|port| format!(":{port}"));
        format!("{}{} {}", text("/address"), port.unwrap_or_default(), text("/locality"))
    };
    let entry = planner.desired_object(cluster, key).filter(|_| key.kind == Kind::ServiceEntry);
    ObjectNote {
        cluster: cluster.to_string(),
        object: key.to_string(),
        state: planner.standing(cluster, key).to_string(),
        rule: rules::of(key.kind).to_owned(),
        endpoints: entry.iter().flat_map(observed::endpoints).map(shown).collect(),
    }
}

fn cluster(
    planner: &Planner,
    service: &MeshService,
    cluster: &ClusterId,
    objects: Vec<ObjectNote>,
    answer: &Explanation,
) -> ClusterNote {
    let (role, mut rule) = if service.sources.contains_key(cluster) {
        (Role::Source, format!("runs {}", sources(cluster, &service.env, answer)))
    } else if service.dependents.contains(cluster) {
        (Role::Dependent, format!("runs {}", clients(planner, service, cluster)))
    } else {
        (Role::None, "runs neither the service nor a client of it".to_owned())
    };
    if let Some(why) = why_unplanned(planner, cluster) {
        rule = format!("{rule}; {why}");
    } else if role != Role::None && objects.is_empty() {
        rule += "; no endpoint of it can be reached from here, since no cluster that runs it has a gateway address";
    }
    ClusterNote { cluster: cluster.to_string(), role, rule, objects }
}

fn sources(cluster: &ClusterId, env: &str, answer: &Explanation) -> String {
    let is_here = |w: &&super::WorkloadNote| w.cluster == cluster.as_str() && w.env == env && w.part == Part::Source;
    let named: Vec<String> = answer
        .workloads
        .iter()
        .filter(is_here)
        .map(|w| {
            let (service, port) = (w.service.as_deref().unwrap_or_default(), w.port.as_deref().unwrap_or_default());
            format!("{}, reached through Service {service}, port {port}", w.workload)
        })
        .collect();
    if named.is_empty() { "a workload of it".to_owned() } else { named.join("; ") }
}

fn clients(planner: &Planner, service: &MeshService, cluster: &ClusterId) -> String {
    let index = planner.index();
    let mut named = Vec::new();
    for (record, dependency) in &index.control().dependencies {
        let client = &dependency.source;
        if !dependency.destinations.contains(&service.identity) {
            continue;
        }
        let lower = client.to_lowercase();
        let mut workloads = index.workloads(&lower);
        if workloads.any(|w| w.cluster == cluster && w.workload.identity == *client) {
            named.push(format!("its client {} (Dependency {}/{})", name::shown(client), record.namespace, record.name));
        }
    }
    if named.is_empty() { "a client of it".to_owned() } else { named.join(", ") }
}

/// Why nothing at all is planned for a cluster.
fn why_unplanned(planner: &Planner, cluster: &ClusterId) -> Option<&'static str> {
    let index = planner.index();
    let state = index.cluster(cluster)?;
    if !index.control().synced {
        Some("nothing is planned anywhere before the Dependency records of the control cluster are known")
    } else if !state.synced {
        Some("nothing is planned for this cluster before all its watches have delivered their first list")
    } else if state.region.is_none() {
        Some("nothing is planned for this cluster before a Node says in which region it is")
    } else {
        None
    }
}
