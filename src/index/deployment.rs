//! Deployments.

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::workload::{self, Workload, WorkloadKind};
use super::{Index, Name, NearMiss, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin};

/// A Deployment with an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment(pub Workload);

impl Watched for Deployment {
    const KIND: Kind = Kind::Deployment;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        Ok(Workload::decode(&At::root(object), options)?.map(Self))
    }

    fn near_miss(object: &Value, options: &MeshOptions) -> Option<NearMiss> {
        workload::near_miss(object, options)
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.deployments
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        let (old, new) = (old.map(|d| &d.0), new.map(|d| &d.0));
        workload::touched(index, origin, (WorkloadKind::Deployment, name), old, new)
    }
}
