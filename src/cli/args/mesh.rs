//! The mesh, under Admiral's names.

use std::time::Duration;

use clap::{ArgAction, Args};

use super::entry::EntryArgs;
use super::extension::ExtensionArgs;
use super::policy::PolicyArgs;
use super::routing::RoutingArgs;
use super::workload::WorkloadArgs;
use crate::cli::parse;
use crate::http::parse_go_bool;
use crate::mesh::MeshSettings;

/// The mesh.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Mesh")]
pub struct MeshArgs {
    /// Where generated objects live, in every cluster.
    #[arg(long, env = "FLAGSHIP_SYNC_NAMESPACE", alias = "sync_namespace", value_name = "NAMESPACE")]
    #[arg(default_value = "admiral-sync", value_parser = parse::name)]
    pub sync_namespace: String,
    /// Where Dependency records live, in the control cluster.
    #[arg(long, env = "FLAGSHIP_DEPENDENCY_NAMESPACE", alias = "dependency_namespace", value_name = "NAMESPACE")]
    #[arg(default_value = "admiral", value_parser = parse::name)]
    pub dependency_namespace: String,
    /// The end of every generated host: ENV.IDENTITY.SUFFIX.
    #[arg(long, env = "FLAGSHIP_HOSTNAME_SUFFIX", alias = "hostname_suffix", value_name = "SUFFIX")]
    #[arg(default_value = "global", value_parser = parse::name)]
    pub hostname_suffix: String,
    /// Label, else annotation, of the pod template that names the workload.
    #[arg(long, env = "FLAGSHIP_WORKLOAD_IDENTITY_KEY", alias = "workload_identity_key", value_name = "KEY")]
    #[arg(default_value = "identity", value_parser = parse::name)]
    pub workload_identity_key: String,
    /// Label or annotation that names the environment.
    #[arg(long, env = "FLAGSHIP_ENV_KEY", alias = "env_key", value_name = "KEY")]
    #[arg(default_value = "admiral.io/env", value_parser = parse::name)]
    pub env_key: String,
    /// Label `app` of the Service that is a cluster's gateway.
    #[arg(long, env = "FLAGSHIP_GATEWAY_APP", alias = "gateway_app", value_name = "APP")]
    #[arg(default_value = "istio-ingressgateway", value_parser = parse::name)]
    pub gateway_app: String,
    /// The namespace of the gateway Service.
    #[arg(long, env = "FLAGSHIP_GATEWAY_NAMESPACE", alias = "gateway_namespace", value_name = "NAMESPACE")]
    #[arg(default_value = "istio-system", value_parser = parse::name)]
    pub gateway_namespace: String,
    /// Annotation of the pod template that must be "true".
    #[arg(long, env = "FLAGSHIP_DEPLOYMENT_ANNOTATION", alias = "deployment_annotation", value_name = "KEY")]
    #[arg(default_value = "sidecar.istio.io/inject", value_parser = parse::name)]
    pub deployment_annotation: String,
    /// Label of the pod template that hides a workload.
    #[arg(long, env = "FLAGSHIP_ADMIRAL_IGNORE_LABEL", alias = "admiral_ignore_label", value_name = "KEY")]
    #[arg(default_value = "admiral-ignore", value_parser = parse::name)]
    pub admiral_ignore_label: String,
    /// The first two octets of generated addresses.
    #[arg(long, env = "FLAGSHIP_SE_IP_PREFIX", alias = "se_ip_prefix", value_name = "A.B")]
    #[arg(default_value = "240.0", value_parser = parse::name)]
    pub se_ip_prefix: String,
    /// Admiral's record of addresses, read so that a migration moves none.
    #[arg(long, env = "FLAGSHIP_SE_ADDRESS_CONFIGMAP", alias = "se_address_configmap", value_name = "NAME")]
    #[arg(default_value = "se-address-configmap", value_parser = parse::name)]
    pub se_address_configmap: String,
    /// How long the address of a removed host is kept from others.
    #[arg(long, env = "FLAGSHIP_ADDRESS_HOLD", alias = "address_hold", value_name = "DURATION")]
    #[arg(default_value = "24h", value_parser = parse::duration)]
    pub address_hold: Duration,
    /// Give no address to new hosts.
    #[arg(long, env = "FLAGSHIP_DISABLE_IP_GENERATION", alias = "disable_ip_generation", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub disable_ip_generation: bool,
    /// End gateway host names with a dot.
    #[arg(long, env = "FLAGSHIP_ENABLE_ABSOLUTE_FQDN", alias = "enable_absolute_fqdn", value_name = "BOOL")]
    #[arg(default_value = "true", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_absolute_fqdn: bool,
    /// With the former, end local host names with a dot too.
    #[arg(long, env = "FLAGSHIP_ENABLE_ABSOLUTE_FQDN_FOR_LOCAL_ENDPOINTS", value_name = "BOOL")]
    #[arg(alias = "enable_absolute_fqdn_for_local_endpoints")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_absolute_fqdn_for_local_endpoints: bool,
    /// Warm-up in generated DestinationRules, in seconds.
    #[arg(long, env = "FLAGSHIP_DEFAULT_WARMUP_DURATION_IN_SECONDS", value_name = "SECONDS")]
    #[arg(alias = "default_warmup_duration_in_seconds", default_value = "45", value_parser = parse::count)]
    pub default_warmup_duration_in_seconds: u32,
    /// Requests on one connection in generated DestinationRules.
    #[arg(long, env = "FLAGSHIP_MAX_REQUESTS_PER_CONNECTION", value_name = "COUNT")]
    #[arg(alias = "max_requests_per_connection", default_value = "100", value_parser = parse::count)]
    pub max_requests_per_connection: u32,
    /// No outlier detection where nobody asked for it.
    #[arg(long, env = "FLAGSHIP_DISABLE_DEFAULT_AUTOMATIC_FAILOVER", value_name = "BOOL")]
    #[arg(alias = "disable_default_automatic_failover")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub disable_default_automatic_failover: bool,
    /// Identities for which nothing is written or deleted; separated by commas.
    #[arg(long, env = "FLAGSHIP_EXCLUDED_IDENTITY_LIST", alias = "excluded_identity_list", value_name = "IDENTITY")]
    #[arg(value_delimiter = ',')]
    pub excluded_identity_list: Vec<String>,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    policy: PolicyArgs,
    #[command(flatten)]
    entry: EntryArgs,
    #[command(flatten)]
    routing: RoutingArgs,
    #[command(flatten)]
    extension: ExtensionArgs,
}

impl MeshArgs {
    /// The settings as they are; the mesh checks them.
    pub fn resolve(self) -> MeshSettings {
        MeshSettings {
            sync_namespace: self.sync_namespace,
            dependency_namespace: self.dependency_namespace,
            hostname_suffix: self.hostname_suffix,
            workload_identity_key: self.workload_identity_key,
            env_key: self.env_key,
            gateway_app: self.gateway_app,
            gateway_namespace: self.gateway_namespace,
            deployment_annotation: self.deployment_annotation,
            admiral_ignore_label: self.admiral_ignore_label,
            se_ip_prefix: self.se_ip_prefix,
            disable_ip_generation: self.disable_ip_generation,
            enable_absolute_fqdn: self.enable_absolute_fqdn,
            enable_absolute_fqdn_for_local_endpoints: self.enable_absolute_fqdn_for_local_endpoints,
            default_warmup_duration: Duration::from_secs(self.default_warmup_duration_in_seconds.into()),
            max_requests_per_connection: self.max_requests_per_connection,
            disable_default_automatic_failover: self.disable_default_automatic_failover,
            excluded_identity_list: parse::filled(self.excluded_identity_list),
            address_configmap: self.se_address_configmap,
            address_hold: self.address_hold,
            workload: self.workload.resolve(),
            policy: self.policy.resolve(),
            entry: self.entry.resolve(),
            routing: self.routing.resolve(),
            extension: self.extension.resolve(),
        }
    }
}
