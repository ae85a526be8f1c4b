//! Flagship: disaster recovery for multi-region Istio meshes.

pub mod checker;
pub mod clock;
pub mod cluster;
pub mod desired;
pub mod index;
pub mod instant;
pub mod manifest;
pub mod mesh;
pub mod plan;
pub mod render;
