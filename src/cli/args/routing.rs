//! Optional objects, under Admiral's names.

use clap::{ArgAction, Args};

use crate::cli::parse::{self, filled};
use crate::http::parse_go_bool;
use crate::mesh::RoutingSettings;

/// Optional objects.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Optional objects")]
pub struct RoutingArgs {
    /// Istio's root namespace.
    #[arg(long, env = "FLAGSHIP_ISTIO_NAMESPACE", alias = "istio_namespace", value_name = "NAMESPACE")]
    #[arg(default_value = "istio-system", value_parser = parse::name)]
    pub istio_namespace: String,
    /// Copy customers' VirtualServices and DestinationRules to the clusters that need them.
    #[arg(long, env = "FLAGSHIP_COPY_CUSTOMER_ROUTING", alias = "copy_customer_routing", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub copy_customer_routing: bool,
    /// Labels and annotations that a copy does not carry.
    #[arg(
        long,
        env = "FLAGSHIP_IGNORE_LABELS_ANNOTATIONS_VS_COPY_LIST",
        alias = "ignore_labels_annotations_vs_copy_list",
        value_name = "KEY"
    )]
    #[arg(
        value_delimiter = ',',
        default_value = "applications.argoproj.io/app-name,app.kubernetes.io/instance,argocd.argoproj.io/tracking-id"
    )]
    pub ignore_labels_annotations_vs_copy_list: Vec<String>,
    /// Further suffixes under which hosts answer; separated by commas.
    #[arg(
        long,
        env = "FLAGSHIP_ADDITIONAL_ENDPOINT_SUFFIXES",
        alias = "additional_endpoint_suffixes",
        value_name = "SUFFIX"
    )]
    #[arg(value_delimiter = ',')]
    pub additional_endpoint_suffixes: Vec<String>,
    /// Labels of the workloads that have them; separated by commas.
    #[arg(
        long,
        env = "FLAGSHIP_ADDITIONAL_ENDPOINT_LABEL_FILTERS",
        alias = "additional_endpoint_label_filters",
        value_name = "KEY"
    )]
    #[arg(value_delimiter = ',')]
    pub additional_endpoint_label_filters: Vec<String>,
    /// `enabled` adds hosts to the Sidecars of client namespaces.
    #[arg(long, env = "FLAGSHIP_WORKLOAD_SIDECAR_UPDATE", alias = "workload_sidecar_update", value_name = "WORD")]
    #[arg(default_value = "disabled", value_parser = ["enabled", "disabled"])]
    pub workload_sidecar_update: String,
    /// The name of those Sidecars.
    #[arg(long, env = "FLAGSHIP_WORKLOAD_SIDECAR_NAME", alias = "workload_sidecar_name", value_name = "NAME")]
    #[arg(default_value = "default", value_parser = parse::name)]
    pub workload_sidecar_name: String,
    /// Make EnvoyFilters from RoutingPolicies.
    #[arg(long, env = "FLAGSHIP_ENABLE_ROUTING_POLICY", alias = "enable_routing_policy", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_routing_policy: bool,
    /// Clusters that get them; * means all.
    #[arg(
        long,
        env = "FLAGSHIP_ROUTING_POLICY_ENABLED_CLUSTERS",
        alias = "routing_policy_enabled_clusters",
        value_name = "CLUSTER"
    )]
    #[arg(value_delimiter = ',')]
    pub routing_policy_enabled_clusters: Vec<String>,
    /// Proxy versions that they are made for.
    #[arg(long, env = "FLAGSHIP_ENVOY_FILTER_VERSION", alias = "envoy_filter_version", value_name = "VERSION")]
    #[arg(value_delimiter = ',', default_value = "1.17,1.20")]
    pub envoy_filter_version: Vec<String>,
    /// A further line of their configuration.
    #[arg(
        long,
        env = "FLAGSHIP_ENVOY_FILTER_ADDITIONAL_CONFIG",
        alias = "envoy_filter_additional_config",
        value_name = "TEXT"
    )]
    #[arg(default_value = "")]
    pub envoy_filter_additional_config: String,
    /// Route by VirtualServices at the gateways.
    #[arg(long, env = "FLAGSHIP_ENABLE_VS_ROUTING", alias = "enable_vs_routing", value_name = "BOOL")]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub enable_vs_routing: bool,
    /// Clusters that do not; * means all.
    #[arg(
        long,
        env = "FLAGSHIP_VS_ROUTING_DISABLED_CLUSTERS",
        alias = "vs_routing_disabled_clusters",
        value_name = "CLUSTER"
    )]
    #[arg(value_delimiter = ',')]
    pub vs_routing_disabled_clusters: Vec<String>,
    /// The gateways of those VirtualServices.
    #[arg(long, env = "FLAGSHIP_VS_ROUTING_GATEWAYS", alias = "vs_routing_gateways", value_name = "NAMESPACE/NAME")]
    #[arg(value_delimiter = ',')]
    pub vs_routing_gateways: Vec<String>,
    /// The namespaces that see them.
    #[arg(
        long,
        env = "FLAGSHIP_INGRESS_VS_EXPORT_TO_NAMESPACES",
        alias = "ingress_vs_export_to_namespaces",
        value_name = "NAMESPACE"
    )]
    #[arg(value_delimiter = ',', default_value = "istio-system")]
    pub ingress_vs_export_to_namespaces: Vec<String>,
    /// How they balance load.
    #[arg(long, env = "FLAGSHIP_INGRESS_LB_POLICY", alias = "ingress_lb_policy", value_name = "POLICY")]
    #[arg(default_value = "round_robin", value_parser = parse::name)]
    pub ingress_lb_policy: String,
}

impl RoutingArgs {
    /// The settings as they are; the mesh checks them.
    pub fn resolve(self) -> RoutingSettings {
        RoutingSettings {
            istio_namespace: self.istio_namespace,
            copy_customer_routing: self.copy_customer_routing,
            not_copied: filled(self.ignore_labels_annotations_vs_copy_list),
            additional_suffixes: filled(self.additional_endpoint_suffixes),
            additional_label_filters: filled(self.additional_endpoint_label_filters),
            sidecar_update: self.workload_sidecar_update == "enabled",
            sidecar_name: self.workload_sidecar_name,
            routing_policy: self.enable_routing_policy,
            routing_policy_clusters: filled(self.routing_policy_enabled_clusters),
            envoy_filter_versions: filled(self.envoy_filter_version),
            envoy_filter_additional_config: self.envoy_filter_additional_config,
            ingress_routing: self.enable_vs_routing,
            ingress_disabled_clusters: filled(self.vs_routing_disabled_clusters),
            ingress_gateways: filled(self.vs_routing_gateways),
            ingress_export_to: filled(self.ingress_vs_export_to_namespaces),
            ingress_lb_policy: self.ingress_lb_policy,
        }
    }
}
