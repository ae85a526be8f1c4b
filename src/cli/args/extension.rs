//! What Admiral does not have. All of it is off unless asked for.

use clap::{ArgAction, Args};

use crate::http::parse_go_bool;
use crate::mesh::ExtensionSettings;

/// Beyond Admiral.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Beyond Admiral")]
pub struct ExtensionArgs {
    /// A region to which a policy sends all traffic gives way to the others when it fails.
    #[arg(long, env = "FLAGSHIP_TRAFFIC_POLICY_FAILOVER", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub traffic_policy_failover: bool,
    /// Endpoints of a cluster whose nodes are all in one zone say which.
    #[arg(long, env = "FLAGSHIP_ZONE_LOCALITY", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub zone_locality: bool,
    /// Choose the protocol of a port as Istio does: by appProtocol, else by the port's name.
    #[arg(long, env = "FLAGSHIP_ISTIO_PROTOCOLS", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub istio_protocols: bool,
    /// Offer all ports of a Service under its host, not only the first.
    #[arg(long, env = "FLAGSHIP_ALL_PORTS", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub all_ports: bool,
    /// Workloads that are injected by a label or by their namespace, and ambient ones, count too.
    #[arg(long, env = "FLAGSHIP_ISTIO_INJECTION", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub istio_injection: bool,
    /// Tell by Kubernetes Events what keeps policies and workloads from having an effect.
    #[arg(long, env = "FLAGSHIP_KUBERNETES_EVENTS", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub kubernetes_events: bool,
    /// Tell by the status of each traffic policy whether it is used and in which clusters it is in place.
    #[arg(long, env = "FLAGSHIP_POLICY_STATUS", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub policy_status: bool,
}

impl ExtensionArgs {
    /// The settings.
    pub fn resolve(self) -> ExtensionSettings {
        ExtensionSettings {
            traffic_policy_failover: self.traffic_policy_failover,
            zone_locality: self.zone_locality,
            istio_protocols: self.istio_protocols,
            all_ports: self.all_ports,
            istio_injection: self.istio_injection,
            kubernetes_events: self.kubernetes_events,
            policy_status: self.policy_status,
        }
    }
}
