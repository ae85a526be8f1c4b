//! OutlierDetections: when endpoints of a service are ejected (reconcile-spec DR3, DR4).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::policy::{self, Outliers, Owner, Policy, Problem};
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin};

/// What is kept of an OutlierDetection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutlierDetection {
    /// Whose traffic it shapes.
    pub owner: Owner,
    /// Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
    /// `spec.outlier_config`.
    pub outliers: Option<Outliers>,
    /// What of it cannot be used.
    pub problems: Vec<Problem>,
}

impl Policy for OutlierDetection {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn rank(&self, other: &Self) -> Ordering {
        self.created_s.cmp(&other.created_s)
    }

    fn of(state: &State) -> &BTreeMap<Name, Self> {
        &state.outlier_detections
    }
}

impl Watched for OutlierDetection {
    const KIND: Kind = Kind::OutlierDetection;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        if policy::is_ignored(&root)? {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let at = root.field("spec.outlier_config")?;
        let outliers = (!at.value().is_null()).then(|| timed(&at, &mut problems));
        Ok(Some(Self {
            owner: policy::owner(&root, true, options)?,
            created_s: root.field("metadata.creationTimestamp")?.time()?,
            outliers,
            problems,
        }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.outlier_detections
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        policy::touched(index, origin, name, old, new)
    }
}

/// The three values. Zero errors switch the detection off, but Istio refuses times of zero.
fn timed(at: &At<'_>, problems: &mut Vec<Problem>) -> Outliers {
    let mut outliers = policy::outliers(at, problems);
    for (field, seconds) in
        [("base_ejection_time", &mut outliers.base_ejection_s), ("interval", &mut outliers.interval_s)]
    {
        if *seconds == Some(0)
            && let Ok(at) = at.field(field)
        {
            let error = at.error("1 second at least");
            problems.push(Problem { error, effect: "the value is left out" });
            *seconds = None;
        }
    }
    outliers
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_of_zero_are_reported_and_zero_errors_are_kept() {
        let object = json!({"metadata": {"labels": {"identity": "i"}}, "spec": {"outlier_config":
            {"base_ejection_time": 0, "consecutive_gateway_errors": 0, "interval": 5}}});
        let read = OutlierDetection::decode(&object, &MeshOptions::default()).unwrap().unwrap();
        let expected = Outliers { base_ejection_s: None, gateway_errors: Some(0), interval_s: Some(5) };
        assert_eq!(read.outliers, Some(expected));
        assert_eq!(
            read.problems[0].error.to_string(),
            "spec.outlier_config.base_ejection_time is 0, but must be 1 second at least"
        );
        assert_eq!(read.problems.len(), 1);
    }
}
