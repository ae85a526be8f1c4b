//! From options to the parts of an instance.

use std::time::Duration;

use anyhow::Context;

use crate::checker::{CheckerOptions, ignore_identity};
use crate::cluster::discovery::DiscoveryOptions;
use crate::cluster::watch::WatchOptions;
use crate::lease::{Identity, LeaseConfig, Timings};
use crate::mesh::MeshSettings;
use crate::options::{ClusterOptions, LeaseInitOptions, LeaseOptions, RunOptions, SuspensionOptions, TableOptions};
use crate::store::LeaseStore;
use crate::store::dynamodb::{DynamoDbOptions, DynamoDbStore};
use crate::store::init::{Created, lease_item, lease_table};
use crate::suspension::{self, SuspensionTable};

/// Setting up a table is not on the lease path and may take longer than one of its requests.
const INIT_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);

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

/// That the checker's name does not promise what is not configured.
///
/// # Errors
/// When it is Admiral's name for following a suspension table, and there is none.
pub(super) fn check_suspension(options: &RunOptions) -> anyhow::Result<()> {
    let checker = &options.state_checker;
    anyhow::ensure!(
        options.suspension.is_some() || !ignore_identity::is_meant_by(checker),
        "--state-checker is `{checker}`, which follows a table of suspended identities, but none is given; give \
         --suspension-table and --suspension-environment, or Admiral's file by --secret-resolver-config-path"
    );
    Ok(())
}

/// Where suspensions are read.
pub(super) async fn suspension_table(options: &SuspensionOptions) -> SuspensionTable {
    let table = suspension::TableOptions {
        table: options.table.clone(),
        environment: options.environment.clone(),
        region: options.region.clone(),
        assume_role: options.assume_role.clone(),
    };
    SuspensionTable::connect(table).await
}

/// Where the clusters are, and which of their namespaces are watched.
pub(super) fn discovery_options(clusters: &ClusterOptions, mesh: &MeshSettings) -> DiscoveryOptions {
    DiscoveryOptions {
        control: clusters.control.clone(),
        clusters: clusters.named.clone(),
        secret_namespace: clusters.secret_namespace.clone(),
        secret_label: clusters.secret_label.clone(),
        watch: WatchOptions::from(mesh),
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
