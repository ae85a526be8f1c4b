//! Customers' Sidecars of the one name that Flagship may add hosts to (reconcile-spec 3.7). Kept whole: an update
//! carries everything that is not ours as it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched, observed};
use crate::mesh::{Compact, Kind, MeshOptions, ObjectKey, Origin};

/// The object without `managedFields` and `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar(pub Compact);

impl Watched for Sidecar {
    const KIND: Kind = Kind::Sidecar;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let name = At::root(object).field("metadata.name")?;
        let is_ours_to_add_to = name.text()? == Some(options.routing.sidecar_name.as_str());
        Ok(is_ours_to_add_to.then(|| Self(observed::kept(object))))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.sidecars
    }

    fn touched(_: &mut Index, _: &Origin, name: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        Touched::object(ObjectKey::new(Self::KIND, &name.namespace, &name.name))
    }
}
