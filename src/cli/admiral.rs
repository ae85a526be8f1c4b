//! Admiral's flags that Flagship has no use for: taken, so that an old command line starts, and warned of.

use std::collections::BTreeSet;
use std::ffi::OsString;

/// Flags with a boolean, which never take the next argument.
const SWITCHES: &[&str] = &[
    "admiral_operator_mode",
    "admiral_state_syncer_mode",
    "client_initiated_processing_enabled_for_controllers",
    "client_initiated_processing_enabled_for_dynamic_config",
    "enable_custom_vs_merge",
    "enable_dependency_processing",
    "enable_destinationrule_cache",
    "enable_diff_check",
    "enable_dynamic_config",
    "enable_generation_check",
    "enable_outlierdetection",
    "enable_proxy_envoy_filter",
    "enable_replica_count_check",
    "enable_serviceentry_cache",
    "enable_sidecar_caching",
    "enable_traffic_config_processing_for_slow_start",
    "enable_vs_routing_in_cluster",
    "enable_workload_data_storage",
    "log_to_file",
];

/// Flags with a value.
const VALUES: &[&str] = &[
    "admiral_app_env",
    "admiral_state_syncer_clusters",
    "alpha_identity_list",
    "clb_enabled_clusters",
    "client_discovery_clusters_for_numaflow",
    "dependency_warmup_multiplier",
    "dependent_cluster_worker_concurrency",
    "deployment_or_rollout_worker_concurrency",
    "deprecated_envoy_filter_version",
    "dns_config_file",
    "dns_retries",
    "dns_timeout_ms",
    "dynamic_config_dynamodb_table_name",
    "dynamic_sync_period",
    "gateway_asset_aliases",
    "identity_partition_key",
    "initiate_client_initiated_processing_for",
    "log_file_path",
    "log_file_size_in_MBs",
    "max_sidecar_egress_hosts_limit_to_cache",
    "namespace_injected_label",
    "namespace_injected_value",
    "nlb_enabled_identity_list",
    "operator_identity_value",
    "operator_secret_filter_tags",
    "operator_sync_namespace",
    "process_vs_created_by",
    "registry_client_app_id",
    "registry_client_app_secret",
    "registry_client_base_uri",
    "registry_client_host",
    "se_dr_sync_period",
    "secret_resolver",
    "secret_resolver_config_path",
    "shard_identity_label_key",
    "shard_identity_value",
    "subset_label",
    "sync_period",
    "vs_routing_in_cluster_disabled_resources",
    "vs_routing_in_cluster_enabled_resources",
    "vs_routing_slow_start_enabled_clusters",
];

/// The arguments without those flags, and one warning for each of them.
pub fn without_ignored(args: impl IntoIterator<Item = OsString>) -> (Vec<OsString>, Vec<String>) {
    let mut kept = Vec::new();
    let mut warnings = BTreeSet::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            kept.push(arg);
            kept.extend(args);
            break;
        }
        let Some((name, value)) = arg.to_str().and_then(split) else {
            kept.push(arg);
            continue;
        };
        if SWITCHES.contains(&name) {
            warnings.extend(warning(name, value));
        } else if VALUES.contains(&name) {
            if value.is_none() {
                args.next();
            }
            warnings.extend(warning(name, value));
        } else {
            kept.push(arg);
        }
    }
    (kept, warnings.into_iter().collect())
}

fn split(arg: &str) -> Option<(&str, Option<&str>)> {
    let flag = arg.strip_prefix("--")?;
    Some(flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value))))
}

fn warning(name: &str, value: Option<&str>) -> Option<String> {
    match name {
        "enable_dependency_processing" if value.is_none_or(|v| crate::http::parse_go_bool(v) == Ok(true)) => None,
        "enable_dependency_processing" => Some(format!(
            "--{name}={}: has no effect, Dependency records are always processed",
            value.unwrap_or_default()
        )),
        "sync_period" | "se_dr_sync_period" => {
            Some(format!("--{name}: has no effect, changes are watched and a promotion makes a full plan at once"))
        }
        _ => Some(format!("--{name}: a flag of Admiral that has no effect in this version of Flagship; remove it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(line: &str) -> (String, Vec<String>) {
        let (kept, warnings) = without_ignored(line.split(' ').map(OsString::from));
        let kept: Vec<_> = kept.iter().map(|arg| arg.to_string_lossy().into_owned()).collect();
        (kept.join(" "), warnings)
    }

    #[test]
    fn ignored_flags_go_with_their_values_and_are_warned_of_once() {
        let (kept, warnings) = cleaned(
            "flagship run --sync_period 20s --gateway_app gw --sync_period=5m --enable_diff_check=true \
             --log_to_file --env_key e",
        );
        assert_eq!(kept, "flagship run --gateway_app gw --env_key e");
        assert_eq!(warnings.len(), 3, "{warnings:?}");
    }

    #[test]
    fn dependency_processing_is_warned_of_only_when_switched_off() {
        assert!(cleaned("f --enable_dependency_processing").1.is_empty());
        assert!(cleaned("f --enable_dependency_processing=T").1.is_empty());
        let (kept, warnings) = cleaned("f --enable_dependency_processing=false");
        assert_eq!(kept, "f");
        assert!(warnings[0].contains("always processed"));
    }

    #[test]
    fn what_follows_two_dashes_is_left_alone() {
        assert_eq!(cleaned("f -- --sync_period 1").0, "f -- --sync_period 1");
        assert_eq!(cleaned("f --sync_perio 1").0, "f --sync_perio 1");
    }
}
