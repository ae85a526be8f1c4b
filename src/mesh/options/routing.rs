//! Settings of optional objects beside ServiceEntries and their DestinationRules (reconcile-spec 3.6 to 3.8).

use std::collections::BTreeSet;

use serde::Serialize;

use super::{OptionError, check_key, name, refuse};

/// Istio's simple load balancers, as Admiral's flag spells them.
const LB_POLICIES: [&str; 4] = ["round_robin", "random", "least_request", "passthrough"];

/// What else is written; nothing by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RoutingSettings {
    /// `--istio-namespace`: Istio's root namespace, where routing objects and EnvoyFilters live.
    pub istio_namespace: String,
    /// `--copy-customer-routing`: customers' VirtualServices and DestinationRules are copied (3.6.1).
    pub copy_customer_routing: bool,
    /// `--ignore_labels_annotations_vs_copy_list`: labels and annotations that a copy does not carry.
    pub not_copied: BTreeSet<String>,
    /// `--additional_endpoint_suffixes`: further hosts of a service (3.6.2).
    pub additional_suffixes: Vec<String>,
    /// `--additional_endpoint_label_filters`: only for workloads with one of these labels; empty means for none.
    pub additional_label_filters: BTreeSet<String>,
    /// `--workload_sidecar_update enabled`: Sidecars of client namespaces learn the hosts (3.7).
    pub sidecar_update: bool,
    /// `--workload_sidecar_name`.
    pub sidecar_name: String,
    /// `--enable_routing_policy` (3.8).
    pub routing_policy: bool,
    /// `--routing_policy_enabled_clusters`: in these; `*` means in all, empty in none.
    pub routing_policy_clusters: BTreeSet<String>,
    /// `--envoy_filter_version`: proxy versions, one EnvoyFilter each.
    pub envoy_filter_versions: Vec<String>,
    /// `--envoy_filter_additional_config`: a further line of the filter's configuration.
    pub envoy_filter_additional_config: String,
    /// `--enable_vs_routing`: VirtualServices at the gateways (3.6.5).
    pub ingress_routing: bool,
    /// `--vs_routing_disabled_clusters`: not in these; `*` means in none.
    pub ingress_disabled_clusters: BTreeSet<String>,
    /// `--vs_routing_gateways`: the gateways that they are bound to, NAMESPACE/NAME.
    pub ingress_gateways: Vec<String>,
    /// `--ingress_vs_export_to_namespaces`.
    pub ingress_export_to: BTreeSet<String>,
    /// `--ingress_lb_policy`: `round_robin` or another of Istio's simple load balancers.
    pub ingress_lb_policy: String,
}

impl RoutingSettings {
    /// Whether VirtualServices are written or copied.
    pub fn uses_virtual_services(&self) -> bool {
        self.copy_customer_routing || self.ingress_routing || !self.additional_suffixes.is_empty()
    }
}

impl Default for RoutingSettings {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            istio_namespace: "istio-system".into(),
            copy_customer_routing: false,
            not_copied: names(&[
                "applications.argoproj.io/app-name",
                "app.kubernetes.io/instance",
                "argocd.argoproj.io/tracking-id",
            ]),
            additional_suffixes: Vec::new(),
            additional_label_filters: BTreeSet::new(),
            sidecar_update: false,
            sidecar_name: "default".into(),
            routing_policy: false,
            routing_policy_clusters: BTreeSet::new(),
            envoy_filter_versions: vec!["1.17".into(), "1.20".into()],
            envoy_filter_additional_config: String::new(),
            ingress_routing: false,
            ingress_disabled_clusters: BTreeSet::new(),
            ingress_gateways: Vec::new(),
            ingress_export_to: BTreeSet::from(["istio-system".to_owned()]),
            ingress_lb_policy: "round_robin".into(),
        }
    }
}

impl RoutingSettings {
    /// Checks what becomes part of a name or must be one of a few words.
    ///
    /// # Errors
    /// Names the first flag whose value cannot work.
    pub(super) fn check(&self) -> Result<(), OptionError> {
        for suffix in &self.additional_suffixes {
            let check = name::check_host(&suffix.to_lowercase());
            refuse("additional-endpoint-suffixes", suffix, check, "give DNS suffixes such as svc.example.com")?;
        }
        for key in self.additional_label_filters.iter().filter(|key| *key != "*") {
            refuse("additional-endpoint-label-filters", key, check_key(key), "give keys of labels, or *")?;
        }
        let sidecar = &self.sidecar_name;
        refuse(
            "workload-sidecar-name",
            sidecar,
            name::check_host(sidecar),
            "give the name of a Sidecar, such as default",
        )?;
        for version in &self.envoy_filter_versions {
            let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            let check =
                if version.split('.').all(is_number) { Ok(()) } else { Err("no version of a proxy".to_owned()) };
            refuse("envoy-filter-version", version, check, "give numbers such as 1.20")?;
        }
        for gateway in &self.ingress_gateways {
            let check = match gateway.split_once('/') {
                Some((namespace, name)) => name::check_host(namespace).and_then(|()| name::check_host(name)),
                None => Err("it names no namespace".to_owned()),
            };
            refuse("vs-routing-gateways", gateway, check, "give NAMESPACE/NAME of a Gateway")?;
        }
        let policy = &self.ingress_lb_policy;
        let is_known = LB_POLICIES.contains(&policy.to_lowercase().as_str());
        let check = if is_known { Ok(()) } else { Err("Istio has no such load balancer".to_owned()) };
        refuse("ingress-lb-policy", policy, check, "give round_robin, random, least_request or passthrough")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_named() {
        let error = |change: fn(&mut RoutingSettings)| {
            let mut settings = RoutingSettings::default();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        let is_about = |flag: &str, text: String| assert!(text.starts_with(flag), "{text}");
        assert_eq!(RoutingSettings::default().check(), Ok(()));
        is_about("--additional-endpoint-suffixes \"a_b\"", error(|s| s.additional_suffixes = vec!["a_b".into()]));
        is_about(
            "--additional-endpoint-label-filters",
            error(|s| {
                s.additional_label_filters = BTreeSet::from(["*".into(), "a b".into()]);
            }),
        );
        is_about("--workload-sidecar-name", error(|s| s.sidecar_name = "a/b".into()));
        is_about("--envoy-filter-version", error(|s| s.envoy_filter_versions = vec!["1.20".into(), "1.x".into()]));
        is_about("--vs-routing-gateways", error(|s| s.ingress_gateways = vec!["gateway".into()]));
        is_about("--ingress-lb-policy", error(|s| s.ingress_lb_policy = "fair".into()));
    }
}
