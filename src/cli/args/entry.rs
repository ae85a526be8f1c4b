//! Options of ServiceEntries, under Admiral's names.

use clap::{ArgAction, Args};

use crate::cli::parse::{self, filled};
use crate::http::parse_go_bool;
use crate::mesh::EntrySettings;

/// ServiceEntries.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "ServiceEntries")]
pub struct EntryArgs {
    /// Export generated objects to the namespaces of clients only.
    #[arg(long, env = "FLAGSHIP_ENABLE_SW_AWARE_NS_CACHES", alias = "enable_sw_aware_ns_caches", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_sw_aware_ns_caches: bool,
    /// Identities whose objects are exported so; * means all.
    #[arg(long, env = "FLAGSHIP_EXPORTTO_IDENTITY_LIST", alias = "exportto_identity_list", value_name = "IDENTITY")]
    #[arg(value_delimiter = ',', default_value = "*")]
    pub exportto_identity_list: Vec<String>,
    /// Export to all namespaces where there would be more than so many.
    #[arg(long, env = "FLAGSHIP_EXPORTTO_MAX_NAMESPACES", alias = "exportto_max_namespaces", value_name = "COUNT")]
    #[arg(default_value = "35", value_parser = parse::count)]
    pub exportto_max_namespaces: u32,
    /// Give ServiceEntries the SPIFFE names of their workloads.
    #[arg(long, env = "FLAGSHIP_ENABLE_SAN", alias = "enable_san", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_san: bool,
    /// The trust domain of those names.
    #[arg(long, env = "FLAGSHIP_SAN_PREFIX", alias = "san_prefix", value_name = "DOMAIN")]
    #[arg(default_value = "")]
    pub san_prefix: String,
    /// Clusters whose NLB gateway goes before the ordinary one; separated by commas.
    #[arg(long, env = "FLAGSHIP_NLB_ENABLED_CLUSTERS", alias = "nlb_enabled_clusters", value_name = "CLUSTER")]
    #[arg(value_delimiter = ',')]
    pub nlb_enabled_clusters: Vec<String>,
    /// Label `app` of the Service of that gateway.
    #[arg(long, env = "FLAGSHIP_NLB_INGRESS_LABEL", alias = "nlb_ingress_label", value_name = "APP")]
    #[arg(default_value = "istio-ingressgateway-nlb", value_parser = parse::name)]
    pub nlb_ingress_label: String,
}

impl EntryArgs {
    /// The settings as they are; the mesh checks them.
    pub fn resolve(self) -> EntrySettings {
        EntrySettings {
            export_to_clients: self.enable_sw_aware_ns_caches,
            export_identities: filled(self.exportto_identity_list),
            export_max_namespaces: self.exportto_max_namespaces,
            subject_alt_names: self.enable_san,
            san_prefix: self.san_prefix,
            nlb_clusters: filled(self.nlb_enabled_clusters),
            nlb_gateway_app: self.nlb_ingress_label,
        }
    }
}
