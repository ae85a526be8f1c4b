//! Policies that have no effect, and why.

use super::{Winner, governs, winner};
use crate::desired::{MeshService, Resolved};
use crate::index::client_connection_config::ClientConnectionConfig;
use crate::index::global_traffic_policy::GlobalTrafficPolicy;
use crate::index::outlier_detection::OutlierDetection;
use crate::index::policy::{self, Policy};
use crate::index::{Index, Name};
use crate::mesh::{ClusterId, Condition, Reason, name};

/// Adds a condition for every value of the identity's policies that cannot be used, and for every policy that
/// shapes nobody's traffic.
pub fn unused(index: &Index, identity: &str, resolved: &mut Resolved) {
    of_kind::<GlobalTrafficPolicy>(index, identity, resolved);
    of_kind::<OutlierDetection>(index, identity, resolved);
    of_kind::<ClientConnectionConfig>(index, identity, resolved);
}

fn of_kind<P: Policy>(index: &Index, identity: &str, resolved: &mut Resolved) {
    for (cluster, at, policy) in index.policies::<P>(identity) {
        let condition = |reason, message| Condition::new(Some(cluster), policy::subject(P::KIND, at), reason, message);
        for problem in policy.problems() {
            let message = format!("{}; correct it (until then {})", problem.error, problem.effect);
            resolved.conditions.push(condition(Reason::InvalidPolicy, message));
        }
        let services: Vec<_> = resolved.services.iter().filter(|s| s.policy.prefix.is_none()).collect();
        let governed = services.iter().find(|service| governs(policy, cluster, at, service));
        let message = match governed.map(|service| winner::<P>(index, service)) {
            Some(Some(winner)) => overruled(&winner, cluster, at),
            _ => Some(without_workload(policy, cluster, at, &services)),
        };
        resolved.conditions.extend(message.map(|message| condition(Reason::PolicyWithoutEffect, message)));
    }
}

fn overruled<P: Policy>(winner: &Winner<'_, P>, cluster: &ClusterId, at: &Name) -> Option<String> {
    let is_it = winner.at.cluster == *cluster && winner.at.name == *at;
    (!is_it).then(|| {
        format!(
            "{} in cluster {} is for the same identity and env and goes before it, by priority or age; delete one",
            policy::subject(P::KIND, &winner.at.name),
            winner.at.cluster
        )
    })
}

fn without_workload<P: Policy>(policy: &P, cluster: &ClusterId, at: &Name, services: &[&MeshService]) -> String {
    let owner = policy.owner();
    let is_owner = |service: &&&MeshService| service.identity == owner.identity && service.env == owner.env;
    let elsewhere = services.iter().find(is_owner).map(|service| {
        let places: std::collections::BTreeSet<String> = service
            .sources
            .iter()
            .flat_map(|(cluster, source)| {
                source.locals.iter().map(move |local| format!("{} in {cluster}", local.namespace))
            })
            .collect();
        format!("; it runs in {}", places.into_iter().collect::<Vec<_>>().join(", "))
    });
    format!(
        "no workload of identity {} and env {} runs in namespace {} of cluster {cluster}, so it has no effect{}; put it \
         beside the workload and spell both alike",
        name::shown(&owner.identity),
        name::shown(&owner.env),
        at.namespace,
        elsewhere.unwrap_or_default()
    )
}
