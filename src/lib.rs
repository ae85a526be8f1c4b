//! Flagship: disaster recovery for multi-region Istio meshes.

pub mod checker;
pub mod cli;
pub mod clock;
pub mod cluster;
#[cfg(feature = "embedded")]
pub mod demo;
#[cfg(feature = "embedded")]
pub mod embedded;
pub mod http;
pub mod instant;
pub mod mesh;
pub mod metrics;
pub mod options;
pub mod runtime;
pub mod text;
