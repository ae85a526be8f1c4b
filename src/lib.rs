//! Flagship: disaster recovery for multi-region Istio meshes.

pub mod clock;
pub mod instant;
pub mod manifest;
pub mod mesh;
