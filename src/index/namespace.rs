//! Namespaces: only whether they are ignored (reconcile-spec 2.3 N7).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks};

/// A namespace that is ignored; others are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace;

impl Watched for Namespace {
    const KIND: Kind = Kind::Namespace;

    fn decode(object: &Value, _: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let annotations = At::root(object).field("metadata.annotations")?.strings()?;
        Ok((annotations.get(marks::IGNORE) == Some(&"true")).then_some(Self))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.namespaces
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        let Some(state) = index.state(origin) else { return Touched::none() };
        let identities: Vec<_> = state.workloads_in(&name.name).map(|(_, _, w)| w.identity.clone()).collect();
        index.touched_with_servers(&identities)
    }
}
