//! From the workloads of one identity to services: hosts, with the clusters that run and that call them.
//!
//! Invariant: where workloads contradict one another the oldest wins, and the others are reported.

mod host;
mod rollout;
mod serving;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::index::service::Protocol;
use crate::index::workload::WorkloadKind;
use crate::index::{Index, WorkloadRef};
use crate::mesh::{ClusterId, Condition, Reason, name};

use super::policy::{self, HostPolicy};
use super::{HostRole, MeshService, Source, ports};
use serving::Serving;

/// The services of an identity, and what was wrong with its workloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// One for each host, no two with the same ServiceEntry.
    pub services: Vec<MeshService>,
    /// What a person should know.
    pub conditions: Vec<Condition>,
}

/// Resolves the identity that is spelt `identity` in lower case. Workloads of clusters that are not synced or
/// have no region do not take part (case w43), nor do suspended ones (reconcile-spec N8, 6.3).
pub fn resolve(index: &Index, identity: &str) -> Resolved {
    let mut workloads: Vec<_> = index
        .workloads(identity)
        .filter(|w| WorkloadKind::SERVING.contains(&w.kind))
        .filter(|w| !index.suspensions().covers(&w.workload.identity, &w.workload.env))
        .filter(|w| index.cluster(w.cluster).is_some_and(|state| state.synced && state.region.is_some()))
        .collect();
    workloads.sort_by(|a, b| a.by_age().cmp(&b.by_age()));

    let mut conditions = Vec::new();
    let mut services = Vec::new();
    let mut by_env = BTreeMap::<String, Vec<WorkloadRef<'_>>>::new();
    for workload in same_spelling(workloads, "identity", |w| &w.workload.identity, &mut conditions) {
        by_env.entry(workload.workload.env.to_lowercase()).or_default().push(workload);
    }
    for group in by_env.into_values() {
        let group = same_spelling(group, "env", |w| &w.workload.env, &mut conditions);
        services.extend(hosts(index, &group, &mut conditions));
    }
    let mut resolved = Resolved { services: unique(services, &mut conditions), conditions };
    ports::expand(index, &mut resolved);
    policy::expand(index, identity, &mut resolved);
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

/// The hosts of one identity and env, from its workloads in the order of their age.
fn hosts(index: &Index, workloads: &[WorkloadRef<'_>], conditions: &mut Vec<Condition>) -> Vec<MeshService> {
    let mut by_place = BTreeMap::<(&ClusterId, WorkloadKind), Vec<WorkloadRef<'_>>>::new();
    for workload in workloads {
        by_place.entry((workload.cluster, workload.kind)).or_default().push(*workload);
    }
    let mut serving: Vec<_> =
        by_place.into_values().filter_map(|candidates| serving::choose(index, &candidates, conditions)).collect();
    serving.sort_by(|(a, _), (b, _)| a.by_age().cmp(&b.by_age()));
    let Some((oldest, Serving { protocol, .. })) = serving.first() else { return Vec::new() };
    report_protocols(oldest, *protocol, &serving, conditions);

    let clients = index.client_clusters(&oldest.workload.identity);
    let mut services = Vec::new();
    for role in HostRole::ALL {
        let sources = sources(index, role, &serving);
        if sources.is_empty() {
            continue;
        }
        // Without the default host the others would have the same flaw.
        let Some(host) = host::host(index.options(), oldest, role, conditions) else { break };
        let dependents: BTreeSet<_> = clients.iter().filter(|c| !sources.contains_key(*c)).cloned().collect();
        services.push(MeshService {
            identity: oldest.workload.identity.clone(),
            env: oldest.workload.env.clone(),
            role,
            host,
            protocol: *protocol,
            further_ports: Vec::new(),
            sources: Arc::new(sources),
            dependents: Arc::new(dependents),
            policy: HostPolicy::default(),
        });
    }
    services
}

/// The clusters that run the host of this role.
fn sources(index: &Index, role: HostRole, serving: &[(WorkloadRef<'_>, Serving)]) -> BTreeMap<ClusterId, Source> {
    let mut sources = BTreeMap::<ClusterId, Source>::new();
    for (workload, serving) in serving {
        let locals = serving.locals(role);
        if locals.is_empty() {
            continue;
        }
        let source = sources.entry(workload.cluster.clone()).or_insert_with(|| Source {
            region: index.region(workload.cluster).unwrap_or_default().to_owned(),
            locality: index.locality(workload.cluster).unwrap_or_default(),
            created_s: workload.workload.created_s,
            gateway: index.gateway(workload.cluster).cloned(),
            locals: Vec::new(),
        });
        source.locals.extend(locals.iter().cloned());
    }
    for source in sources.values_mut() {
        source.locals.sort();
        // A Deployment and a Rollout may stand behind one Service: that is one place to go to.
        let mut seen = BTreeSet::new();
        source.locals.retain(|local| seen.insert(local.host()));
    }
    sources
}

fn report_protocols(
    oldest: &WorkloadRef<'_>,
    protocol: Protocol,
    serving: &[(WorkloadRef<'_>, Serving)],
    conditions: &mut Vec<Condition>,
) {
    for (workload, serving) in serving.iter().filter(|(_, serving)| serving.protocol != protocol) {
        let message = format!(
            "its port is {}, but {} of the older {} in cluster {} wins; name the Service ports alike in all clusters",
            serving.protocol.as_str(),
            protocol.as_str(),
            oldest.subject(),
            oldest.cluster
        );
        conditions.push(condition(workload, Reason::ProtocolConflict, message));
    }
}

/// The services whose ServiceEntries have names of their own: an env such as `canary.stage` may lead to the
/// canary host of another. Default hosts come first.
fn unique(mut services: Vec<MeshService>, conditions: &mut Vec<Condition>) -> Vec<MeshService> {
    services.sort_by_key(|service| service.role);
    let mut taken = BTreeMap::<String, String>::new();
    services.retain(|service| {
        let Some(env) = taken.insert(service.entry_name(), service.env.clone()) else { return true };
        let message = format!(
            "the host {} belongs to env {} already; rename the env {}",
            service.host,
            name::shown(&env),
            name::shown(&service.env)
        );
        conditions.push(Condition::new(None, format!("identity {}", service.identity), Reason::HostConflict, message));
        taken.insert(service.entry_name(), env);
        false
    });
    services
}

fn condition(workload: &WorkloadRef<'_>, reason: Reason, message: String) -> Condition {
    Condition::new(Some(workload.cluster), workload.subject(), reason, message)
}
