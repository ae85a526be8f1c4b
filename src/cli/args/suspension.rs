//! The table of suspended identities. Nothing here has a default in clap's eyes, so that Admiral's file can stand
//! between a flag and its default.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::Args;

use crate::cli::{admiral_file, parse};
use crate::options::SuspensionOptions;

/// Who is suspended.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Suspension table")]
pub struct SuspensionArgs {
    /// A DynamoDB table, as Admiral has it, that says for which identities nothing is written or deleted.
    #[arg(long, env = "FLAGSHIP_SUSPENSION_TABLE", alias = "suspension_table", value_name = "TABLE")]
    #[arg(value_parser = parse::name)]
    pub suspension_table: Option<String>,
    /// The clusterEnvironment of the item in it.
    #[arg(long, env = "FLAGSHIP_SUSPENSION_ENVIRONMENT", alias = "suspension_environment", value_name = "ENVIRONMENT")]
    #[arg(value_parser = parse::name)]
    pub suspension_environment: Option<String>,
    /// Time between two looks at it [default: 30s].
    #[arg(long, env = "FLAGSHIP_SUSPENSION_INTERVAL", alias = "suspension_interval", value_name = "DURATION")]
    #[arg(value_parser = parse::duration)]
    pub suspension_interval: Option<Duration>,
    /// The table's Region [default: as the AWS SDK finds it].
    #[arg(long, env = "FLAGSHIP_SUSPENSION_REGION", alias = "suspension_region", value_name = "REGION")]
    #[arg(value_parser = parse::name)]
    pub suspension_region: Option<String>,
    /// A role to assume for the table.
    #[arg(long, env = "FLAGSHIP_SUSPENSION_ASSUME_ROLE", alias = "suspension_assume_role", value_name = "ARN")]
    #[arg(value_parser = parse::name)]
    pub suspension_assume_role: Option<String>,
    /// Admiral's YAML file with these settings under ignoreIdentityList; flags and variables win over it.
    #[arg(
        long,
        env = "FLAGSHIP_SECRET_RESOLVER_CONFIG_PATH",
        alias = "secret_resolver_config_path",
        value_name = "FILE"
    )]
    pub secret_resolver_config_path: Option<PathBuf>,
}

impl SuspensionArgs {
    /// Flag, else file, else default; `None` when no table is given. The second value is what should be warned of.
    ///
    /// # Errors
    /// When the file is wrong, or one of table and environment is missing.
    pub fn resolve(self) -> anyhow::Result<(Option<SuspensionOptions>, Vec<String>)> {
        let (file, warnings) = match self.secret_resolver_config_path.as_deref() {
            Some(path) if !path.as_os_str().is_empty() => admiral_file::read(path)?,
            _ => Default::default(),
        };
        let (table, environment) = match (
            self.suspension_table.or(file.table_name),
            self.suspension_environment.or(file.cluster_environment),
        ) {
            (Some(table), Some(environment)) => (table, environment),
            (None, None) => return Ok((None, warnings)),
            (Some(table), None) => bail!(
                "--suspension-table is {table}, but there is no --suspension-environment; give the \
                     clusterEnvironment of the item in the table"
            ),
            (None, Some(environment)) => bail!(
                "--suspension-environment is {environment}, but there is no --suspension-table; give the table's name"
            ),
        };
        let options = SuspensionOptions {
            table,
            environment,
            region: self.suspension_region.or(file.region),
            assume_role: self.suspension_assume_role.or(file.role),
            interval: self.suspension_interval.or(file.period).unwrap_or(Duration::from_secs(30)),
        };
        Ok((Some(options), warnings))
    }
}
