//! How one event of a watched kind is folded into the index: the registry of kinds and the one generic step.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{DecodeError, Index, Name, NearMiss, State, Touched};
use super::{client_connection_config, global_traffic_policy, outlier_detection};
use super::{
    config_map, dependency, deployment, destination_rule, envoy_filter, event, job, namespace, node, rollout,
    routing_policy, service, service_entry, sidecar, virtual_service,
};
use crate::mesh::{Kind, MeshOptions, Origin};

/// A watched kind: what is kept of its objects, and what a change of one touches.
pub trait Watched: Clone + PartialEq {
    /// The kind.
    const KIND: Kind;

    /// What is kept of `object`; `None` if Flagship has no use for it.
    ///
    /// # Errors
    /// When a field that is used has a wrong type.
    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError>;

    /// Why an object that is not kept is almost one that is, for whoever misses it.
    fn near_miss(_: &Value, _: &MeshOptions) -> Option<NearMiss> {
        None
    }

    /// Where it is kept.
    fn store(state: &mut State) -> &mut BTreeMap<Name, Self>;

    /// Called after the store has changed from `old` to `new`, which differ: updates what is derived from the
    /// store, and says what that touches.
    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched;
}

/// One row of the registry.
pub struct Row {
    /// The kind.
    pub kind: Kind,
    /// Folds one object, or its absence.
    pub fold: fn(&mut Index, &Origin, &Name, Option<&Value>) -> Result<Touched, DecodeError>,
    /// The names of the kept objects.
    pub names: fn(&mut State) -> Vec<Name>,
}

/// Every watched kind; a new one is a file with an `impl Watched` and a row here.
const REGISTRY: [Row; 18] = [
    row::<namespace::Namespace>(),
    row::<node::Node>(),
    row::<service::Service>(),
    row::<deployment::Deployment>(),
    row::<rollout::Rollout>(),
    row::<job::Job>(),
    row::<dependency::Dependency>(),
    row::<config_map::ConfigMap>(),
    row::<service_entry::ServiceEntry>(),
    row::<destination_rule::DestinationRule>(),
    row::<routing_policy::RoutingPolicy>(),
    row::<virtual_service::VirtualService>(),
    row::<sidecar::Sidecar>(),
    row::<envoy_filter::EnvoyFilter>(),
    row::<event::Event>(),
    row::<global_traffic_policy::GlobalTrafficPolicy>(),
    row::<outlier_detection::OutlierDetection>(),
    row::<client_connection_config::ClientConnectionConfig>(),
];

/// The row of `kind`, if it is watched.
pub fn row_of(kind: Kind) -> Option<&'static Row> {
    REGISTRY.iter().find(|row| row.kind == kind)
}

const fn row<T: Watched>() -> Row {
    Row { kind: T::KIND, fold: fold::<T>, names: |state| T::store(state).keys().cloned().collect() }
}

fn fold<T: Watched>(
    index: &mut Index,
    origin: &Origin,
    name: &Name,
    object: Option<&Value>,
) -> Result<Touched, DecodeError> {
    let new = match object {
        Some(object) => T::decode(object, &index.options)?,
        None => None,
    };
    let near_miss = object.filter(|_| new.is_none()).and_then(|object| T::near_miss(object, &index.options));
    let Some(state) = index.state_mut(origin) else { return Ok(Touched::none()) };
    match near_miss {
        Some(near_miss) => state.near_misses.insert((T::KIND, name.clone()), near_miss),
        None => state.near_misses.remove(&(T::KIND, name.clone())),
    };
    let store = T::store(state);
    let old = match &new {
        Some(new) => store.insert(name.clone(), new.clone()),
        None => store.remove(name),
    };
    if old == new {
        return Ok(Touched::none());
    }
    Ok(T::touched(index, origin, name, old.as_ref(), new.as_ref()))
}
