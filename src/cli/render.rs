//! `flagship render`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::args::{ClusterArgs, MeshArgs};
use super::{Failure, block_on};
use crate::options::RenderOptions;

/// Write what the clusters should hold.
#[derive(Clone, Debug, Args)]
pub struct RenderCommand {
    /// Where NAME.yaml is written for each cluster [default: all to standard output].
    #[arg(long, short, env = "FLAGSHIP_OUTPUT_DIR", alias = "output_dir", value_name = "DIRECTORY")]
    output_dir: Option<PathBuf>,
    #[command(flatten)]
    clusters: ClusterArgs,
    #[command(flatten)]
    mesh: MeshArgs,
}

impl RenderCommand {
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        block_on(crate::runtime::render(self.resolve().map_err(Failure::Usage)?))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The options.
    ///
    /// # Errors
    /// When two arguments contradict each other.
    pub fn resolve(self) -> anyhow::Result<RenderOptions> {
        let Self { output_dir, clusters, mesh } = self;
        Ok(RenderOptions { clusters: clusters.resolve()?, mesh: mesh.resolve(), output_dir })
    }
}
