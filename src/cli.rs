//! The command line: one file per command, arguments in parts that commands share.
//!
//! Invariant: a wrong argument, variable or file ends the program with code 2 and a message that names it,
//! before anything was started.

mod admiral;
mod admiral_file;
mod admiral_yaml;
mod args;
mod completions;
mod demo;
mod dr_file;
mod explain;
mod lease;
mod log_file;
mod parse;
mod render;
mod run;
mod status;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

use args::LogArgs;
pub use run::RunCommand;

/// Disaster recovery for multi-region Istio meshes: one active writer, decided by a lease.
#[derive(Debug, Parser)]
#[command(name = "flagship", version, max_term_width = 110, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    log: LogArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Run an instance: watch the clusters, and write to them while it holds the lease.
    Run(Box<RunCommand>),
    /// Show who is active, who stands by, and what is wrong.
    Status(status::StatusCommand),
    /// Say why a service is, or is not, where somebody looks for it.
    Explain(Box<explain::ExplainCommand>),
    /// Write what the clusters should hold to files, without touching the clusters.
    Render(Box<render::RenderCommand>),
    /// Set up the lease.
    #[command(subcommand)]
    Lease(lease::LeaseCommand),
    /// Show a whole failover on this machine, with two instances and three clusters made of files.
    Demo(demo::DemoCommand),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsCommand),
}

impl Cli {
    /// How the program logs, for comparison.
    pub fn log_settings(&self) -> String {
        format!("{:?}", self.log)
    }
}

/// Why the program ends without success.
pub enum Failure {
    /// The arguments, variables or files are wrong: code 2.
    Usage(anyhow::Error),
    /// The work failed: code 1.
    Work(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

/// Everything after `main`.
pub fn main() -> ExitCode {
    let (cli, warnings) = match parse(std::env::args_os()) {
        Ok(parsed) => parsed,
        Err(error) => {
            // A closed pipe is no reason for another message.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match start(cli, &warnings) {
        Ok(code) => code,
        Err(Failure::Usage(error)) => complain(&error, 2),
        Err(Failure::Work(error)) => complain(&error, 1),
    }
}

/// Parses a whole command line, the program's name first. Returns with it what should be warned of: flags of
/// Admiral that are accepted and change nothing.
///
/// # Errors
/// What clap has to say, usage and help among it.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<(Cli, Vec<String>), clap::Error> {
    let (args, warnings) = admiral::without_ignored(args);
    Ok((Cli::try_parse_from(args)?, warnings))
}

fn start(cli: Cli, warnings: &[String]) -> Result<ExitCode, Failure> {
    cli.log.init().map_err(Failure::Usage)?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    match cli.command {
        Command::Run(command) => command.execute(),
        Command::Status(command) => command.execute(),
        Command::Explain(command) => command.execute(),
        Command::Render(command) => command.execute(),
        Command::Lease(command) => command.execute(),
        Command::Demo(command) => command.execute(),
        Command::Completions(command) => command.execute(),
    }
}

/// Runs `work` on a runtime of its own.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("could not start the threads of the runtime")?;
    let result = runtime.block_on(work);
    // A task that hangs must not keep the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    Ok(result?)
}

fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    // Nothing is left to be done when even this cannot be written.
    let _ = writeln!(io::stderr(), "error: {error:#}");
    ExitCode::from(code)
}
