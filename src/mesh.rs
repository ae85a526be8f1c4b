//! Values that every part of the mesh pipeline shares: clusters, kinds, keys, changes.
//!
//! Invariant: nothing here does I/O or knows of time. Objects travel as JSON, so that fields which Flagship
//! does not know survive.

pub mod key;
pub mod kind;

pub use key::{ClusterId, ObjectKey, Origin};
pub use kind::{Kind, NamespaceScope, WatchScope};
