//! Parts of the command line that several commands share. Every flag also reads `FLAGSHIP_<NAME>`, and takes
//! Admiral's name where Admiral has it.

mod clusters;
mod entry;
mod extension;
mod lease;
mod log;
mod mesh;
mod policy;
mod routing;
mod suspension;
mod workload;

pub use clusters::ClusterArgs;
pub use lease::{LeaseArgs, TableArgs, hostname};
pub use log::LogArgs;
pub use mesh::MeshArgs;
pub use suspension::SuspensionArgs;
