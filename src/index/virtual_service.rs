//! VirtualServices: the http routes of customers' own, for canary Rollouts; kept whole are ours, to compare them with
//! what is wanted, and customers' if they are copied.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::http_route::HttpRoute;
use super::{Index, Name, State, Touched, observed};
use crate::mesh::{Compact, Kind, MeshOptions, ObjectKey, Origin};

/// What is kept of a VirtualService.
#[derive(Clone, Debug, PartialEq)]
pub struct VirtualService {
    /// Without `managedFields` and `status`; `None` if nobody compares or copies it.
    pub kept: Option<Compact>,
    /// Its http routes in their order; empty if no Rollout can name it.
    pub routes: Vec<HttpRoute>,
}

impl Watched for VirtualService {
    const KIND: Kind = Kind::VirtualService;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        let namespace = root.field("metadata.namespace")?.text()?.unwrap_or_default();
        let routing = &options.routing;
        let is_ours = [options.sync_namespace.as_str(), routing.istio_namespace.as_str()].contains(&namespace);
        let is_kept = routing.copy_customer_routing || (is_ours && routing.uses_virtual_services());
        let is_canarys = options.workload.argo_rollouts && !is_ours;
        Ok((is_kept || is_canarys).then_some(Self {
            kept: is_kept.then(|| observed::kept(object)),
            routes: if is_canarys { HttpRoute::all_of(&root)? } else { Vec::new() },
        }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.virtual_services
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        let mut touched = index.touched_by_route(origin, name);
        if [old, new].into_iter().flatten().any(|virtual_service| virtual_service.kept.is_some()) {
            touched.merge(Touched::object(ObjectKey::new(Self::KIND, &name.namespace, &name.name)));
        }
        touched
    }
}
