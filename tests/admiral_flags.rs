//! Every flag of Admiral's command line, in the order of its own help, with a value that differs from the default.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

use std::collections::BTreeSet;
use std::ffi::OsString;

use flagship::cli::{Command, parse};
use serde_json::Value;

/// What a flag changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Changes {
    /// The settings, as `--print-config` shows them.
    Settings,
    /// How the program logs.
    Log,
    /// Nothing, and a warning says why.
    Nothing,
}
use Changes::{Log, Nothing, Settings};

const FLAGS: [(&str, &str, Changes); 113] = [
    ("kube_config", "/k", Settings),
    ("secret_namespace", "secrets", Settings),
    ("secret_filter_tags", "a/b", Settings),
    ("dependency_namespace", "deps", Settings),
    ("sync_namespace", "sync", Settings),
    ("sync_period", "20s", Nothing),
    ("se_dr_sync_period", "20s", Nothing),
    ("hostname_suffix", "mesh", Settings),
    ("workload_identity_key", "id", Settings),
    ("admiral_crd_identity_label", "id", Settings),
    ("env_key", "env", Settings),
    ("gateway_app", "gw", Settings),
    ("deployment_annotation", "inject", Settings),
    ("admiral_ignore_label", "hide", Settings),
    ("priority_key", "prio", Settings),
    ("se_ip_prefix", "241.0", Settings),
    ("se_address_configmap", "map", Settings),
    ("disable_ip_generation", "true", Settings),
    ("argo_rollouts", "false", Settings),
    ("admiral_state_checker_name", "NoOPStateChecker", Settings),
    ("dr_state_store_config_path", "FILE", Settings),
    ("enable_dependency_processing", "false", Nothing),
    ("dependency_warmup_multiplier", "3", Nothing),
    ("enable_san", "true", Settings),
    ("san_prefix", "example.com", Settings),
    ("enable_absolute_fqdn", "false", Settings),
    ("enable_absolute_fqdn_for_local_endpoints", "true", Settings),
    ("default_warmup_duration_in_seconds", "46", Settings),
    ("max_requests_per_connection", "101", Settings),
    ("disable_default_automatic_failover", "true", Settings),
    ("enable_active_passive", "true", Settings),
    ("prevent_split_brain", "false", Settings),
    ("enable_sw_aware_ns_caches", "true", Settings),
    ("exportto_identity_list", "a,b", Settings),
    ("exportto_max_namespaces", "36", Settings),
    ("enable_client_connection_config_processing", "true", Settings),
    ("workload_sidecar_update", "enabled", Settings),
    ("workload_sidecar_name", "other", Settings),
    ("excluded_identity_list", "a", Settings),
    ("enable_serviceentry_cache", "true", Nothing),
    ("enable_destinationrule_cache", "true", Nothing),
    ("deployment_or_rollout_worker_concurrency", "6", Nothing),
    ("dependent_cluster_worker_concurrency", "6", Nothing),
    ("enable_generation_check", "false", Nothing),
    ("enable_replica_count_check", "false", Nothing),
    ("metrics", "false", Settings),
    ("log_level", "6", Log),
    ("log_to_file", "true", Log),
    ("log_file_path", "/tmp/l", Log),
    ("log_file_size_in_MBs", "201", Log),
    ("enable_routing_policy", "true", Settings),
    ("routing_policy_enabled_clusters", "*", Settings),
    ("envoy_filter_version", "1.13", Settings),
    ("envoy_filter_additional_config", "x: y", Settings),
    ("additional_endpoint_suffixes", "intuit", Settings),
    ("additional_endpoint_label_filters", "a/b", Settings),
    ("ignore_labels_annotations_vs_copy_list", "a/b", Settings),
    ("enable_vs_routing", "true", Settings),
    ("vs_routing_disabled_clusters", "c1", Settings),
    ("vs_routing_gateways", "istio-system/gw", Settings),
    ("ingress_vs_export_to_namespaces", "ns", Settings),
    ("ingress_lb_policy", "random", Settings),
    ("vs_routing_slow_start_enabled_clusters", "c1", Nothing),
    ("enable_vs_routing_in_cluster", "true", Nothing),
    ("vs_routing_in_cluster_enabled_resources", "*=id1", Nothing),
    ("vs_routing_in_cluster_disabled_resources", "*=id1", Nothing),
    ("enable_custom_vs_merge", "true", Nothing),
    ("process_vs_created_by", "x", Nothing),
    ("enable_sidecar_caching", "true", Nothing),
    ("max_sidecar_egress_hosts_limit_to_cache", "101", Nothing),
    ("enable_traffic_config_processing_for_slow_start", "true", Nothing),
    ("enable_client_discovery", "false", Settings),
    ("client_discovery_clusters_for_jobs", "c1", Settings),
    ("client_discovery_clusters_for_numaflow", "c1", Nothing),
    ("client_initiated_processing_enabled_for_controllers", "true", Nothing),
    ("client_initiated_processing_enabled_for_dynamic_config", "true", Nothing),
    ("initiate_client_initiated_processing_for", "a", Nothing),
    ("nlb_enabled_clusters", "c1", Settings),
    ("nlb_ingress_label", "nlb", Settings),
    ("nlb_enabled_identity_list", "a", Nothing),
    ("clb_enabled_clusters", "c1", Nothing),
    ("gateway_asset_aliases", "a", Nothing),
    ("identity_partition_key", "a/b", Nothing),
    ("secret_resolver", "intuit", Nothing),
    ("secret_resolver_config_path", "ADMIRAL", Settings),
    ("enable_dynamic_config", "false", Nothing),
    ("dynamic_config_dynamodb_table_name", "t", Nothing),
    ("dynamic_sync_period", "11", Nothing),
    ("enable_workload_data_storage", "true", Nothing),
    ("admiral_operator_mode", "true", Nothing),
    ("admiral_state_syncer_mode", "true", Nothing),
    ("operator_sync_namespace", "ns", Nothing),
    ("operator_identity_value", "x", Nothing),
    ("shard_identity_label_key", "a/b", Nothing),
    ("shard_identity_value", "x", Nothing),
    ("operator_secret_filter_tags", "a/b", Nothing),
    ("admiral_state_syncer_clusters", "c1", Nothing),
    ("registry_client_host", "http://r", Nothing),
    ("registry_client_app_id", "x", Nothing),
    ("registry_client_app_secret", "x", Nothing),
    ("registry_client_base_uri", "v2", Nothing),
    ("admiral_app_env", "prod", Nothing),
    ("subset_label", "x", Nothing),
    ("namespace_injected_label", "x", Nothing),
    ("namespace_injected_value", "x", Nothing),
    ("deprecated_envoy_filter_version", "1.10", Nothing),
    ("enable_diff_check", "true", Nothing),
    ("enable_outlierdetection", "true", Nothing),
    ("enable_proxy_envoy_filter", "true", Nothing),
    ("alpha_identity_list", "a", Nothing),
    ("dns_retries", "4", Nothing),
    ("dns_timeout_ms", "1001", Nothing),
    ("dns_config_file", "/f", Nothing),
];

/// The settings that a command line comes to, how it logs, and its warnings.
fn run(args: &[&str]) -> (Value, String, Vec<String>) {
    let all = ["flagship", "run"].iter().chain(args).map(OsString::from);
    let (cli, mut warnings) = parse(all).unwrap_or_else(|error| panic!("{args:?}: {error}"));
    let log = cli.log_settings();
    let Command::Run(run) = cli.command else { panic!("not run") };
    let (options, more) = run.resolve().unwrap_or_else(|error| panic!("{args:?}: {error:#}"));
    warnings.extend(more);
    (serde_json::to_value(&options).unwrap(), log, warnings)
}

fn dr_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "dynamoDB:\n  leaseName: qal\n").unwrap();
    file
}

/// What carries the suspension table's settings in Admiral.
fn admiral_file() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = "ignoreIdentityList:\n  stateCheckerPeriodInSeconds: 60\n  dynamoDB:\n    region: us-west-2\n    role: r\n    \
                tableName: t\n    clusterEnvironment: dev\n";
    std::fs::write(file.path(), text).unwrap();
    file
}

/// A file in place of its name in the table.
fn real<'a>(value: &'a str, dr: &'a tempfile::NamedTempFile, admiral: &'a tempfile::NamedTempFile) -> &'a str {
    match value {
        "FILE" => dr.path().to_str().unwrap(),
        "ADMIRAL" => admiral.path().to_str().unwrap(),
        other => other,
    }
}

#[test]
fn each_is_accepted_and_either_changes_something_or_says_why_not() {
    let names: BTreeSet<&str> = FLAGS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(names.len(), 113);
    let (dr, admiral) = (dr_file(), admiral_file());
    let (settings, log, none) = run(&[]);
    assert!(none.is_empty(), "{none:?}");
    for (name, value, changes) in FLAGS {
        let value = real(value, &dr, &admiral);
        let (new_settings, new_log, warnings) = run(&[&format!("--{name}={value}")]);
        let found = match (new_settings != settings, new_log != log) {
            (true, false) => Settings,
            (false, true) => Log,
            (false, false) => Nothing,
            (true, true) => panic!("--{name} changes both"),
        };
        assert_eq!(found, changes, "--{name}={value}");
        match changes {
            Nothing => {
                assert_eq!(warnings.len(), 1, "--{name}: {warnings:?}");
                let why = warnings[0].strip_prefix(&format!("--{name} has no effect: "));
                assert!(why.is_some_and(|why| why.len() > 20), "{warnings:?}");
            }
            Settings | Log => assert!(warnings.is_empty(), "--{name}: {warnings:?}"),
        }
        if !["true", "false"].contains(&value) {
            let (apart, ..) = run(&[&format!("--{name}"), value]);
            assert_eq!(apart, new_settings, "--{name} {value}");
        }
    }
}

#[test]
fn switches_stand_alone_and_never_take_the_next_argument() {
    for (name, ..) in FLAGS.iter().filter(|(_, value, _)| ["true", "false"].contains(value)) {
        let (settings, _, _) = run(&[&format!("--{name}"), "--gateway_app", "behind"]);
        assert_eq!(settings["mesh"]["gateway_app"], "behind", "--{name}");
    }
}

#[test]
fn all_of_them_in_one_line() {
    let (dr, admiral) = (dr_file(), admiral_file());
    let line: Vec<String> = FLAGS.iter().map(|(name, v, _)| format!("--{name}={}", real(v, &dr, &admiral))).collect();
    let (_, _, warnings) = run(&line.iter().map(String::as_str).collect::<Vec<_>>());
    let silent = FLAGS.iter().filter(|(_, _, changes)| *changes == Nothing).count();
    assert_eq!((silent, warnings.len()), (56, 56), "{warnings:#?}");
}

#[test]
fn letters_stand_for_two_of_them() {
    let (_, _, warnings) = run(&["-e", "*=id1,cluster2=*", "-d=c=id"]);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}
