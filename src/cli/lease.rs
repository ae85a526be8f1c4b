//! `flagship lease`

use std::process::ExitCode;

use clap::{ArgAction, Args, Subcommand};

use super::args::TableArgs;
use super::dr_file::DrFile;
use super::{Failure, block_on};
use crate::http::parse_go_bool;
use crate::options::LeaseInitOptions;
use crate::text::print;

/// Set up the lease.
#[derive(Clone, Debug, Subcommand)]
pub enum LeaseCommand {
    /// Make the lease item, released and with epoch 0, unless it is there.
    Init(LeaseInitCommand),
}

/// Make the lease item.
#[derive(Clone, Debug, Args)]
pub struct LeaseInitCommand {
    /// Make the table too: for trials; in production Terraform makes it.
    #[arg(long, env = "FLAGSHIP_CREATE_TABLE", value_name = "BOOL", default_value = "false")]
    #[arg(alias = "create_table", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    create_table: bool,
    #[command(flatten)]
    table: TableArgs,
}

impl LeaseCommand {
    pub(super) fn execute(self) -> Result<ExitCode, Failure> {
        let Self::Init(command) = self;
        let done = block_on(crate::runtime::lease_init(command.resolve()))?;
        print(&format!("{done}\n"))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl LeaseInitCommand {
    /// The options.
    pub fn resolve(self) -> LeaseInitOptions {
        LeaseInitOptions { table: self.table.resolve(&DrFile::default()), create_table: self.create_table }
    }
}
