//! VirtualServices: ours, to compare them with what is wanted, and customers' if they are copied. Kept whole.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched, observed};
use crate::mesh::{Compact, Kind, MeshOptions, ObjectKey, Origin};

/// The object without `managedFields` and `status`.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualService(pub Compact);

impl Watched for VirtualService {
    const KIND: Kind = Kind::VirtualService;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let namespace = At::root(object).field("metadata.namespace")?.text()?.unwrap_or_default();
        let ours = [options.sync_namespace.as_str(), options.routing.istio_namespace.as_str()];
        let is_used = options.routing.copy_customer_routing || ours.contains(&namespace);
        Ok(is_used.then(|| Self(observed::kept(object))))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.virtual_services
    }

    fn touched(_: &mut Index, _: &Origin, name: &Name, _: Option<&Self>, _: Option<&Self>) -> Touched {
        Touched::object(ObjectKey::new(Self::KIND, &name.namespace, &name.name))
    }
}
