//! Nodes: only in which region, and with `--zone-locality` in which zone, they are (reconcile-spec 2.6; case w24).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin};

/// The labels that name a region, the newer one first.
const REGION_LABELS: [&str; 2] = ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];

/// The labels that name a zone, the newer one first.
const ZONE_LABELS: [&str; 2] = ["topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"];

/// A node that says in which region it is; others are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    region: String,
    /// Only where it is asked for.
    zone: Option<String>,
}

impl Watched for Node {
    const KIND: Kind = Kind::Node;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let labels = At::root(object).field("metadata.labels")?.strings()?;
        let first = |names: [&str; 2]| names.into_iter().find_map(|label| labels.get(label).filter(|v| !v.is_empty()));
        let zone = first(ZONE_LABELS).filter(|_| options.extension.zone_locality).map(|zone| (*zone).to_owned());
        Ok(first(REGION_LABELS).map(|region| Self { region: (*region).to_owned(), zone }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.nodes
    }

    fn touched(index: &mut Index, origin: &Origin, _: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        let Some(state) = index.state_mut(origin) else { return Touched::none() };
        let region = most_frequent(state.nodes.values().map(|node| node.region.as_str()));
        let zone = region.as_deref().and_then(|region| only_zone(state.nodes.values(), region));
        if region == state.region && zone == state.zone {
            return Touched::none();
        }
        state.region = region;
        state.zone = zone;
        Touched::all()
    }
}

/// The region of most nodes; of several, the lexically first.
fn most_frequent<'a>(regions: impl Iterator<Item = &'a str>) -> Option<String> {
    let mut counts = BTreeMap::<&str, usize>::new();
    for region in regions {
        *counts.entry(region).or_default() += 1;
    }
    // max_by_key keeps the last of equals, hence the reversal.
    counts.into_iter().rev().max_by_key(|(_, count)| *count).map(|(region, _)| region.to_owned())
}

/// The zone of all nodes of a region, if they are in one: an endpoint stands for its whole cluster.
fn only_zone<'a>(nodes: impl Iterator<Item = &'a Node>, region: &str) -> Option<String> {
    let mut zones = nodes.filter(|node| node.region == region).map(|node| node.zone.as_deref());
    let zone = zones.next()??;
    zones.all(|other| other == Some(zone)).then(|| zone.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn newer_label_first_and_most_nodes_win() {
        let node = |labels: Value| Node::decode(&json!({"metadata": {"labels": labels}}), &MeshOptions::default());
        let both = json!({"failure-domain.beta.kubernetes.io/region": "old", "topology.kubernetes.io/region": "new"});
        assert_eq!(node(both).unwrap().unwrap().region, "new");
        assert_eq!(node(json!({REGION_LABELS[1]: "old", REGION_LABELS[0]: ""})).unwrap().unwrap().region, "old");
        assert_eq!(node(json!({"x": "y"})), Ok(None));
        assert_eq!(most_frequent(["b", "a", "b", "a", "c"].into_iter()), Some("a".to_owned()));
        assert_eq!(most_frequent(["b", "a", "b"].into_iter()), Some("b".to_owned()));
        assert_eq!(most_frequent(std::iter::empty()), None);
    }

    #[test]
    fn a_cluster_is_in_a_zone_only_if_all_its_nodes_are() {
        let node = |region: &str, zone: Option<&str>| Node { region: region.into(), zone: zone.map(str::to_owned) };
        let zone = |nodes: &[Node]| only_zone(nodes.iter(), "r");
        assert_eq!(zone(&[node("r", Some("a")), node("r", Some("a")), node("other", None)]), Some("a".to_owned()));
        assert_eq!(zone(&[node("r", Some("a")), node("r", Some("b"))]), None);
        assert_eq!(zone(&[node("r", Some("a")), node("r", None)]), None);
        assert_eq!(zone(&[]), None);
        let labels = json!({"metadata": {"labels": {REGION_LABELS[0]: "r", ZONE_LABELS[0]: "z"}}});
        assert_eq!(Node::decode(&labels, &MeshOptions::default()).unwrap().unwrap().zone, None, "not asked for");
    }
}
