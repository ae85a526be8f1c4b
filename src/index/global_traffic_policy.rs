//! GlobalTrafficPolicies: which region gets a host's traffic, and further hosts by prefix (reconcile-spec 3.5).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::policy::{self, Outliers, Owner, Policy, Problem};
use super::{Index, Name, State, Touched, observed};
use crate::mesh::{Compact, Kind, MeshOptions, Origin, name};

/// Of two policies with this annotation the one with the larger text wins (reconcile-spec G2).
const LAST_UPDATED: &str = "lastUpdatedAt";

/// What is kept of a GlobalTrafficPolicy.
#[derive(Clone, Debug, PartialEq)]
pub struct GlobalTrafficPolicy {
    /// Whose traffic it shapes.
    pub owner: Owner,
    /// The highest wins; 0 without a label.
    pub priority: i64,
    /// The annotation that Admiral's tools set on each change.
    pub last_updated: Option<String>,
    /// Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
    /// One for each host, in their order.
    pub entries: Vec<Entry>,
    /// What of it cannot be used.
    pub problems: Vec<Problem>,
    /// The object, for the API.
    pub object: Compact,
}

/// What a policy says of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// In front of the host; `default` and the env mean the host itself. May be empty if `dns` is not.
    pub prefix: String,
    /// The whole host; deprecated.
    pub dns: String,
    /// Which region gets the traffic.
    pub balance: Balance,
    /// When endpoints are ejected, if it says so.
    pub outliers: Option<Outliers>,
}

/// Which region gets the traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Balance {
    /// No targets: as without a policy.
    Unset,
    /// The nearest region.
    Topology,
    /// Regions with the percentages that they get, 100 together. Those that get none are there too.
    Failover(Vec<(String, u32)>),
    /// It cannot be used: what is in force stays in force.
    Unusable,
}

impl Policy for GlobalTrafficPolicy {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The highest priority, then the last update if both have one, then the newest (reconcile-spec G2).
    fn rank(&self, other: &Self) -> Ordering {
        let updates = self.last_updated.as_ref().zip(other.last_updated.as_ref());
        let updated = updates.map_or(Ordering::Equal, |(mine, theirs)| mine.cmp(theirs));
        self.priority.cmp(&other.priority).then(updated).then(self.created_s.cmp(&other.created_s))
    }

    fn of(state: &State) -> &BTreeMap<Name, Self> {
        &state.traffic_policies
    }
}

impl Watched for GlobalTrafficPolicy {
    const KIND: Kind = Kind::GlobalTrafficPolicy;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        if policy::is_ignored(&root)? {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let labels = root.field("metadata.labels")?;
        let priority = match labels.strings()?.get(options.policy.priority_key.as_str()) {
            None => 0,
            Some(text) => text.parse().unwrap_or_else(|_| {
                let field = format!("metadata.labels[{:?}]", options.policy.priority_key);
                let error = DecodeError { field, value: name::shown(text), expected: "a whole number" };
                problems.push(Problem { error, effect: "the priority is 0" });
                0
            }),
        };
        let annotations = root.field("metadata.annotations")?.strings()?;
        let mut entries = Vec::new();
        for at in root.field("spec.policy")?.items()? {
            match entry(&at, &mut problems) {
                Ok(entry) => entries.push(entry),
                Err(error) => problems.push(Problem { error, effect: "this entry is left out" }),
            }
        }
        Ok(Some(Self {
            owner: policy::owner(&root, true, options)?,
            priority,
            last_updated: annotations.get(LAST_UPDATED).map(|text| (*text).to_owned()),
            created_s: root.field("metadata.creationTimestamp")?.time()?,
            entries,
            problems,
            object: observed::kept(object),
        }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.traffic_policies
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        policy::touched(index, origin, name, old, new)
    }
}

/// One entry of `spec.policy`.
fn entry(at: &At<'_>, problems: &mut Vec<Problem>) -> Result<Entry, DecodeError> {
    let prefix_at = at.field("dnsPrefix")?;
    let prefix = prefix_at.text()?.unwrap_or_default().to_owned();
    let dns = at.field("dns")?.text()?.unwrap_or_default().to_owned();
    let is_sound = if prefix.is_empty() { !dns.is_empty() } else { name::check_host(&format!("{prefix}.x")).is_ok() };
    if !is_sound {
        return Err(prefix_at.error("the env, \"default\", or DNS labels to stand in front of the host"));
    }
    let balance = balance(at).unwrap_or_else(|error| {
        problems.push(Problem { error, effect: "the host keeps the regions that it has in each cluster" });
        Balance::Unusable
    });
    let outliers_at = at.field("outlier_detection")?;
    let outliers = (!outliers_at.value().is_null()).then(|| policy::outliers(&outliers_at, problems));
    Ok(Entry { prefix, dns, balance, outliers })
}

fn balance(at: &At<'_>) -> Result<Balance, DecodeError> {
    let kind_at = at.field("lbType")?;
    let is_failover = match kind_at.value() {
        Value::Null => false,
        value => match value.as_i64() {
            Some(0) => false,
            Some(1) => true,
            _ => return Err(kind_at.error("0 (TOPOLOGY) or 1 (FAILOVER), as a number")),
        },
    };
    let targets_at = at.field("target")?;
    let targets = targets_at.items()?;
    match (targets.is_empty(), is_failover) {
        (true, _) => Ok(Balance::Unset),
        (false, false) => Ok(Balance::Topology),
        (false, true) => weights(&targets_at, &targets).map(Balance::Failover),
    }
}

/// Regions and weights as Istio accepts them: no region twice, not even in part, and 100 percent together.
fn weights(list: &At<'_>, targets: &[At<'_>]) -> Result<Vec<(String, u32)>, DecodeError> {
    let mut regions: Vec<(String, u32)> = Vec::new();
    for target in targets {
        let region_at = target.field("region")?;
        let region = region_at.text()?.unwrap_or_default();
        if region.is_empty() || region.contains('*') || region.split('/').any(str::is_empty) {
            return Err(region_at.error("a region such as us-west-2"));
        }
        let is_within = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
        if regions.iter().any(|(other, _)| is_within(region, other) || is_within(other, region)) {
            return Err(region_at.error("a region that no other target of the entry has"));
        }
        let weight_at = target.field("weight")?;
        let weight = policy::count(&weight_at, 100, "a percentage from 0 to 100")?.unwrap_or_default();
        regions.push((region.to_owned(), u32::try_from(weight).unwrap_or_default()));
    }
    let sum: u32 = regions.iter().map(|(_, weight)| weight).sum();
    if sum == 100 {
        return Ok(regions);
    }
    let mut error = list.error("weights of 100 together");
    error.value = format!("{sum} together");
    Err(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(labels: Value, entries: Value) -> GlobalTrafficPolicy {
        let object = json!({"metadata": {"name": "g", "namespace": "n", "labels": labels},
            "spec": {"policy": entries}});
        GlobalTrafficPolicy::decode(&object, &MeshOptions::default()).unwrap().unwrap()
    }

    fn problems(entry: Value) -> Vec<String> {
        let policy = decode(json!({"identity": "i"}), json!([entry, {"dnsPrefix": "good"}]));
        assert!(policy.entries.iter().any(|entry| entry.prefix == "good"), "one bad entry does not block the others");
        policy.problems.into_iter().map(|problem| format!("{}; {}", problem.error, problem.effect)).collect()
    }

    #[test]
    fn a_bad_value_is_named_with_its_field_and_what_it_must_be() {
        let failover = |targets: Value| json!({"dnsPrefix": "west", "lbType": 1, "target": targets});
        for (entry, expected) in [
            (json!({"dnsPrefix": ""}), "spec.policy[0].dnsPrefix is \"\", but must be the env"),
            (json!({"dnsPrefix": "-west"}), "spec.policy[0].dnsPrefix is \"-west\""),
            (json!({"dnsPrefix": 7}), "spec.policy[0].dnsPrefix is 7, but must be a string; this entry is left out"),
            (json!({"dnsPrefix": "a", "lbType": "FAILOVER"}), "spec.policy[0].lbType is \"FAILOVER\", but must be 0"),
            (json!({"dnsPrefix": "a", "lbType": 2}), "spec.policy[0].lbType is 2"),
            (failover(json!([{"region": "w", "weight": -1}])), "target[0].weight is -1, but must be a percentage"),
            (failover(json!([{"region": "w", "weight": "x"}])), "target[0].weight is \"x\""),
            (failover(json!([{"region": "w", "weight": 60}, {"region": "e", "weight": 30}])), "target is 90 together"),
            (failover(json!([{"region": "", "weight": 100}])), "target[0].region is \"\""),
            (failover(json!([{"region": "w", "weight": 50}, {"region": "w/z", "weight": 50}])), "target[1].region"),
            (json!({"dnsPrefix": "a", "outlier_detection": {"interval": -3}}), "outlier_detection.interval is -3"),
        ] {
            let found = problems(entry.clone());
            assert!(found.len() == 1 && found[0].contains(expected), "{entry}: {found:?}");
        }
        let sound = failover(json!([{"region": "w", "weight": 100}, {"region": "e"}]));
        assert_eq!(problems(sound), Vec::<String>::new());
    }

    #[test]
    fn priority_then_update_then_age() {
        let policy = |priority: i64, updated: Option<&str>, created_s: i64| GlobalTrafficPolicy {
            priority,
            last_updated: updated.map(str::to_owned),
            created_s: Some(created_s),
            ..decode(json!({"identity": "i"}), json!([]))
        };
        assert_eq!(policy(2, None, 1).rank(&policy(1, Some("z"), 9)), Ordering::Greater);
        assert_eq!(policy(1, Some("b"), 1).rank(&policy(1, Some("a"), 9)), Ordering::Greater);
        assert_eq!(policy(1, Some("b"), 1).rank(&policy(1, None, 9)), Ordering::Less);
        let bad = decode(json!({"identity": "i", "priority": "high"}), json!([]));
        assert_eq!((bad.priority, bad.problems.len()), (0, 1));
    }

    #[test]
    fn identity_and_env_come_from_labels_annotations_or_the_selector() {
        let owner = |metadata: Value, selector: Value| {
            let object = json!({"metadata": metadata, "spec": {"selector": selector}});
            GlobalTrafficPolicy::decode(&object, &MeshOptions::default()).map(|policy| policy.unwrap().owner)
        };
        let is = |identity: &str, env: &str| Ok(Owner { identity: identity.into(), env: env.into() });
        assert_eq!(owner(json!({"labels": {"identity": "a"}}), json!({"identity": "b", "env": "s"})), is("a", "s"));
        assert_eq!(owner(json!({"labels": {"env": "l"}}), json!({"identity": "b", "env": "s"})), is("b", "l"));
        let all = json!({"labels": {"identity": "a", "admiral.io/env": "l"}, "annotations": {"admiral.io/env": "x"}});
        assert_eq!(owner(all, json!({})), is("a", "x"));
        assert_eq!(owner(json!({"labels": {"identity": "a"}}), Value::Null), is("a", "default"));
        assert!(owner(json!({}), json!({})).unwrap_err().to_string().contains("must be the identity"));
        let ignored = json!({"metadata": {"labels": {"identity": "a", "admiral.io/ignore": "true"}}});
        assert_eq!(GlobalTrafficPolicy::decode(&ignored, &MeshOptions::default()), Ok(None));
    }
}
