//! Admiral's flags that change nothing here, each with why. A flag that gets a meaning leaves this table for
//! `args`.

/// A flag without effect.
pub struct NoEffect {
    /// Its name, with underscores.
    pub name: &'static str,
    /// Its one letter, if it has one.
    pub letter: Option<char>,
    /// Whether the next argument is its value; booleans take theirs after `=` alone.
    pub takes_value: bool,
    /// Why it changes nothing, to follow "has no effect: ".
    pub why: &'static str,
}

const fn switch(name: &'static str, why: &'static str) -> NoEffect {
    NoEffect { name, letter: None, takes_value: false, why }
}

const fn value(name: &'static str, why: &'static str) -> NoEffect {
    NoEffect { name, letter: None, takes_value: true, why }
}

const fn short(name: &'static str, letter: char, why: &'static str) -> NoEffect {
    NoEffect { name, letter: Some(letter), takes_value: true, why }
}

/// The flag with this name.
pub fn by_name(name: &str) -> Option<&'static NoEffect> {
    NO_EFFECT.iter().find(|flag| flag.name == name)
}

/// The flag with this letter.
pub fn by_letter(letter: char) -> Option<&'static NoEffect> {
    NO_EFFECT.iter().find(|flag| flag.letter == Some(letter))
}

/// Every flag of Admiral's that is accepted and changes nothing.
pub const NO_EFFECT: &[NoEffect] = &[
    // How often and how much at once.
    value(
        "sync_period",
        "changes are watched, drift is repaired as it is seen, and a takeover makes a full plan at once",
    ),
    value("se_dr_sync_period", "ServiceEntries and DestinationRules are watched, not listed again and again"),
    switch("enable_dependency_processing", "Dependency records are always processed, as soon as they are seen"),
    value(
        "dependency_warmup_multiplier",
        "there is no warm-up: nothing is planned before every watch has its first list",
    ),
    switch("enable_serviceentry_cache", "only differences are ever written"),
    switch("enable_destinationrule_cache", "only differences are ever written"),
    switch("enable_diff_check", "only differences are ever written; Admiral itself never reads this flag"),
    switch("enable_generation_check", "an event that changes no field in use never leads to a write"),
    switch(
        "enable_replica_count_check",
        "the number of replicas is not read, so a change of it never leads to a write",
    ),
    value("deployment_or_rollout_worker_concurrency", "one task plans, in memory; clusters are written side by side"),
    value("dependent_cluster_worker_concurrency", "every cluster has a queue of its own and waits for no other"),
    // Discovery of clients.
    value(
        "client_discovery_clusters_for_numaflow",
        "Vertices and MonoVertices of numaflow are not read; use a Dependency record",
    ),
    switch(
        "client_initiated_processing_enabled_for_controllers",
        "a new client's cluster gets the hosts that it calls at once, always",
    ),
    switch(
        "client_initiated_processing_enabled_for_dynamic_config",
        "there is no configuration in a database, and a new client is served at once, always",
    ),
    value("initiate_client_initiated_processing_for", "a new client is served at once, always and for every identity"),
    // Routing inside a cluster, and what belongs to it.
    switch(
        "enable_vs_routing_in_cluster",
        "hosts inside a cluster lead to its Service by the ServiceEntry; no VirtualService is made for it",
    ),
    short("vs_routing_in_cluster_enabled_resources", 'e', "no VirtualService is made for routing inside a cluster"),
    short("vs_routing_in_cluster_disabled_resources", 'd', "no VirtualService is made for routing inside a cluster"),
    value(
        "vs_routing_slow_start_enabled_clusters",
        "slow start needs TrafficConfig, which is not read; DestinationRules warm up by --default-warmup-duration-in-seconds",
    ),
    switch(
        "enable_traffic_config_processing_for_slow_start",
        "TrafficConfig is not read; DestinationRules warm up by --default-warmup-duration-in-seconds",
    ),
    switch("enable_custom_vs_merge", "VirtualServices of other tools are not merged into generated ones"),
    value("process_vs_created_by", "VirtualServices of other tools are not merged into generated ones"),
    switch("enable_sidecar_caching", "Sidecars are watched; what is known of them is always up to date"),
    value("max_sidecar_egress_hosts_limit_to_cache", "Sidecars are watched; there is no cache to limit"),
    // Load balancers.
    value("nlb_enabled_identity_list", "Admiral itself only stores it; see --nlb-enabled-clusters"),
    value(
        "clb_enabled_clusters",
        "Admiral itself only stores it; clusters outside --nlb-enabled-clusters use --gateway-app",
    ),
    // Admiral inside its first company.
    value("gateway_asset_aliases", "no identity is treated as an API gateway"),
    value("identity_partition_key", "no object ever carried a partition; identities are matched whole"),
    value("secret_resolver", "kubeconfigs are read from the secrets themselves"),
    switch(
        "enable_dynamic_config",
        "settings come from flags and variables; a change of them is a restart, which keeps the mesh as it is",
    ),
    value("dynamic_config_dynamodb_table_name", "settings come from flags and variables, not from a table"),
    value("dynamic_sync_period", "settings come from flags and variables, not from a table"),
    switch(
        "enable_workload_data_storage",
        "workloads are not stored outside the clusters; Admiral's own open build does not do it either",
    ),
    // Admiral's split into operator and state syncer.
    switch(
        "admiral_operator_mode",
        "there is one mode: every instance sees all clusters, and the one with the lease writes",
    ),
    switch(
        "admiral_state_syncer_mode",
        "there is one mode: every instance sees all clusters, and the one with the lease writes",
    ),
    value(
        "admiral_state_syncer_clusters",
        "there is no state syncer; clusters are those of the secrets and of --cluster",
    ),
    value("operator_sync_namespace", "there is no operator mode; objects are written to --sync-namespace"),
    value("operator_identity_value", "there is no operator mode and there are no shards"),
    value("operator_secret_filter_tags", "there is no operator mode; the secrets' label is --secret-label"),
    value("shard_identity_label_key", "there are no shards: every instance sees all clusters"),
    value("shard_identity_value", "there are no shards: every instance sees all clusters"),
    value("registry_client_host", "no service registry is asked; workloads are found in the clusters"),
    value("registry_client_app_id", "no service registry is asked; workloads are found in the clusters"),
    value(
        "registry_client_app_secret",
        "no service registry is asked, so this secret is not needed: remove it from the command line",
    ),
    value("registry_client_base_uri", "no service registry is asked; workloads are found in the clusters"),
    value("admiral_app_env", "no service registry is asked, and nothing depends on where Flagship itself runs"),
    // Flags that Admiral accepts and never reads.
    value("subset_label", "Admiral itself never reads it"),
    value("namespace_injected_label", "Admiral itself never reads it; a workload counts by --deployment-annotation"),
    value("namespace_injected_value", "Admiral itself never reads it; a workload counts by --deployment-annotation"),
    value("deprecated_envoy_filter_version", "Admiral itself never reads it; see --envoy-filter-version"),
    switch("enable_outlierdetection", "Admiral itself never reads it; OutlierDetection resources need no switch"),
    switch("enable_proxy_envoy_filter", "Admiral itself never reads it; see --enable-routing-policy"),
    value("alpha_identity_list", "Admiral itself never reads it"),
    value("dns_retries", "Admiral itself never reads it; names are resolved by the system"),
    value("dns_timeout_ms", "Admiral itself never reads it; names are resolved by the system"),
    value("dns_config_file", "Admiral itself never reads it; names are resolved by the system"),
];
