//! The command line as operators and their scripts know it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests too")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use flagship::cli::{Command as Verb, parse};
use flagship::cluster::source::ClusterSource;
use flagship::options::RunOptions;
use serde_json::Value;

fn resolve(args: &[&str]) -> Result<(RunOptions, Vec<String>), String> {
    let all = ["flagship", "run"].iter().chain(args).map(OsString::from);
    let (cli, mut warnings) = parse(all).map_err(|error| error.to_string())?;
    let Verb::Run(run) = cli.command else { panic!("not run") };
    let (options, more) = run.resolve().map_err(|error| format!("{error:#}"))?;
    warnings.extend(more);
    Ok((options, warnings))
}

fn options(args: &[&str]) -> RunOptions {
    resolve(args).unwrap().0
}

fn refusal(args: &[&str]) -> String {
    resolve(args).unwrap_err()
}

/// The program itself, with nothing in its environment but `env`.
fn flagship(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagship"));
    command.args(args).env_clear().envs(env.iter().copied()).output().unwrap()
}

fn printed(args: &[&str], env: &[(&str, &str)]) -> Value {
    let all: Vec<_> = ["run", "--print-config"].iter().chain(args).copied().collect();
    let output = flagship(&all, env);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_defaults() {
    let o = options(&[]);
    assert_eq!(o.state_checker, "dynamodb");
    assert_eq!((o.lease.table.table.as_str(), o.lease.table.name.as_str()), ("admiral-lease", "flagship"));
    assert!(!o.lease.instance_id.is_empty());
    let ms = Duration::from_millis;
    assert_eq!(o.lease.lease_duration, ms(10_000));
    assert_eq!((o.lease.renew_interval, o.lease.poll_interval), (ms(2000), ms(1000)));
    assert_eq!((o.lease.table.request_timeout, o.lease.min_margin), (ms(1500), ms(200)));
    assert_eq!((o.lease.drift_ppm, o.lease.foreign_threshold), (10_000, ms(45_000)));
    assert!(!o.lease.table.allow_eventual_table);
    assert_eq!(o.listen.to_string(), "0.0.0.0:8080");
    assert_eq!(o.metrics_listen.map(|a| a.to_string()).as_deref(), Some("0.0.0.0:6900"));
    assert_eq!(o.lease.endpoint, format!("http://{}:8080", o.lease.instance_id));
    assert_eq!((o.clusters.control, o.clusters.named.len()), (ClusterSource::Kube, 0));
    assert_eq!((o.clusters.secret_namespace.as_str(), o.clusters.secret_label.as_str()), ("admiral", "admiral/sync"));
    assert_eq!((o.mesh.sync_namespace.as_str(), o.mesh.env_key.as_str()), ("admiral-sync", "admiral.io/env"));
    assert_eq!((o.mesh.se_ip_prefix.as_str(), o.mesh.hostname_suffix.as_str()), ("240.0", "global"));
    assert!(o.mesh.enable_absolute_fqdn && !o.mesh.disable_ip_generation);
}

#[test]
fn the_names_that_scripts_use() {
    let line = "--state-checker dynamodb --lease-table t --lease-name n --instance-id i --lease-duration 20s \
                --renew-interval 3s --poll-interval 500ms --listen 127.0.0.1:1 --metrics-listen 127.0.0.1:2 \
                --control folder:/c --cluster west=kubeconfig:/k#ctx --cluster east=folder:/e --endpoint http://x:1/ \
                --drift-bound 0.5% --min-margin 300ms --request-timeout 1s --foreign-threshold 1m30s \
                --assume-role arn --lease-region us-east-1 --region us-west-2 --allow-eventual-table";
    let o = options(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        (o.lease.table.table.as_str(), o.lease.table.name.as_str(), o.lease.instance_id.as_str()),
        ("t", "n", "i")
    );
    assert_eq!(o.lease.foreign_threshold, Duration::from_secs(90));
    assert_eq!((o.lease.drift_ppm, o.lease.endpoint.as_str(), o.region.as_str()), (5000, "http://x:1", "us-west-2"));
    assert_eq!(o.lease.table.region.as_deref(), Some("us-east-1"));
    assert!(o.lease.table.allow_eventual_table);
    assert_eq!(o.clusters.control, ClusterSource::Folder { path: "/c".into() });
    let named: Vec<_> = o.clusters.named.iter().map(|c| format!("{}={}", c.cluster, c.source)).collect();
    assert_eq!(named, ["west=kubeconfig:/k#ctx", "east=folder:/e"]);
    for args in
        ["lease init --lease-table T --lease-name N", "render --control folder:D --cluster a=folder:E --output-dir O"]
    {
        let args = ["flagship"].into_iter().chain(args.split(' ')).map(OsString::from);
        assert!(parse(args).is_ok());
    }
}

/// Admiral's spelling, a value, and what it must come to in the printed settings.
const ADMIRALS: &[(&str, &str, &str, &str)] = &[
    ("sync_namespace", "ns", "/mesh/sync_namespace", "\"ns\""),
    ("dependency_namespace", "ns", "/mesh/dependency_namespace", "\"ns\""),
    ("secret_namespace", "ns", "/clusters/secret_namespace", "\"ns\""),
    ("secret_filter_tags", "a/b", "/clusters/secret_label", "\"a/b\""),
    ("hostname_suffix", "mesh", "/mesh/hostname_suffix", "\"mesh\""),
    ("workload_identity_key", "id", "/mesh/workload_identity_key", "\"id\""),
    ("env_key", "env", "/mesh/env_key", "\"env\""),
    ("gateway_app", "gw", "/mesh/gateway_app", "\"gw\""),
    ("deployment_annotation", "a/b", "/mesh/deployment_annotation", "\"a/b\""),
    ("admiral_ignore_label", "no", "/mesh/admiral_ignore_label", "\"no\""),
    ("se_ip_prefix", "241.1", "/mesh/se_ip_prefix", "\"241.1\""),
    ("se_address_configmap", "cm", "/mesh/address_configmap", "\"cm\""),
    ("disable_ip_generation", "true", "/mesh/disable_ip_generation", "true"),
    ("enable_absolute_fqdn", "false", "/mesh/enable_absolute_fqdn", "false"),
    ("enable_absolute_fqdn_for_local_endpoints", "T", "/mesh/enable_absolute_fqdn_for_local_endpoints", "true"),
    ("default_warmup_duration_in_seconds", "7", "/mesh/default_warmup_duration", "\"7s\""),
    ("max_requests_per_connection", "9", "/mesh/max_requests_per_connection", "9"),
    ("disable_default_automatic_failover", "1", "/mesh/disable_default_automatic_failover", "true"),
    ("excluded_identity_list", "b,a", "/mesh/excluded_identity_list", "[\"a\",\"b\"]"),
    ("admiral_state_checker_name", "NoOPStateChecker", "/state_checker", "\"NoOPStateChecker\""),
    ("kube_config", "/k", "/clusters/control", "\"kubeconfig:/k\""),
    ("metrics", "false", "/metrics_listen", "null"),
];

#[test]
fn admirals_flags_mean_here_what_they_mean_there() {
    for (flag, value, pointer, expected) in ADMIRALS {
        for spelling in [(*flag).to_owned(), flag.replace('_', "-")] {
            let o = options(&[&format!("--{spelling}={value}")]);
            let found = serde_json::to_value(&o).unwrap().pointer(pointer).unwrap().to_string();
            assert_eq!(&found, expected, "--{spelling}={value}");
        }
    }
    assert_eq!(options(&["--gateway_app", "gw"]).mesh.gateway_app, "gw");
    assert_eq!(options(&["--kube_config", ""]).clusters.control, ClusterSource::Kube);
    let bare = options(&["--disable_ip_generation", "--enable_absolute_fqdn", "--gateway_app=x"]);
    assert!(bare.mesh.disable_ip_generation && bare.mesh.enable_absolute_fqdn);
}

#[test]
fn a_log_file_takes_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("logs/flagship.log");
    let args =
        ["run", "--print-config", "--sync_period=1m", "--log_to_file", "--log_file_path", path.to_str().unwrap()];
    let output = flagship(&args, &[]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.contains("--sync_period has no effect: changes are watched"), "{log}");
    let output = flagship(&["run", "--print-config", "--log-to-file", "--log-file-path", "/proc/no/such"], &[]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message.contains("--log-file-path /proc/no/such") && message.contains("leave --log-to-file out"),
        "{message}"
    );
}

#[test]
fn the_sample_install_of_admiral_starts() {
    let line = "--dependency_namespace admiral --secret_namespace admiral --sync_namespace admiral-sync --sync_period 20s \
                --gateway_app istio-eastwestgateway --envoy_filter_version 1.13 --enable_routing_policy=true \
                --exportto_identity_list * --enable_sw_aware_ns_caches=true --enable_dependency_processing=true --log_level 4";
    let (options, warnings) = resolve(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(options.mesh.gateway_app, "istio-eastwestgateway");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn errors_name_field_value_and_remedy() {
    for (args, words) in [
        (&["--lease-duration", "10"][..], &["--lease-duration", "\"10\"", "500ms"][..]),
        (&["--poll_interval=soon"], &["--poll-interval", "\"soon\"", "10s"]),
        (&["--listen", "8080"], &["--listen", "\"8080\"", ":8080"]),
        (&["--drift-bound", "1"], &["--drift-bound", "\"1\"", "0.5%"]),
        (&["--lease-table", ""], &["--lease-table", "\"\"", "default"]),
        (&["--control", "cube"], &["--control", "\"cube\"", "folder:PATH"]),
        (&["--cluster", "folder:/x"], &["--cluster", "\"folder:/x\"", "NAME="]),
        (&["--cluster", "a=folder:/x", "--cluster", "a=folder:/y"], &["--cluster a", "twice", "own"]),
        (&["--disable_ip_generation=yes"], &["--disable-ip-generation", "\"yes\"", "true or false"]),
        (&["--max-requests-per-connection=-1"], &["--max-requests-per-connection", "\"-1\"", "such as 100"]),
        (&["--log-level", "loud"], &["--log-level", "\"loud\"", "0 to 6"]),
        (&["--kube_config", "/k", "--control", "folder:/c"], &["--kube_config", "\"/k\"", "keep --control"]),
        (&["--endpoint", "x:1"], &["--endpoint", "\"x:1\"", "http://HOST:PORT"]),
        (&["--lease-tabel", "x"], &["--lease-tabel", "--lease-table"]),
        (
            &["--dr-state-store-config-path", "/nowhere.yaml"],
            &["--dr-state-store-config-path", "/nowhere.yaml", "give"],
        ),
    ] {
        let error = refusal(args);
        assert!(words.iter().all(|word| error.contains(word)), "{args:?}: {error}");
    }
}

fn dr_file(directory: &Path, text: &str) -> String {
    let path = directory.join("dr.yaml");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn admirals_file_stands_between_flags_and_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let text = "dynamoDB:\n  leaseName: qal\n  podIdentifier: pod-a\n  waitTimeInSeconds: 15\n  failureThreshold: 3\n  \
                tableName: leases\n  role: arn:x\n  region: us-west-2\n  extra: 1\n";
    let path = dr_file(directory.path(), text);
    let (o, warnings) = resolve(&["--dr_state_store_config_path", &path]).unwrap();
    assert_eq!((o.lease.table.name.as_str(), o.lease.table.table.as_str()), ("qal", "leases"));
    assert_eq!((o.lease.instance_id.as_str(), o.lease.table.assume_role.as_deref()), ("pod-a", Some("arn:x")));
    assert_eq!(o.lease.table.region.as_deref(), Some("us-west-2"));
    assert_eq!((o.lease.lease_duration.as_secs(), o.lease.foreign_threshold.as_secs()), (45, 45));
    assert_eq!((o.lease.renew_interval.as_secs(), o.lease.poll_interval.as_secs()), (2, 1));
    assert!(warnings[0].contains("dynamoDB.extra"), "{warnings:?}");
    let flags = ["--lease-duration=10s", "--lease-name", "n", "--dr_state_store_config_path", &path];
    let o = options(&flags);
    assert_eq!((o.lease.lease_duration.as_secs(), o.lease.foreign_threshold.as_secs()), (10, 45));
    assert_eq!((o.lease.table.name.as_str(), o.lease.table.table.as_str()), ("n", "leases"));
    let env = [("FLAGSHIP_LEASE_TABLE", "from-env"), ("FLAGSHIP_DR_STATE_STORE_CONFIG_PATH", path.as_str())];
    assert_eq!(printed(&[], &env)["lease"]["table"]["table"], "from-env");
}

#[test]
fn every_flag_reads_its_variable_and_a_flag_wins() {
    let env = [
        ("FLAGSHIP_LEASE_DURATION", "30s"),
        ("FLAGSHIP_INSTANCE_ID", "from-env"),
        ("FLAGSHIP_CLUSTER", "a=folder:/a,b=folder:/b"),
        ("FLAGSHIP_DISABLE_IP_GENERATION", "true"),
        ("FLAGSHIP_GATEWAY_APP", "gw"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let settings = printed(&["--instance-id", "flag"], &env);
    assert_eq!(settings["lease"]["lease_duration"], "30s");
    assert_eq!(settings["lease"]["instance_id"], "flag");
    assert_eq!(settings["clusters"]["named"]["b"], "folder:/b");
    assert_eq!(
        (&settings["mesh"]["disable_ip_generation"], &settings["region"]),
        (&Value::Bool(true), &"eu-west-1".into())
    );
    let help = String::from_utf8(flagship(&["run", "--help"], &[]).stdout).unwrap();
    let flags = help.lines().filter(|line| line.trim_start().starts_with("--")).count();
    let with_variable = help.matches("[env: FLAGSHIP_").count();
    // --help, --version and --print-config are the ones without.
    assert!(with_variable >= flags - 3 && with_variable > 35, "{with_variable} of {flags}:\n{help}");
}

#[test]
fn exit_codes_and_error_chains() {
    let code = |args: &[&str]| flagship(args, &[]).status.code();
    assert_eq!(code(&["run", "--lease-duration", "x"]), Some(2));
    assert_eq!(code(&["run", "--cluster=a=folder:/x", "--cluster=a=folder:/x"]), Some(2));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--version"]), Some(0));
    let output = flagship(&["run", "--dr-state-store-config-path", "/nowhere"], &[]);
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: --dr-state-store-config-path /nowhere"));
    let output = flagship(&["run", "--print-config", "--sync_period=1m", "--log-format", "json"], &[]);
    let line: BTreeMap<String, Value> = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(line["level"], "WARN");
}

#[test]
fn status_of_nobody_is_a_row_and_code_1() {
    let output = flagship(&["status", "--url", "http://127.0.0.1:9"], &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("unreachable") && text.contains("refused") && text.contains("nobody is active"), "{text}");
    let output = flagship(&["status", "--url", "http://127.0.0.1:9", "--output", "json"], &[]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["active"], &json["instances"][0]["url"]), (&0.into(), &"http://127.0.0.1:9".into()));
}

#[test]
fn completions_for_shells() {
    let script = flagship(&["completions", "bash"], &[]).stdout;
    assert!(String::from_utf8_lossy(&script).contains("--lease-table"));
}
