//! The lease. Nothing here has a default in clap's eyes, so that Admiral's file can stand between a flag and
//! its default.

use std::time::Duration;

use clap::Args;

use crate::cli::dr_file::DrFile;
use crate::cli::parse;
use crate::http::parse_go_bool;
use crate::options::{LeaseOptions, TableOptions};

const REQUEST_TIMEOUT: Duration = Duration::from_millis(1500);

/// Where the lease item is.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Lease table")]
pub struct TableArgs {
    /// The DynamoDB table [default: admiral-lease].
    #[arg(long, env = "FLAGSHIP_LEASE_TABLE", alias = "lease_table", value_name = "TABLE", value_parser = parse::name)]
    pub lease_table: Option<String>,
    /// The item in it; all instances of one mesh share it [default: flagship].
    #[arg(long, env = "FLAGSHIP_LEASE_NAME", alias = "lease_name", value_name = "NAME", value_parser = parse::name)]
    pub lease_name: Option<String>,
    /// The table's Region [default: as the AWS SDK finds it].
    #[arg(long, env = "FLAGSHIP_LEASE_REGION", alias = "lease_region", value_name = "REGION", value_parser = parse::name)]
    pub lease_region: Option<String>,
    /// A role to assume for the table.
    #[arg(long, env = "FLAGSHIP_ASSUME_ROLE", alias = "assume_role", value_name = "ARN", value_parser = parse::name)]
    pub assume_role: Option<String>,
    /// How long one request to the table may take [default: 1500ms].
    #[arg(long, env = "FLAGSHIP_REQUEST_TIMEOUT", alias = "request_timeout", value_name = "DURATION")]
    #[arg(value_parser = parse::duration)]
    pub request_timeout: Option<Duration>,
    /// Accept a global table with eventual consistency, on which two instances can be active at once.
    #[arg(long, env = "FLAGSHIP_ALLOW_EVENTUAL_TABLE", alias = "allow_eventual_table", value_name = "BOOL")]
    #[arg(default_value = "false", action = clap::ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub allow_eventual_table: bool,
}

/// Who asks for the lease, and its durations.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Lease")]
pub struct LeaseArgs {
    #[command(flatten)]
    table: TableArgs,
    /// This instance's name in the lease item [default: the host's name].
    #[arg(long, env = "FLAGSHIP_INSTANCE_ID", alias = "instance_id", value_name = "ID", value_parser = parse::name)]
    #[arg(help_heading = "Lease")]
    pub instance_id: Option<String>,
    /// Where this instance's API answers, published in the lease item [default: from --listen].
    #[arg(long, env = "FLAGSHIP_ENDPOINT", value_name = "URL", value_parser = parse::url, help_heading = "Lease")]
    pub endpoint: Option<String>,
    /// How long the lease holds after its last renewal was sent [default: 10s].
    #[arg(long, env = "FLAGSHIP_LEASE_DURATION", alias = "lease_duration", value_name = "DURATION")]
    #[arg(value_parser = parse::duration, help_heading = "Lease")]
    pub lease_duration: Option<Duration>,
    /// Time between two renewals of the active [default: 2s].
    #[arg(long, env = "FLAGSHIP_RENEW_INTERVAL", alias = "renew_interval", value_name = "DURATION")]
    #[arg(value_parser = parse::duration, help_heading = "Lease")]
    pub renew_interval: Option<Duration>,
    /// Time between two looks of a passive [default: 1s].
    #[arg(long, env = "FLAGSHIP_POLL_INTERVAL", alias = "poll_interval", value_name = "DURATION")]
    #[arg(value_parser = parse::duration, help_heading = "Lease")]
    pub poll_interval: Option<Duration>,
    /// By how much the clocks of two hosts may run apart [default: 1%].
    #[arg(long, env = "FLAGSHIP_DRIFT_BOUND", alias = "drift_bound", value_name = "SHARE")]
    #[arg(value_parser = parse::drift, help_heading = "Lease")]
    pub drift_bound: Option<u32>,
    /// The least safety margin between the end of one permit and the start of another [default: 200ms].
    #[arg(long, env = "FLAGSHIP_MIN_MARGIN", alias = "min_margin", value_name = "DURATION")]
    #[arg(value_parser = parse::duration, help_heading = "Lease")]
    pub min_margin: Option<Duration>,
    /// How long a Go Admiral's item must stay unchanged before it counts as abandoned [default: 45s].
    #[arg(long, env = "FLAGSHIP_FOREIGN_THRESHOLD", alias = "foreign_threshold", value_name = "DURATION")]
    #[arg(value_parser = parse::duration, help_heading = "Lease")]
    pub foreign_threshold: Option<Duration>,
}

impl TableArgs {
    /// Flag, else file, else default.
    pub fn resolve(self, file: &DrFile) -> TableOptions {
        TableOptions {
            table: self.lease_table.or_else(|| file.table_name.clone()).unwrap_or_else(|| "admiral-lease".to_owned()),
            name: self.lease_name.or_else(|| file.lease_name.clone()).unwrap_or_else(|| "flagship".to_owned()),
            region: self.lease_region.or_else(|| file.region.clone()),
            assume_role: self.assume_role.or_else(|| file.role.clone()),
            request_timeout: self.request_timeout.unwrap_or(REQUEST_TIMEOUT),
            allow_eventual_table: self.allow_eventual_table,
        }
    }
}

impl LeaseArgs {
    /// Flag, else file, else default.
    pub fn resolve(self, file: &DrFile, endpoint: impl FnOnce() -> String) -> LeaseOptions {
        let seconds = Duration::from_secs;
        LeaseOptions {
            table: self.table.resolve(file),
            instance_id: self.instance_id.or_else(|| file.pod_identifier.clone()).unwrap_or_else(hostname),
            endpoint: self.endpoint.unwrap_or_else(endpoint),
            lease_duration: self.lease_duration.or(file.stale_after).unwrap_or(seconds(10)),
            renew_interval: self.renew_interval.unwrap_or(seconds(2)),
            poll_interval: self.poll_interval.unwrap_or(seconds(1)),
            drift_ppm: self.drift_bound.unwrap_or(10_000),
            min_margin: self.min_margin.unwrap_or(Duration::from_millis(200)),
            foreign_threshold: self.foreign_threshold.or(file.stale_after).unwrap_or(seconds(45)),
        }
    }
}

/// The host's name; in a pod, the pod's.
pub fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
