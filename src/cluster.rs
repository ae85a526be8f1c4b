//! The clusters of the mesh: found, watched, and changed through the gate alone.

pub mod query;
pub mod source;
