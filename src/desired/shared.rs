//! Objects that several identities share: each asks for its parts, the whole is put together from all of them.
//!
//! Invariant: while some cluster has never been seen, and for identities that are suspended, no part that is there is
//! taken out: whoever asked for it may be among the unseen.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ingress, sidecar};
use crate::index::Index;
use crate::mesh::{Kind, MeshOptions, ObjectKey};

/// Parts of one object, each with the identities (in lower case) that ask for it.
pub type Asked = BTreeMap<String, BTreeSet<String>>;

/// Whether an object of this key is put together from parts.
pub fn is_shared(key: &ObjectKey, options: &MeshOptions) -> bool {
    sidecar::key_is_ours(key, options) || ingress::is_namespace_rule(key, options)
}

/// What the shared object should be, given what is there; `None` if there should be none, or nothing of ours in it.
pub fn assemble(key: &ObjectKey, asked: &Asked, observed: Option<&Value>, index: &Index) -> Option<Value> {
    let (options, is_complete) = (index.options(), index.is_complete());
    let may_remove = |identity: &str| is_complete && !index.suspensions().keeps(identity, None);
    match key.kind {
        // A Sidecar is its owner's: without one nothing is made.
        Kind::Sidecar => sidecar::merged(observed?, asked, may_remove),
        _ => ingress::namespace_rule(key, asked, observed, options, may_remove),
    }
}
