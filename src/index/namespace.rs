//! Namespaces: only whether they are ignored (reconcile-spec 2.3 N7), and with `--istio-injection` whether they are
//! in the mesh.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks};

/// A namespace that says something about its workloads; others are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Whether they are out of the mesh, whatever they say.
    pub ignored: bool,
    /// Whether those that say nothing are in the mesh.
    pub is_in_mesh: bool,
}

impl Watched for Namespace {
    const KIND: Kind = Kind::Namespace;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let annotations = At::root(object).field("metadata.annotations")?.strings()?;
        let labels = At::root(object).field("metadata.labels")?.strings()?;
        let ignored = annotations.get(marks::IGNORE) == Some(&"true");
        // A revision does not count beside the older label (Istio's documentation, "Canary Upgrades").
        let by_sidecar = match labels.get(marks::INJECTION) {
            Some(value) => *value == "enabled",
            None => labels.get(marks::REVISION).is_some_and(|revision| !revision.is_empty()),
        };
        let is_ambient = labels.get(marks::DATAPLANE_MODE) == Some(&marks::AMBIENT);
        let is_in_mesh = options.extension.istio_injection && (by_sidecar || is_ambient);
        Ok((ignored || is_in_mesh).then_some(Self { ignored, is_in_mesh }))
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
