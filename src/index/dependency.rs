//! Dependency records of the control cluster: which identity calls which (reconcile-spec 3.9 W2).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin};

/// A Dependency record; identities as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// The client.
    pub source: String,
    /// What it calls.
    pub destinations: BTreeSet<String>,
}

impl Watched for Dependency {
    const KIND: Kind = Kind::Dependency;

    fn decode(object: &Value, _: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        let source = root.field("spec.source")?;
        let Some(text) = source.text()?.filter(|text| !text.is_empty()) else {
            return Err(source.error("the identity of the client"));
        };
        let mut destinations = BTreeSet::new();
        for destination in root.field("spec.destinations")?.items()? {
            destinations.insert(destination.text()?.ok_or_else(|| destination.error("an identity"))?.to_owned());
        }
        Ok(Some(Self { source: text.to_owned(), destinations }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.dependencies
    }

    fn touched(index: &mut Index, _: &Origin, _: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        for (record, by) in [(old, -1), (new, 1)] {
            for destination in record.iter().flat_map(|record| &record.destinations) {
                index.count_dependency(record.map_or("", |r| &r.source), destination, by);
            }
        }
        Touched::identities([old, new].into_iter().flatten().flat_map(|record| &record.destinations))
    }
}
