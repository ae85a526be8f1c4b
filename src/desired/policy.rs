//! What traffic policies make of a service: the settings of its host, and further hosts by prefix
//! (reconcile-spec 3.4, 3.5).
//!
//! Invariant: one policy governs a host in all clusters. Which one follows from the policies alone, never from
//! the order in which they were seen.

mod locality;
mod report;

use std::collections::{BTreeMap, BTreeSet};

use super::{HostRole, MeshService, Resolved};
use crate::index::client_connection_config::{ClientConnectionConfig, Limits};
use crate::index::global_traffic_policy::{Entry, GlobalTrafficPolicy};
use crate::index::outlier_detection::OutlierDetection;
use crate::index::policy::{Outliers, Policy};
use crate::index::{Index, Name};
use crate::mesh::{ClusterId, Condition, Reason, name};
pub use locality::{Locality, preferred_region};

/// The prefix that means the host itself.
const DEFAULT: &str = "default";

/// What policies say of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPolicy {
    /// What stands in front of the service's own host, for a host that a policy adds.
    pub prefix: Option<String>,
    /// The GlobalTrafficPolicy with an entry for this host.
    pub governed_by: Option<PolicyRef>,
    /// The annotation `dns-prefix`.
    pub dns_prefix: Option<String>,
    /// Which region gets the traffic.
    pub locality: Locality,
    /// When endpoints are ejected.
    pub ejection: Ejection,
    /// Limits of connections.
    pub limits: Limits,
}

/// Where a policy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRef {
    /// Its cluster.
    pub cluster: ClusterId,
    /// Its namespace and name.
    pub name: Name,
}

/// When endpoints are ejected (reconcile-spec DR3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ejection {
    /// As by default.
    #[default]
    Default,
    /// By an OutlierDetection.
    Resource(Outliers),
    /// By the entry of a GlobalTrafficPolicy.
    Entry(Outliers),
}

/// A policy in force.
struct Winner<'a, P> {
    at: PolicyRef,
    policy: &'a P,
}

/// Gives the services of `identity` (in lower case) their policies, adds the hosts that policies add, and
/// reports what of its policies has no effect.
pub fn expand(index: &Index, identity: &str, resolved: &mut Resolved) {
    let plain = std::mem::take(&mut resolved.services);
    let mut taken: BTreeSet<String> = plain.iter().map(MeshService::entry_name).collect();
    let mut twins = Vec::new();
    for mut service in plain {
        let traffic = winner::<GlobalTrafficPolicy>(index, &service);
        let base = HostPolicy {
            ejection: winner::<OutlierDetection>(index, &service)
                .and_then(|od| od.policy.outliers)
                .map_or(Ejection::Default, Ejection::Resource),
            limits: winner::<ClientConnectionConfig>(index, &service).map(|c| c.policy.limits).unwrap_or_default(),
            ..HostPolicy::default()
        };
        let mut entries = traffic.as_ref().map(|t| by_prefix(t, &service, resolved)).unwrap_or_default();
        let own = entries.remove(&None);
        for (prefix, entry) in entries {
            let (Some(prefix), Some(traffic)) = (prefix, &traffic) else { continue };
            let host = format!("{prefix}.{}", service.host);
            let mut twin = MeshService { host, ..service.clone() };
            if let Err(cause) = name::check_host(&twin.host) {
                resolved.conditions.push(traffic.condition(Reason::InvalidName, unusable(&twin.host, &cause)));
            } else if taken.insert(twin.entry_name()) {
                twin.policy = HostPolicy { prefix: Some(prefix.to_owned()), ..base.clone() };
                govern(index, &mut twin, traffic, entry);
                twins.push(twin);
            } else {
                let message = format!("{} is the host of another service already; choose another dnsPrefix", twin.host);
                resolved.conditions.push(traffic.condition(Reason::HostConflict, message));
            }
        }
        service.policy = base;
        match (own, &traffic) {
            (Some(entry), Some(traffic)) => govern(index, &mut service, traffic, entry),
            _ => {
                service.policy.dns_prefix =
                    (service.role == HostRole::Canary).then(|| HostRole::Canary.prefix().to_owned());
                service.policy.locality = locality::without_policy(index, &service);
            }
        }
        resolved.services.push(service);
    }
    resolved.services.extend(twins);
    report::unused(index, identity, resolved);
}

/// Enters what `entry` says of the host of `service` (for the annotation see reconcile-spec 3.2.1).
fn govern(index: &Index, service: &mut MeshService, traffic: &Winner<'_, GlobalTrafficPolicy>, entry: &Entry) {
    let canary = HostRole::Canary.prefix();
    let shown = if entry.prefix == DEFAULT { "" } else { entry.prefix.as_str() };
    let dns_prefix = match (service.role, shown) {
        (HostRole::Canary, "") if entry.prefix == DEFAULT => Some(canary.to_owned()),
        (HostRole::Canary, prefix) if !prefix.is_empty() => Some(format!("{prefix}.{canary}")),
        (_, "") => None,
        (_, prefix) => Some(prefix.to_owned()),
    };
    service.policy.governed_by = Some(traffic.at.clone());
    service.policy.dns_prefix = dns_prefix;
    service.policy.locality = locality::of_entry(index, service, &entry.balance);
    if let (Ejection::Default, Some(outliers)) = (service.policy.ejection, entry.outliers) {
        service.policy.ejection = Ejection::Entry(outliers);
    }
}

/// The entries by what they put in front of the service's host; of several for one host the last has it, as in
/// Admiral.
fn by_prefix<'a>(
    traffic: &Winner<'a, GlobalTrafficPolicy>,
    service: &MeshService,
    resolved: &mut Resolved,
) -> BTreeMap<Option<&'a str>, &'a Entry> {
    let mut entries = BTreeMap::new();
    for entry in &traffic.policy.entries {
        let is_own = entry.prefix == service.env || entry.prefix == DEFAULT || entry.dns == service.host;
        let prefix = (!is_own).then_some(entry.prefix.as_str());
        if prefix == Some("") {
            let message = format!(
                "an entry with dns {} and without dnsPrefix is not for the host {}, so it is left out; give a dnsPrefix",
                name::shown(&entry.dns),
                service.host
            );
            resolved.conditions.push(traffic.condition(Reason::InvalidPolicy, message));
        } else if entries.insert(prefix, entry).is_some() {
            let message = format!(
                "several entries are for {}{}, and the last one counts; remove the others",
                prefix.map(|prefix| format!("{prefix}.")).unwrap_or_default(),
                service.host
            );
            resolved.conditions.push(traffic.condition(Reason::InvalidPolicy, message));
        }
    }
    entries
}

/// The policy of a kind that is in force for a service, in all clusters: the highest in rank of those beside
/// its workloads. Equal ones are ordered by cluster and name.
fn winner<'a, P: Policy + 'a>(index: &'a Index, service: &MeshService) -> Option<Winner<'a, P>> {
    let mut best: Option<Winner<'a, P>> = None;
    for (cluster, name, policy) in index.policies::<P>(&service.identity.to_lowercase()) {
        if governs(policy, cluster, name, service) && best.as_ref().is_none_or(|best| policy.rank(best.policy).is_gt())
        {
            best = Some(Winner { at: PolicyRef { cluster: cluster.clone(), name: name.clone() }, policy });
        }
    }
    best
}

/// Whether the policy is for this service: the same identity and env, in the namespace of a workload.
fn governs<P: Policy>(policy: &P, cluster: &ClusterId, name: &Name, service: &MeshService) -> bool {
    let owner = policy.owner();
    owner.identity == service.identity
        && owner.env == service.env
        && service.sources.get(cluster).is_some_and(|source| source.is_in(&name.namespace))
}

impl<P: Policy> Winner<'_, P> {
    fn condition(&self, reason: Reason, message: String) -> Condition {
        let subject = format!("{} {}/{}", P::KIND, self.at.name.namespace, self.at.name.name);
        Condition::new(Some(&self.at.cluster), subject, reason, message)
    }
}

fn unusable(host: &str, cause: &str) -> String {
    format!("the host {} cannot be used: {cause}; choose another dnsPrefix", name::shown(host))
}
