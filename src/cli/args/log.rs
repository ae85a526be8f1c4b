//! Logging, for every command.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::Context;
use clap::{ArgAction, Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::cli::log_file::LogFile;
use crate::cli::parse;
use crate::http::parse_go_bool;

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
    /// Log to a file instead of standard error.
    #[arg(long, env = "FLAGSHIP_LOG_TO_FILE", alias = "log_to_file", value_name = "BOOL", global = true)]
    #[arg(default_value = "false", action = ArgAction::Set, value_parser = parse_go_bool)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub log_to_file: bool,
    /// That file.
    #[arg(long, env = "FLAGSHIP_LOG_FILE_PATH", alias = "log_file_path", value_name = "FILE", global = true)]
    #[arg(default_value = "/app/logs/admiral.log")]
    pub log_file_path: PathBuf,
    /// The size, in MiB, from which a new file is begun; ten old ones are kept.
    #[arg(long, env = "FLAGSHIP_LOG_FILE_SIZE_IN_MBS", value_name = "MIB", global = true)]
    #[arg(alias = "log_file_size_in_MBs", default_value = "200", value_parser = parse::count)]
    pub log_file_size_in_mbs: u32,
}

impl LogArgs {
    /// Starts logging.
    ///
    /// # Errors
    /// When the log file cannot be opened.
    pub fn init(&self) -> anyhow::Result<()> {
        let builder = tracing_subscriber::fmt().with_env_filter(self.filter());
        // An error of `try_init` means that somebody has set up logging already, as tests do.
        if self.log_to_file {
            let path = &self.log_file_path;
            let file = LogFile::open(path, u64::from(self.log_file_size_in_mbs) << 20).with_context(|| {
                format!(
                    "--log-file-path {}; give a file that can be written, or leave --log-to-file out",
                    path.display()
                )
            })?;
            let builder = builder.with_writer(Mutex::new(file)).with_ansi(false);
            let _ = match self.log_format {
                LogFormat::Text => builder.try_init(),
                LogFormat::Json => builder.json().try_init(),
            };
        } else {
            let builder = builder.with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
            let _ = match self.log_format {
                LogFormat::Text => builder.try_init(),
                LogFormat::Json => builder.json().try_init(),
            };
        }
        Ok(())
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
