//! What traffic policies have in common: whose traffic they shape (reconcile-spec 2.3 N6), and what of them
//! cannot be used.
//!
//! Invariant: a value that cannot be used is left out alone and reported; the rest of its object is in force.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks};

/// The longest time that Istio's durations can hold.
const MOST_SECONDS: i64 = 315_576_000_000;

/// Whose traffic a policy shapes, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Of the workloads.
    pub identity: String,
    /// Of the workloads.
    pub env: String,
}

/// A value of a policy that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The field, its value and what it must be.
    pub error: DecodeError,
    /// What happens until it is corrected.
    pub effect: &'static str,
}

/// A kind of policy.
pub trait Policy: Watched {
    /// Whose traffic it shapes.
    fn owner(&self) -> &Owner;

    /// What of it cannot be used.
    fn problems(&self) -> &[Problem];

    /// Which of two policies wins; `Greater` if this one does.
    fn rank(&self, other: &Self) -> Ordering;

    /// Those of one API server.
    fn of(state: &State) -> &BTreeMap<Name, Self>;
}

/// Whether an annotation or label takes the policy out (reconcile-spec N7).
///
/// # Errors
/// When annotations or labels are no maps of strings.
pub fn is_ignored(root: &At<'_>) -> Result<bool, DecodeError> {
    let annotations = root.field("metadata.annotations")?.strings()?;
    let labels = root.field("metadata.labels")?.strings()?;
    Ok([annotations, labels].iter().any(|map| map.get(marks::IGNORE) == Some(&"true")))
}

/// The owner, from labels and annotations, and from `spec.selector` if `by_selector`.
///
/// # Errors
/// When no identity is given, or a field has a wrong type.
pub fn owner(root: &At<'_>, by_selector: bool, options: &MeshOptions) -> Result<Owner, DecodeError> {
    let annotations = root.field("metadata.annotations")?.strings()?;
    let labels_at = root.field("metadata.labels")?;
    let labels = labels_at.strings()?;
    let selector = if by_selector { root.field("spec.selector")?.strings()? } else { BTreeMap::new() };
    let first = |candidates: &[Option<&&str>]| {
        candidates.iter().flatten().find(|text| !text.is_empty()).map(|text| (**text).to_owned())
    };
    let (identity_key, env_key) = (options.policy.crd_identity_label.as_str(), options.env_key.as_str());
    let Some(identity) = first(&[labels.get(identity_key), selector.get(identity_key)]) else {
        return Err(DecodeError {
            field: format!("metadata.labels[{identity_key:?}]"),
            value: "absent".to_owned(),
            expected: "the identity of the workloads whose traffic it shapes",
        });
    };
    let env = first(&[
        annotations.get(env_key),
        labels.get(env_key),
        selector.get(env_key),
        labels.get("env"),
        selector.get("env"),
    ]);
    Ok(Owner { identity, env: env.unwrap_or_else(|| "default".to_owned()) })
}

/// A number of seconds or times from 0 on; `None` if it is absent.
///
/// # Errors
/// When it is something else.
pub fn count(at: &At<'_>, most: i64, expected: &'static str) -> Result<Option<i64>, DecodeError> {
    if at.value().is_null() {
        return Ok(None);
    }
    at.value().as_i64().filter(|n| (0..=most).contains(n)).map(Some).ok_or_else(|| at.error(expected))
}

/// Times of ejections, as both policies and their own resources give them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outliers {
    /// Seconds.
    pub base_ejection_s: Option<i64>,
    /// Consecutive gateway errors.
    pub gateway_errors: Option<i64>,
    /// Seconds.
    pub interval_s: Option<i64>,
}

/// Reads the three values of an outlier detection at `at`; those that cannot be used are `None`.
pub fn outliers(at: &At<'_>, problems: &mut Vec<Problem>) -> Outliers {
    const EFFECT: &str = "the value is left out";
    let mut read = |field: &str, most: i64, expected: &'static str| {
        let value = at.field(field).and_then(|at| count(&at, most, expected));
        value.unwrap_or_else(|error| {
            problems.push(Problem { error, effect: EFFECT });
            None
        })
    };
    Outliers {
        base_ejection_s: read("base_ejection_time", MOST_SECONDS, "a number of seconds"),
        gateway_errors: read("consecutive_gateway_errors", i64::from(u32::MAX), "a number of errors"),
        interval_s: read("interval", MOST_SECONDS, "a number of seconds"),
    }
}

/// What a change of a policy touches, after the list of its owner's policies was brought up to date.
pub fn touched<P: Policy>(
    index: &mut Index,
    origin: &Origin,
    name: &Name,
    old: Option<&P>,
    new: Option<&P>,
) -> Touched {
    let Origin::Cluster(cluster) = origin else { return Touched::none() };
    let key = (P::KIND, cluster.clone(), name.clone());
    let identity = |policy: &P| policy.owner().identity.to_lowercase();
    if let Some(identity) = old.map(identity)
        && let Some(policies) = index.policies.get_mut(&identity)
    {
        policies.remove(&key);
        if policies.is_empty() {
            index.policies.remove(&identity);
        }
    }
    if let Some(identity) = new.map(identity) {
        index.policies.entry(identity).or_default().insert(key);
    }
    Touched::identities([old, new].into_iter().flatten().map(|policy| &policy.owner().identity))
}

/// A policy with its place, for conditions.
pub fn subject(kind: Kind, name: &Name) -> String {
    format!("{kind} {}/{}", name.namespace, name.name)
}
