//! One Flagship process, and what its health check says.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::manifests::CLUSTERS;
use super::{DemoError, at_path};
use crate::http::{EPOCH_HEADER, STATE_HEADER};

/// How long an answer may take before the instance counts as not answering.
const ANSWER_WITHIN: Duration = Duration::from_millis(400);

/// The table and item that both instances share.
pub const LEASE: [&str; 4] = ["--lease-table", "admiral-lease", "--lease-name", "demo"];

/// A health check's view of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// No answer.
    Silent,
    /// An answer to `checkifreadonly=true`.
    Answer {
        /// 200, 502 or 503.
        status: u16,
        /// `active` or `passive`.
        state: String,
        /// The epoch that it knows.
        epoch: u64,
        /// Whether it has seen its clusters.
        synced: bool,
    },
}

impl Seen {
    /// Whether a load balancer would send traffic there.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Answer { status: 200, .. })
    }

    /// Whether it stands by, ready to take over.
    pub fn is_standby(&self) -> bool {
        matches!(self, Self::Answer { status: 502, synced: true, .. })
    }

    /// The epoch, zero when silent.
    pub fn epoch(&self) -> u64 {
        if let Self::Answer { epoch, .. } = self { *epoch } else { 0 }
    }

    /// In words.
    pub fn describe(&self) -> String {
        match self {
            Self::Silent => "does not answer".to_owned(),
            Self::Answer { status, state, epoch, synced } => {
                let synced = if *synced { "" } else { ", not synced" };
                format!("{state} (checkifreadonly={status}, epoch {epoch}{synced})")
            }
        }
    }
}

/// An instance. Its process dies with this value.
#[derive(Debug)]
pub struct Instance {
    /// Its name.
    pub name: &'static str,
    region: &'static str,
    port: u16,
    metrics_port: u16,
    child: Option<Child>,
}

impl Instance {
    /// An instance that does not run yet.
    pub fn new(name: &'static str, region: &'static str, port: u16, metrics_port: u16) -> Self {
        Self { name, region, port, metrics_port, child: None }
    }

    /// Where its API answers.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts the process. It writes its log to `root/logs/NAME.log`.
    pub fn start(&mut self, root: &Path, dynamodb: &str) -> Result<(), DemoError> {
        let log = root.join("logs").join(format!("{}.log", self.name));
        let file = OpenOptions::new().create(true).append(true).open(&log).map_err(at_path("could not open", &log))?;
        let errors = file.try_clone().map_err(at_path("could not open", &log))?;
        let mut command = Command::new(program()?);
        command.args(self.arguments(root)).env_clear().envs(environment(root, dynamodb, self.region));
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = command.spawn();
        self.child = Some(child.map_err(at_path("could not start", self.name))?);
        Ok(())
    }

    fn arguments(&self, root: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = ["run", "--state-checker", "dynamodb"].map(str::to_owned).to_vec();
        arguments.extend(LEASE.map(str::to_owned));
        let pairs = [
            ("--instance-id", self.name.to_owned()),
            ("--region", self.region.to_owned()),
            ("--listen", format!("127.0.0.1:{}", self.port)),
            ("--metrics-listen", format!("127.0.0.1:{}", self.metrics_port)),
            ("--control", format!("folder:{}", root.join("control").display())),
        ];
        arguments.extend(pairs.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
        for cluster in CLUSTERS {
            let folder = root.join(cluster.name);
            arguments.extend(["--cluster".to_owned(), format!("{}=folder:{}", cluster.name, folder.display())]);
        }
        arguments
    }

    /// SIGKILL, and gone.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Either may fail only because the process is gone already. SIGKILL also ends a stopped one.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// SIGSTOP: the process is there and does nothing.
    pub fn pause(&self) -> Result<(), DemoError> {
        self.signal(Signal::STOP)
    }

    /// SIGCONT: the process goes on as if no time had passed.
    pub fn resume(&self) -> Result<(), DemoError> {
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<(), DemoError> {
        let Some(child) = &self.child else { return Ok(()) };
        kill_process(Pid::from_child(child), signal)
            .map_err(|error| at_path("could not signal", self.name)(error.into()))
    }

    /// Asks both health routes.
    pub async fn look(&self, client: &reqwest::Client) -> Seen {
        self.look_within(client, ANSWER_WITHIN).await
    }

    /// [`Self::look`] with another limit.
    pub async fn look_within(&self, client: &reqwest::Client, within: Duration) -> Seen {
        let ask = |query: &str| client.get(format!("{}/health/ready{query}", self.url())).timeout(within).send();
        let (active, ready) = tokio::join!(ask("?checkifreadonly=true"), ask(""));
        let (Ok(active), Ok(ready)) = (active, ready) else { return Seen::Silent };
        let header = |name: &str| active.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        Seen::Answer {
            status: active.status().as_u16(),
            state: header(STATE_HEADER).to_owned(),
            epoch: header(EPOCH_HEADER).parse().unwrap_or(0),
            synced: ready.status().is_success(),
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// This program.
pub fn program() -> Result<PathBuf, DemoError> {
    std::env::current_exe()
        .map_err(|source| DemoError::Io { what: "could not find the flagship binary".to_owned(), source })
}

/// Nothing of the user's environment reaches the instances: no profile, no credentials, no FLAGSHIP_ variable.
pub fn environment(root: &Path, dynamodb: &str, region: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", dynamodb.to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_ACCESS_KEY_ID", "demo".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("HOME", root.display().to_string()),
        ("PATH", std::env::var("PATH").unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn the_arguments_are_ones_that_run_takes() {
        let arguments = Instance::new("west-1", "us-west-2", 1, 2).arguments(Path::new("/r"));
        let line = std::iter::once("flagship".to_owned()).chain(arguments).map(OsString::from);
        let (cli, warnings) = crate::cli::parse(line).unwrap();
        assert!(warnings.is_empty());
        let crate::cli::Command::Run(run) = cli.command else { panic!("not run") };
        let (options, _) = run.resolve().unwrap();
        assert_eq!((options.clusters.named.len(), options.lease.instance_id.as_str()), (3, "west-1"));
    }

    #[test]
    fn only_a_200_is_active_and_only_a_synced_502_stands_by() {
        let seen = |status, synced| Seen::Answer { status, state: "passive".to_owned(), epoch: 2, synced };
        assert!(seen(200, true).is_active() && !seen(502, true).is_active() && !Seen::Silent.is_active());
        assert!(seen(502, true).is_standby() && !seen(502, false).is_standby() && !seen(503, true).is_standby());
        assert_eq!(seen(502, false).describe(), "passive (checkifreadonly=502, epoch 2, not synced)");
    }
}
