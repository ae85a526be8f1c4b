//! Traffic policies, under Admiral's names.

use clap::{ArgAction, Args};

use crate::cli::parse;
use crate::http::parse_go_bool;
use crate::mesh::PolicySettings;

/// Traffic policies.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Traffic policies")]
pub struct PolicyArgs {
    /// Label, else selector, of a policy that names its identity.
    #[arg(long, env = "FLAGSHIP_ADMIRAL_CRD_IDENTITY_LABEL", alias = "admiral_crd_identity_label", value_name = "KEY")]
    #[arg(default_value = "identity", value_parser = parse::name)]
    pub admiral_crd_identity_label: String,
    /// Label of a GlobalTrafficPolicy; the highest number wins.
    #[arg(long, env = "FLAGSHIP_PRIORITY_KEY", alias = "priority_key", value_name = "KEY")]
    #[arg(default_value = "priority", value_parser = parse::name)]
    pub priority_key: String,
    /// Without a policy, the region that had a service first stays primary.
    #[arg(long, env = "FLAGSHIP_ENABLE_ACTIVE_PASSIVE", alias = "enable_active_passive", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_active_passive: bool,
    /// Read ClientConnectionConfigs.
    #[arg(
        long,
        env = "FLAGSHIP_ENABLE_CLIENT_CONNECTION_CONFIG_PROCESSING",
        alias = "enable_client_connection_config_processing",
        value_name = "BOOL"
    )]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_client_connection_config_processing: bool,
    /// Write the clusters of a newly preferred region first.
    #[arg(long, env = "FLAGSHIP_PREVENT_SPLIT_BRAIN", alias = "prevent_split_brain", value_name = "BOOL")]
    #[arg(default_value = "true", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub prevent_split_brain: bool,
}

impl PolicyArgs {
    /// The settings as they are; the mesh checks them.
    pub fn resolve(self) -> PolicySettings {
        PolicySettings {
            crd_identity_label: self.admiral_crd_identity_label,
            priority_key: self.priority_key,
            active_passive: self.enable_active_passive,
            client_connection_config: self.enable_client_connection_config_processing,
            prevent_split_brain: self.prevent_split_brain,
        }
    }
}
