//! Which region gets a host's traffic (reconcile-spec DR5, G4).
//!
//! Invariant: what has to be remembered (which region was first, what was in force before a policy broke) is
//! read from the clusters, where every instance sees the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::desired::MeshService;
use crate::index::global_traffic_policy::Balance;
use crate::index::{Index, observed};
use crate::mesh::{ClusterId, Kind, ObjectKey, marks};

/// The label by which Istio knows the region of an endpoint.
const REGION_LABEL: &str = "topology.kubernetes.io/region";

/// Where `localityLbSetting` stands in a DestinationRule.
const SETTING: &str = "/spec/trafficPolicy/loadBalancer/localityLbSetting";

/// Which region gets the traffic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Locality {
    /// Nothing is said.
    #[default]
    Unset,
    /// The nearest region.
    Topology,
    /// Regions with the percentages that they get.
    Weights(Vec<(String, u32)>),
    /// One region for everybody (reconcile-spec DR5).
    Primary(String),
    /// What each cluster has, since the policy cannot be used.
    Kept(BTreeMap<ClusterId, Value>),
}

impl Locality {
    /// Whether it was read from observed DestinationRules.
    pub fn is_observed(&self) -> bool {
        matches!(self, Self::Primary(_) | Self::Kept(_))
    }

    /// `localityLbSetting` in a cluster of that region. `fails_over` says whether a region that gets everything
    /// gives way to the others when it fails; otherwise the others never get any (reconcile-spec G6).
    pub fn setting(&self, cluster: &ClusterId, region: &str, fails_over: bool) -> Option<Value> {
        match self {
            Self::Unset => None,
            Self::Topology => Some(json!({})),
            Self::Kept(settings) => settings.get(cluster).cloned(),
            Self::Primary(primary) if fails_over => Some(ranked(region, &[primary])),
            Self::Primary(primary) => Some(json!({"distribute": [{"from": "*", "to": {primary: 100}}]})),
            Self::Weights(weights) => match order(weights).filter(|_| fails_over) {
                Some(order) => Some(ranked(region, &order)),
                None => {
                    // A weight of zero is one that Istio refuses, and is implied.
                    let given = weights.iter().filter(|(_, weight)| *weight > 0);
                    let to: BTreeMap<_, _> = given.map(|(region, weight)| (region, weight)).collect();
                    Some(json!({"distribute": [{"from": format!("{region}/*"), "to": to}]}))
                }
            },
        }
    }
}

/// The regions in the order in which they should serve, if one of them gets everything. A split cannot be
/// combined with an order: Istio has one or the other.
fn order(weights: &[(String, u32)]) -> Option<Vec<&String>> {
    let (first, _) = weights.iter().find(|(_, weight)| *weight == 100)?;
    let others = weights.iter().map(|(region, _)| region).filter(|region| *region != first);
    // Istio ranks by whole regions.
    let order: Vec<_> = std::iter::once(first).chain(others).collect();
    order.iter().all(|region| !region.contains('/')).then_some(order)
}

/// Everybody prefers the first region. In that region itself the next of the order comes second; elsewhere Istio
/// cannot tell the others apart. `failover` and `failoverPriority` are never combined, which older versions of
/// Istio refuse.
fn ranked(own: &str, order: &[&String]) -> Value {
    match order {
        [first, next, ..] if *first == own => json!({"failover": [{"from": own, "to": next}]}),
        [first, ..] => json!({"failoverPriority": [format!("{REGION_LABEL}={first}")]}),
        [] => json!({}),
    }
}

/// What an entry of a policy says.
pub fn of_entry(index: &Index, service: &MeshService, balance: &Balance) -> Locality {
    match balance {
        Balance::Unset => Locality::Unset,
        Balance::Topology => Locality::Topology,
        Balance::Failover(weights) => Locality::Weights(weights.clone()),
        Balance::Unusable => {
            let settings = settings(index, service).filter(|(_, setting)| is_sound(setting));
            Locality::Kept(settings.map(|(cluster, setting)| (cluster.clone(), setting)).collect())
        }
    }
}

/// What holds for a host without an entry: with `--enable-active-passive` the region that was first stays
/// primary, as long as it has the service. The clusters remember it; what most of them have counts, and if
/// none has anything, the region of the oldest workload.
pub fn without_policy(index: &Index, service: &MeshService) -> Locality {
    if !index.options().policy.active_passive {
        return Locality::Unset;
    }
    let mut votes = BTreeMap::<String, usize>::new();
    for (_, setting) in settings(index, service) {
        let has_it = |region: &&str| service.sources.values().any(|source| source.region == *region);
        if let Some(region) = primary_of(&setting).filter(has_it) {
            *votes.entry(region.to_owned()).or_default() += 1;
        }
    }
    // max_by_key keeps the last of equals, hence the reversal.
    let most = votes.into_iter().rev().max_by_key(|(_, count)| *count).map(|(region, _)| region);
    let oldest = || {
        let sources = service.sources.iter();
        sources.min_by_key(|(cluster, source)| (source.created_s, *cluster)).map(|(_, source)| source.region.clone())
    };
    most.or_else(oldest).map_or(Locality::Unset, Locality::Primary)
}

/// The settings of the host's DestinationRules of ours.
fn settings<'a>(index: &'a Index, service: &MeshService) -> impl Iterator<Item = (&'a ClusterId, Value)> + use<'a> {
    let key = ObjectKey::new(Kind::DestinationRule, &index.options().sync_namespace, service.rule_name());
    index.clusters().filter_map(move |(cluster, state)| {
        let mut rule = state.observed(&key).filter(marks::is_owned)?;
        Some((cluster, rule.pointer_mut(SETTING)?.take()))
    })
}

/// The one region that a rule prefers for everybody, in either form.
fn primary_of(setting: &Value) -> Option<&str> {
    let for_all = distribute(setting).filter(|row| observed::text(row, "/from") == Some("*"));
    for_all.map_or_else(|| ranked_first(setting), single)
}

/// The region that gets everything by a DestinationRule.
pub fn preferred_region(rule: &Value) -> Option<&str> {
    let setting = rule.pointer(SETTING)?;
    let ranked = || ranked_first(setting).or_else(|| observed::text(setting, "/failover/0/from"));
    distribute(setting).map_or_else(ranked, single)
}

/// The only row of `distribute`.
fn distribute(setting: &Value) -> Option<&Value> {
    match setting.get("distribute").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => Some(only),
        _ => None,
    }
}

fn ranked_first(setting: &Value) -> Option<&str> {
    let first = observed::text(setting, "/failoverPriority/0")?;
    first.strip_prefix(REGION_LABEL)?.strip_prefix('=')
}

fn single(distribute: &Value) -> Option<&str> {
    let to = distribute.get("to")?.as_object()?;
    let (region, weight) = to.iter().next()?;
    (to.len() == 1 && weight.as_u64() == Some(100)).then_some(region)
}

/// Whether Istio accepts a setting: weights of 1 to 100, and 100 together.
fn is_sound(setting: &Value) -> bool {
    let rows = setting.get("distribute").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    setting.is_object()
        && rows.iter().all(|row| {
            let weights = row.get("to").and_then(Value::as_object).into_iter().flat_map(|to| to.values());
            let weights: Option<Vec<u64>> = weights.map(|w| w.as_u64().filter(|w| (1..=100).contains(w))).collect();
            observed::text(row, "/from").is_some() && weights.is_some_and(|w| w.iter().sum::<u64>() == 100)
        })
}
