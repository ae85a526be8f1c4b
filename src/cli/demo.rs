//! `flagship demo`

use std::process::ExitCode;

use clap::Args;

use super::Failure;

/// Show a whole failover.
#[derive(Clone, Debug, Args)]
pub struct DemoCommand {
    /// Leave everything running at the end, until Ctrl-C, and keep its files.
    #[arg(long)]
    keep: bool,
    /// The first of four ports in a row on 127.0.0.1 [default: free ones].
    #[arg(long, env = "FLAGSHIP_LISTEN_BASE", alias = "listen_base", value_name = "PORT")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=65532))]
    listen_base: Option<u16>,
}

impl DemoCommand {
    #[cfg(feature = "embedded")]
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        let settings = crate::demo::DemoSettings { keep: self.keep, listen_base: self.listen_base };
        let held = super::block_on(async { Ok(crate::demo::run(settings).await?) })?;
        Ok(if held { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    #[cfg(not(feature = "embedded"))]
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        let _ = (self.keep, self.listen_base);
        Err(Failure::Work(anyhow::anyhow!(
            "this build has no embedded DynamoDB engine, which the demo needs; build with the feature `embedded`"
        )))
    }
}
