//! From options to the parts of an instance.

use std::time::Duration;

use anyhow::Context;

use crate::checker::CheckerOptions;
use crate::cluster::discovery::DiscoveryOptions;
use crate::cluster::watch::WatchOptions;
use crate::lease::{Identity, LeaseConfig, Timings};
use crate::mesh::{MeshOptions, MeshSettings};
use crate::options::{ClusterOptions, LeaseInitOptions, LeaseOptions, MeshFlags, RunOptions, TableOptions};
use crate::store::LeaseStore;
use crate::store::dynamodb::{DynamoDbOptions, DynamoDbStore};
use crate::store::init::{Created, lease_item, lease_table};

/// Setting up a table is not on the lease path and may take longer than one of its requests.
const INIT_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

/// The settings of the mesh, checked.
pub(super) fn mesh_options(flags: &MeshFlags) -> anyhow::Result<MeshOptions> {
    let flags = flags.clone();
    let settings = MeshSettings {
        sync_namespace: flags.sync_namespace,
        dependency_namespace: flags.dependency_namespace,
        hostname_suffix: flags.hostname_suffix,
        workload_identity_key: flags.workload_identity_key,
        env_key: flags.env_key,
        gateway_app: flags.gateway_app,
        gateway_namespace: flags.gateway_namespace,
        deployment_annotation: flags.deployment_annotation,
        admiral_ignore_label: flags.admiral_ignore_label,
        se_ip_prefix: flags.se_ip_prefix,
        disable_ip_generation: flags.disable_ip_generation,
        enable_absolute_fqdn: flags.enable_absolute_fqdn,
        enable_absolute_fqdn_for_local_endpoints: flags.enable_absolute_fqdn_for_local_endpoints,
        default_warmup_duration: flags.default_warmup_duration,
        max_requests_per_connection: flags.max_requests_per_connection,
        disable_default_automatic_failover: flags.disable_default_automatic_failover,
        excluded_identity_list: flags.excluded_identity_list,
        address_configmap: flags.address_configmap,
        address_hold: flags.address_hold,
    };
    Ok(MeshOptions::new(settings)?)
}

/// What the checkers need, with a uuid for this process.
pub(super) fn checker_options(options: &RunOptions) -> anyhow::Result<CheckerOptions> {
    let lease = &options.lease;
    Ok(CheckerOptions {
        config: LeaseConfig::new(timings(lease))?,
        identity: Identity {
            owner: lease.instance_id.clone(),
            instance_id: uuid::Uuid::new_v4().to_string(),
            endpoint: lease.endpoint.clone(),
            region: options.region.clone(),
        },
        dynamodb: dynamodb(&lease.table),
    })
}

/// Where the clusters are, and which of their namespaces are watched.
pub(super) fn discovery_options(clusters: &ClusterOptions, mesh: &MeshFlags) -> DiscoveryOptions {
    DiscoveryOptions {
        control: clusters.control.clone(),
        clusters: clusters.named.clone(),
        secret_namespace: clusters.secret_namespace.clone(),
        secret_label: clusters.secret_label.clone(),
        watch: WatchOptions {
            sync_namespace: mesh.sync_namespace.clone(),
            dependency_namespace: mesh.dependency_namespace.clone(),
        },
    }
}

/// Makes the lease item, and the table if asked; returns what happened, in one line for people.
///
/// # Errors
/// When a request fails or the table is not fit for a lease.
pub async fn lease_init(options: LeaseInitOptions) -> anyhow::Result<String> {
    let table = DynamoDbOptions { request_timeout: INIT_REQUEST_TIMEOUT, ..dynamodb(&options.table) };
    let store = DynamoDbStore::connect(table).await;
    let mut done = String::new();
    if options.create_table {
        done = match lease_table(&store).await? {
            Created::Yes => format!("created table {}; ", options.table.table),
            Created::Existed => format!("table {} exists; ", options.table.table),
        };
    }
    let item = lease_item(&store).await.with_context(|| format!("{done}the lease item was not made"))?;
    done += &match item {
        Created::Yes => format!("created the lease, released, in {}", store.describe()),
        Created::Existed => format!("the lease exists already in {}; it was left as it is", store.describe()),
    };
    Ok(done)
}

fn timings(lease: &LeaseOptions) -> Timings {
    Timings {
        lease_duration: lease.lease_duration,
        renew_interval: lease.renew_interval,
        poll_interval: lease.poll_interval,
        request_timeout: lease.table.request_timeout,
        drift_ppm: lease.drift_ppm,
        min_margin: lease.min_margin,
        foreign_threshold: lease.foreign_threshold,
    }
}

fn dynamodb(table: &TableOptions) -> DynamoDbOptions {
    DynamoDbOptions {
        table: table.table.clone(),
        lease_name: table.name.clone(),
        region: table.region.clone(),
        assume_role: table.assume_role.clone(),
        request_timeout: table.request_timeout,
        allow_eventual_table: table.allow_eventual_table,
    }
}
