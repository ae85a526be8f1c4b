//! Nodes: only in which region they are (reconcile-spec 2.6; case w24).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin};

/// The labels that name a region, the newer one first.
const REGION_LABELS: [&str; 2] = ["topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"];

/// A node that says in which region it is; others are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    region: String,
}

impl Watched for Node {
    const KIND: Kind = Kind::Node;

    fn decode(object: &Value, _: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let labels = At::root(object).field("metadata.labels")?.strings()?;
        let region = REGION_LABELS.into_iter().find_map(|label| labels.get(label).filter(|region| !region.is_empty()));
        Ok(region.map(|region| Self { region: (*region).to_owned() }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.nodes
    }

    fn touched(index: &mut Index, origin: &Origin, _: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        let Some(state) = index.state_mut(origin) else { return Touched::none() };
        let region = most_frequent(state.nodes.values().map(|node| node.region.as_str()));
        if region == state.region {
            return Touched::none();
        }
        state.region = region;
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
}
