//! EnvoyFilters of Istio's root namespace, ours and foreign ones. Kept whole, to compare them with what is wanted.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::DecodeError;
use super::fold::Watched;
use super::{Index, Name, State, Touched, observed};
use crate::mesh::{Compact, Kind, MeshOptions, ObjectKey, Origin};

/// The object without `managedFields` and `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvoyFilter(pub Compact);

impl Watched for EnvoyFilter {
    const KIND: Kind = Kind::EnvoyFilter;

    fn decode(object: &Value, _: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        Ok(Some(Self(observed::kept(object))))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.envoy_filters
    }

    fn touched(_: &mut Index, _: &Origin, name: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        Touched::object(ObjectKey::new(Self::KIND, &name.namespace, &name.name))
    }
}
