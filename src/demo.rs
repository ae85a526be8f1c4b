//! `flagship demo`: a whole failover on this machine, with real processes, and a verdict on every step.
//!
//! Invariant: whatever way the demo ends (success, failure, Ctrl-C, panic), no process of its own stays behind:
//! each one belongs to a value that kills it when dropped.

mod instance;
mod manifests;
mod objects;
mod report;
mod scenario;
mod stage;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

use crate::embedded::EmbeddedError;
use report::Report;
use stage::Stage;

/// How the demo runs.
#[derive(Clone, Copy, Debug)]
pub struct DemoSettings {
    /// Leave everything running at the end, and keep the files.
    pub keep: bool,
    /// The first of four ports; free ones by default.
    pub listen_base: Option<u16>,
}

/// Why the demo could not go on.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] EmbeddedError),
    /// The system refused something.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// An HTTP client could not be made.
    #[error("could not make an HTTP client: {0}")]
    Http(#[from] reqwest::Error),
    /// A command that prepares the demo failed.
    #[error("`flagship {command}` failed: {output}")]
    Preparation {
        /// Its arguments.
        command: String,
        /// What it printed.
        output: String,
    },
    /// A step on which the next ones rest did not hold; the report has it.
    #[error("the demo stopped after a step that did not hold")]
    Stopped,
    /// Somebody pressed Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// Runs the demo and prints what happens. True if every step held.
///
/// # Errors
/// When it could not be set up, or was interrupted.
pub async fn run(settings: DemoSettings) -> Result<bool, DemoError> {
    let mut report = Report::start();
    let mut stage = Stage::set(ports(settings.listen_base)?, &mut report)?;
    let played = tokio::select! {
        played = scenario::play(&mut stage, &mut report) => played,
        interrupted = interrupted() => interrupted,
    };
    let held = match played {
        Ok(()) => report.all_held(),
        Err(DemoError::Stopped) => false,
        Err(DemoError::Interrupted) if !settings.keep => return Err(DemoError::Interrupted),
        Err(error) => {
            stage.keep_files();
            report.say(&format!("the logs are in {}", stage.logs().display()));
            return Err(error);
        }
    };
    report.print_summary();
    if settings.keep {
        stage.keep_files();
        report.say("everything keeps running until Ctrl-C:");
        for line in stage.addresses() {
            report.say(&line);
        }
        // Only a signal ends this, which is what was asked for.
        let _ = interrupted().await;
    } else if !held {
        stage.keep_files();
        report.say(&format!("the logs are in {}", stage.logs().display()));
    }
    Ok(held)
}

/// Returns on SIGINT and SIGTERM.
async fn interrupted() -> Result<(), DemoError> {
    let io = |source| DemoError::Io { what: "could not listen for signals".to_owned(), source };
    let mut terminate = signal(SignalKind::terminate()).map_err(io)?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.map_err(io)?,
        _ = terminate.recv() => {}
    }
    Err(DemoError::Interrupted)
}

/// Four ports on loopback: API and metrics of either instance.
fn ports(base: Option<u16>) -> Result<[u16; 4], DemoError> {
    if let Some(base) = base {
        return Ok([base, base.saturating_add(1), base.saturating_add(2), base.saturating_add(3)]);
    }
    let io = |source| DemoError::Io { what: "no free port on 127.0.0.1".to_owned(), source };
    // All at once, so that no port is handed out twice.
    let bind = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(io);
    let listeners = (0..4).map(bind).collect::<Result<Vec<_>, _>>()?;
    let mut ports = [0; 4];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr().map_err(io)?.port();
    }
    Ok(ports)
}

/// Wraps an I/O error with what was tried on which path.
fn at_path(what: &str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> DemoError {
    let what = format!("{what} {}", path.into().display());
    move |source| DemoError::Io { what, source }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ports_differ_and_follow_the_base() {
        let free: BTreeSet<_> = ports(None).unwrap().into_iter().collect();
        assert_eq!(free.len(), 4);
        assert_eq!(ports(Some(9000)).unwrap(), [9000, 9001, 9002, 9003]);
    }
}
