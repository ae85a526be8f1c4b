//! The wiring of checker, mesh, clusters and HTTP. What stands here until that is merged refuses to run.

use anyhow::bail;

use crate::options::{LeaseInitOptions, RenderOptions, RunOptions};

/// Runs an instance until it is told to stop.
///
/// # Errors
/// When it cannot start, or when one of its tasks ended by itself.
pub async fn run(_options: RunOptions) -> anyhow::Result<()> {
    bail!("`flagship run` is not wired up in this build")
}

/// Writes what the clusters should hold, once, without touching them.
///
/// # Errors
/// When an input cannot be read or the output not be written.
pub async fn render(_options: RenderOptions) -> anyhow::Result<()> {
    bail!("`flagship render` is not wired up in this build")
}

/// Makes the lease item, and the table if asked; returns what happened, in one line for people.
///
/// # Errors
/// When a request fails or the table is not fit for a lease.
pub async fn lease_init(_options: LeaseInitOptions) -> anyhow::Result<String> {
    bail!("`flagship lease init` is not wired up in this build")
}
