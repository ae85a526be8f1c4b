//! Flagship: disaster recovery for multi-region Istio meshes.

pub mod checker;
pub mod clock;
pub mod cluster;
pub mod http;
pub mod instant;
pub mod mesh;
pub mod metrics;
