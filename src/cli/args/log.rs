//! Logging, for every command.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::cli::parse;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Logging")]
pub struct LogArgs {
    /// error, warn, info, debug or trace; Admiral's numbers 0 to 6 too.
    #[arg(long, env = "FLAGSHIP_LOG_LEVEL", alias = "log_level", value_name = "LEVEL", global = true)]
    #[arg(default_value = "info", value_parser = parse::log_level)]
    pub log_level: tracing::Level,
    /// How log lines look.
    #[arg(long, env = "FLAGSHIP_LOG_FORMAT", alias = "log_format", value_name = "FORMAT", global = true)]
    #[arg(default_value = "text")]
    pub log_format: LogFormat,
}

impl LogArgs {
    /// Starts logging, to standard error.
    pub fn init(&self) {
        let builder = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(std::io::stderr().is_terminal())
            .with_env_filter(self.filter());
        // An error means that somebody has set up logging already, as tests do.
        let _ = match self.log_format {
            LogFormat::Text => builder.try_init(),
            LogFormat::Json => builder.json().try_init(),
        };
    }

    /// Ours at the level that was asked for; libraries only when they warn, unless everything is wanted. The
    /// embedded engine takes each lost race for a warning, kube each refused request for an error: we say both
    /// ourselves, with what they mean.
    fn filter(&self) -> EnvFilter {
        let level = self.log_level;
        let libraries = if level == tracing::Level::TRACE { level } else { level.min(tracing::Level::WARN) };
        EnvFilter::new(format!("{libraries},flagship={level},dynoxide=error,aws_config=error,kube_client=off"))
    }
}
