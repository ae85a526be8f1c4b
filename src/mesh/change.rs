//! A change of one object in one cluster, as data: what the plan asks for and the gate carries out.

use serde_json::Value;

use super::ObjectKey;

/// What an object says beside its metadata: the fields of written kinds, of which each has one.
pub const BODIES: [&str; 3] = ["spec", "data", "status"];

/// What is to happen to one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object.
    pub key: ObjectKey,
    /// What is to happen to it.
    pub op: Op,
}

/// The verb of a change, with the observation that it was planned from. Whoever writes sends `uid` and
/// `resource_version` as preconditions: a conflict is a fresh observation and a new plan, never an overwrite.
/// `T` is how the object is held: as a tree, or packed.
#[derive(Clone, Debug, PartialEq)]
pub enum Op<T = Value> {
    /// The object is absent and wanted.
    Create {
        /// The whole object.
        object: T,
    },
    /// The object differs from what is wanted.
    Update {
        /// The whole object to PUT, foreign labels, annotations, finalizers and owners kept; `metadata` has
        /// neither `uid` nor `resourceVersion`, the writer adds them.
        object: T,
        /// The observed uid, if the source of the observation knows uids.
        uid: Option<String>,
        /// The observed resourceVersion; empty if the source of the observation has none.
        resource_version: String,
    },
    /// The object is ours and no longer wanted.
    Delete {
        /// The observed uid.
        uid: Option<String>,
        /// The observed resourceVersion.
        resource_version: String,
        /// An object of the same cluster whose own pending change must be written before this delete: the
        /// record of the address that the delete sets free.
        requires: Option<ObjectKey>,
    },
}

impl<T> Op<T> {
    /// `create`, `update` or `delete`, as in logs and metrics.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Delete { .. } => "delete",
        }
    }

    /// The same with the object held otherwise.
    pub fn map<U>(self, hold: impl FnOnce(T) -> U) -> Op<U> {
        match self {
            Self::Create { object } => Op::Create { object: hold(object) },
            Self::Update { object, uid, resource_version } => {
                Op::Update { object: hold(object), uid, resource_version }
            }
            Self::Delete { uid, resource_version, requires } => Op::Delete { uid, resource_version, requires },
        }
    }
}
