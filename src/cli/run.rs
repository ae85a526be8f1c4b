//! `flagship run`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{ArgAction, Args};

use super::args::{ClusterArgs, LeaseArgs, MeshArgs, SuspensionArgs, hostname};
use super::{Failure, block_on, dr_file, parse};
use crate::http::parse_go_bool;
use crate::options::RunOptions;
use crate::text::print;

/// Run an instance.
#[derive(Clone, Debug, Args)]
pub struct RunCommand {
    /// Who decides whether this instance is active: dynamodb (a lease in a DynamoDB table), noop (always active, no
    /// lease: for one instance only), standby (never) or ignoreidentity (dynamodb, and a suspension table must be given).
    /// Admiral's names are known too.
    #[arg(long, env = "FLAGSHIP_STATE_CHECKER", value_name = "NAME", default_value = "dynamodb", value_parser = parse::name)]
    #[arg(aliases = ["state_checker", "admiral_state_checker_name", "admiral-state-checker-name"])]
    state_checker: String,
    /// Where the API listens.
    #[arg(long, env = "FLAGSHIP_LISTEN", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:8080")]
    #[arg(value_parser = parse::listen)]
    listen: SocketAddr,
    /// Where the metrics listen a second time, as Admiral's do.
    #[arg(long, env = "FLAGSHIP_METRICS_LISTEN", value_name = "ADDRESS:PORT", default_value = "0.0.0.0:6900")]
    #[arg(alias = "metrics_listen", value_parser = parse::listen)]
    metrics_listen: SocketAddr,
    /// Whether that second listener is there.
    #[arg(long, env = "FLAGSHIP_METRICS", value_name = "BOOL", default_value = "true", value_parser = parse_go_bool)]
    #[arg(action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    metrics: bool,
    /// The Region in which this instance runs [default: AWS_REGION, else AWS_DEFAULT_REGION].
    #[arg(long, env = "FLAGSHIP_REGION", value_name = "REGION", value_parser = parse::name)]
    region: Option<String>,
    /// Admiral's YAML file with the lease's settings; flags and variables win over it.
    #[arg(
        long,
        env = "FLAGSHIP_DR_STATE_STORE_CONFIG_PATH",
        alias = "dr_state_store_config_path",
        value_name = "FILE"
    )]
    dr_state_store_config_path: Option<PathBuf>,
    /// Print the settings that would be used, as JSON, and stop.
    #[arg(long)]
    print_config: bool,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    suspension: SuspensionArgs,
    #[command(flatten)]
    clusters: ClusterArgs,
    #[command(flatten)]
    mesh: MeshArgs,
}

impl RunCommand {
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        let print_config = self.print_config;
        let (options, warnings) = self.resolve().map_err(Failure::Usage)?;
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        if print_config {
            let text = serde_json::to_string_pretty(&options).context("could not write the settings as JSON")?;
            print(&format!("{text}\n"))?;
            return Ok(ExitCode::SUCCESS);
        }
        block_on(crate::runtime::run(options))?;
        Ok(ExitCode::SUCCESS)
    }

    /// The options, and what should be warned of.
    ///
    /// # Errors
    /// When the file is wrong, or two arguments contradict each other.
    pub fn resolve(self) -> anyhow::Result<(RunOptions, Vec<String>)> {
        let (file, mut warnings) = match self.dr_state_store_config_path.as_deref() {
            Some(path) if !path.as_os_str().is_empty() => dr_file::read(path)?,
            _ => Default::default(),
        };
        let (suspension, more) = self.suspension.resolve()?;
        warnings.extend(more);
        let listen = self.listen;
        let options = RunOptions {
            state_checker: self.state_checker,
            lease: self.lease.resolve(&file, || endpoint(listen)),
            region: self.region.unwrap_or_else(region_of_the_sdk),
            listen,
            metrics_listen: self.metrics.then_some(self.metrics_listen),
            suspension,
            clusters: self.clusters.resolve()?,
            mesh: self.mesh.resolve(),
        };
        Ok((options, warnings))
    }
}

/// An address to listen on everywhere is nothing that others could call.
fn endpoint(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() {
        format!("http://{}:{}", hostname(), listen.port())
    } else {
        format!("http://{listen}")
    }
}

fn region_of_the_sdk() -> String {
    let variables = ["AWS_REGION", "AWS_DEFAULT_REGION"];
    variables.into_iter().filter_map(|name| std::env::var(name).ok()).find(|r| !r.is_empty()).unwrap_or_default()
}
