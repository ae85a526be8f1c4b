//! From the workloads of one identity to services: hosts, with the clusters that run and that call them.
//!
//! Invariant: where workloads contradict one another the oldest wins, and the others are reported.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::service::{Gateway, Port, Protocol};
use crate::index::{Index, ServiceMatch, WorkloadRef};
use crate::mesh::{ClusterId, Condition, MeshOptions, Reason, name};

use super::names;

/// One host of the mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshService {
    /// As the oldest workload writes it.
    pub identity: String,
    /// As the oldest workload writes it.
    pub env: String,
    /// `env.identity.suffix`, in lower case unless the oldest source asks otherwise (reconcile-spec N3).
    pub host: String,
    /// That of the oldest source (case w37).
    pub protocol: Protocol,
    /// The clusters that run it; never empty.
    pub sources: BTreeMap<ClusterId, Source>,
    /// The clusters that only call it.
    pub dependents: BTreeSet<ClusterId>,
}

/// One cluster that runs a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its region.
    pub region: String,
    /// Where other clusters reach it.
    pub gateway: Option<Gateway>,
    /// The Service's name within the cluster.
    pub local_address: String,
    /// The Service's port.
    pub local_port: u16,
}

impl MeshService {
    /// The name of its ServiceEntry, by which its address is kept.
    pub fn entry_name(&self) -> String {
        names::entry(&self.host)
    }
}

/// The services of an identity, and what was wrong with its workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// One for each env.
    pub services: Vec<MeshService>,
    /// What a person should know.
    pub conditions: Vec<Condition>,
}

/// Resolves the identity that is spelt `identity` in lower case. Workloads of clusters that are not synced or
/// have no region do not take part (case w43), nor do excluded identities (reconcile-spec N8).
pub fn resolve(index: &Index, identity: &str) -> Resolved {
    let excluded = &index.options().excluded_identity_list;
    let mut workloads: Vec<_> = index
        .workloads(identity)
        .filter(|w| !excluded.contains(&w.deployment.identity))
        .filter(|w| index.cluster(w.cluster).is_some_and(|state| state.synced && state.region.is_some()))
        .collect();
    workloads.sort_by_key(|w| (w.deployment.created_s, w.cluster, w.name));

    let mut resolved = Resolved::default();
    let mut by_env = BTreeMap::<String, Vec<WorkloadRef<'_>>>::new();
    for workload in same_spelling(workloads, "identity", |w| &w.deployment.identity, &mut resolved.conditions) {
        by_env.entry(workload.deployment.env.to_lowercase()).or_default().push(workload);
    }
    for group in by_env.into_values() {
        let group = same_spelling(group, "env", |w| &w.deployment.env, &mut resolved.conditions);
        resolved.services.extend(service(index, &group, &mut resolved.conditions));
    }
    resolved
}

/// The workloads that spell a name as the first, the oldest, does.
fn same_spelling<'a>(
    workloads: Vec<WorkloadRef<'a>>,
    field: &str,
    name_of: impl Fn(&WorkloadRef<'a>) -> &'a str,
    conditions: &mut Vec<Condition>,
) -> Vec<WorkloadRef<'a>> {
    let Some(oldest) = workloads.first().copied() else { return workloads };
    let spelling = name_of(&oldest);
    let (same, other): (Vec<_>, Vec<_>) = workloads.into_iter().partition(|w| name_of(w) == spelling);
    for workload in other {
        let message = format!(
            "{field} {} differs in case only from {} of the older {} in cluster {}, which wins; spell both alike",
            name::shown(name_of(&workload)),
            name::shown(spelling),
            oldest.subject(),
            oldest.cluster
        );
        conditions.push(condition(&workload, Reason::IdentityCaseConflict, message));
    }
    same
}

/// The service of one identity and env, from its workloads in the order of their age.
fn service(index: &Index, workloads: &[WorkloadRef<'_>], conditions: &mut Vec<Condition>) -> Option<MeshService> {
    let mut by_cluster = BTreeMap::<&ClusterId, Vec<WorkloadRef<'_>>>::new();
    for workload in workloads {
        by_cluster.entry(workload.cluster).or_default().push(*workload);
    }
    let mut sources = BTreeMap::new();
    let mut ports = Vec::new();
    for (cluster, candidates) in by_cluster {
        let Some((workload, local_address, port)) = choose(index, &candidates, conditions) else { continue };
        ports.push((workload, port));
        let source = Source {
            region: index.region(cluster).unwrap_or_default().to_owned(),
            gateway: index.gateway(cluster).cloned(),
            local_address,
            local_port: port.number,
        };
        sources.insert(cluster.clone(), source);
    }
    ports.sort_by_key(|(w, _)| (w.deployment.created_s, w.cluster, w.name));
    let (oldest, Port { protocol, .. }) = *ports.first()?;
    report_protocols(&oldest, protocol, &ports, conditions);

    let host = host(index.options(), &oldest, conditions)?;
    let (identity, env) = (oldest.deployment.identity.clone(), oldest.deployment.env.clone());
    let mut dependents = index.client_clusters(&identity);
    dependents.retain(|cluster| !sources.contains_key(cluster));
    Some(MeshService { identity, env, host, protocol, sources, dependents })
}

/// Of the workloads of one cluster the oldest that has a Service; the others are reported.
fn choose<'a>(
    index: &Index,
    candidates: &[WorkloadRef<'a>],
    conditions: &mut Vec<Condition>,
) -> Option<(WorkloadRef<'a>, String, Port)> {
    let matches: Vec<_> = candidates.iter().map(|workload| index.service_of(*workload)).collect();
    let at = matches.iter().position(|m| matches!(m, ServiceMatch::Found(..))).unwrap_or(0);
    let chosen = *candidates.get(at)?;
    for (_, workload) in candidates.iter().enumerate().filter(|(i, _)| *i != at) {
        let message = format!(
            "{} of this cluster has the same identity and env and is preferred, being the older one or the only one \
             with a Service; give one of the two another identity or env, or delete it",
            chosen.subject()
        );
        conditions.push(condition(workload, Reason::DuplicateIdentity, message));
    }
    match matches.get(at)? {
        ServiceMatch::Found(service, port) => {
            let options = index.options();
            let absolute = options.enable_absolute_fqdn && options.enable_absolute_fqdn_for_local_endpoints;
            let dot = if absolute { "." } else { "" };
            Some((chosen, format!("{}.{}.svc.cluster.local{dot}", service.name, service.namespace), *port))
        }
        ServiceMatch::NoPort => {
            let message = "no Service that selects it has the first port of the annotation \
                           traffic.sidecar.istio.io/includeInboundPorts as its target; correct one of them";
            conditions.push(condition(&chosen, Reason::NoMeshPort, message.to_owned()));
            None
        }
        ServiceMatch::NoService => {
            let message = "no Service of its namespace has a selector that spec.selector.matchLabels satisfies; create \
                           one, or correct the selector";
            conditions.push(condition(&chosen, Reason::NoMatchingService, message.to_owned()));
            None
        }
    }
}

fn report_protocols(
    oldest: &WorkloadRef<'_>,
    protocol: Protocol,
    ports: &[(WorkloadRef<'_>, Port)],
    conditions: &mut Vec<Condition>,
) {
    for (workload, port) in ports.iter().filter(|(_, port)| port.protocol != protocol) {
        let message = format!(
            "its port is {}, but {} of the older {} in cluster {} wins; name the Service ports alike in all clusters",
            port.protocol.as_str(),
            protocol.as_str(),
            oldest.subject(),
            oldest.cluster
        );
        conditions.push(condition(workload, Reason::ProtocolConflict, message));
    }
}

/// The host, if Kubernetes and Istio accept it and the names that are made from it.
fn host(options: &MeshOptions, oldest: &WorkloadRef<'_>, conditions: &mut Vec<Condition>) -> Option<String> {
    let (identity, env) = (&oldest.deployment.identity, &oldest.deployment.env);
    // Before lower case, which could turn a foreign letter into an ASCII one.
    let host = format!("{env}.{identity}.{}", options.hostname_suffix);
    let longest_name = names::rule(&host).len();
    let problem = if let Err(cause) = name::check_host(env).and_then(|()| name::check_label_value(env)) {
        Some(("env", env, cause))
    } else if let Err(cause) = name::check_host(&host) {
        Some(("identity", identity, format!("the host would not be valid: {cause}")))
    } else if longest_name > name::MAX_NAME {
        Some(("identity", identity, format!("object names would have {longest_name} characters, more than 253")))
    } else {
        None
    };
    let Some((field, value, cause)) = problem else {
        return Some(if oldest.deployment.case_sensitive { host } else { host.to_lowercase() });
    };
    let message = format!(
        "{field} {} cannot be part of a host: {cause}; use letters, digits, '-' and '.', with labels of at most 63",
        name::shown(value)
    );
    conditions.push(condition(oldest, Reason::InvalidName, message));
    None
}

fn condition(workload: &WorkloadRef<'_>, reason: Reason, message: String) -> Condition {
    Condition::new(Some(workload.cluster), workload.subject(), reason, message)
}
