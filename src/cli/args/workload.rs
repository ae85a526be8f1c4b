//! Workloads beyond Deployments, under Admiral's names.

use clap::{ArgAction, Args};

use crate::cli::parse::filled;
use crate::http::parse_go_bool;
use crate::mesh::WorkloadSettings;

/// Workloads.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Workloads")]
pub struct WorkloadArgs {
    /// Argo Rollouts are workloads too.
    #[arg(long, env = "FLAGSHIP_ARGO_ROLLOUTS", alias = "argo_rollouts", value_name = "BOOL")]
    #[arg(default_value = "true", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub argo_rollouts: bool,
    /// Jobs count as clients.
    #[arg(long, env = "FLAGSHIP_ENABLE_CLIENT_DISCOVERY", alias = "enable_client_discovery", value_name = "BOOL")]
    #[arg(default_value = "true", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_client_discovery: bool,
    /// Clusters in which Jobs count as clients; separated by commas. Without it, all.
    #[arg(
        long,
        env = "FLAGSHIP_CLIENT_DISCOVERY_CLUSTERS_FOR_JOBS",
        alias = "client_discovery_clusters_for_jobs",
        value_name = "CLUSTER"
    )]
    #[arg(value_delimiter = ',')]
    pub client_discovery_clusters_for_jobs: Vec<String>,
}

impl WorkloadArgs {
    /// The settings as they are; the mesh checks them.
    pub fn resolve(self) -> WorkloadSettings {
        WorkloadSettings {
            argo_rollouts: self.argo_rollouts,
            client_discovery: self.enable_client_discovery,
            client_discovery_clusters: filled(self.client_discovery_clusters_for_jobs),
        }
    }
}
