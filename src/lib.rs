//! Flagship: disaster recovery for multi-region Istio meshes.
//!
//! Two or more instances watch every cluster of the mesh; exactly one, the active, writes. See ARCHITECTURE.md
//! for the map and the invariants.

pub mod checker;
pub mod cli;
pub mod clock;
pub mod cluster;
#[cfg(feature = "embedded")]
pub mod demo;
pub mod desired;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod explain;
pub mod http;
pub mod index;
pub mod instant;
pub mod lease;
pub mod manifest;
pub mod mesh;
pub mod metrics;
pub mod options;
pub mod plan;
pub mod render;
pub mod runtime;
pub mod store;
pub mod suspension;
pub mod text;
