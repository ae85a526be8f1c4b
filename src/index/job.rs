//! Jobs: clients that serve nothing (reconcile-spec 2.8).

use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::workload::{self, Ignored, Workload, WorkloadKind};
use super::{Index, Name, NearMiss, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks};

/// A Job with an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job(pub Workload);

impl Watched for Job {
    const KIND: Kind = Kind::Job;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        let Some(mut job) = Workload::decode(&root, options)? else { return Ok(None) };
        let annotations = root.field("spec.template.metadata.annotations")?.strings()?;
        // Unlike on other workloads, the mark counts on the template too (reconcile-spec N7).
        if annotations.get(marks::IGNORE) == Some(&"true") {
            job.ignored = job.ignored.or(Some(Ignored::Annotation));
        }
        // No Service leads to it.
        job.match_labels = BTreeMap::new();
        Ok(Some(Self(job)))
    }

    fn near_miss(object: &Value, options: &MeshOptions) -> Option<NearMiss> {
        workload::near_miss(object, options)
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.jobs
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        let (old, new) = (old.map(|j| &j.0), new.map(|j| &j.0));
        workload::touched(index, origin, (WorkloadKind::Job, name), old, new)
    }
}
