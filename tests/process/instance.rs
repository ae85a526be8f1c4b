//! A `flagship run` process. It is killed when the test lets go of it.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::world::World;

/// Lines of a log that a failed test shows.
const LAST_LINES: usize = 40;

pub struct Instance {
    pub name: String,
    pub url: String,
    pub started: Instant,
    log: PathBuf,
    child: Child,
}

/// What a process has used.
pub struct Usage {
    pub resident_mib: u64,
    /// The most that it ever had.
    pub peak_mib: u64,
    pub cpu_s: f64,
}

impl Instance {
    /// Starts one that reaches the lease table at `dynamodb`. `name` is its name in the lease item.
    pub fn start(world: &World, name: &str, dynamodb: &str, more: &[&str]) -> Self {
        Self::launch(world, name, &world.secrets_of(name), world.flagship(dynamodb), more)
    }

    /// Starts `command`, the program with its environment. Its clusters are those of the namespace `secrets`.
    pub fn launch(world: &World, name: &str, secrets: &str, mut command: Command, more: &[&str]) -> Self {
        let port = free_port();
        let listen = format!("127.0.0.1:{port}");
        let log = world.logs.join(format!("{name}-{port}.log"));
        command.args(["run", "--metrics=false", "--listen", &listen, "--region", "us-west-2"]);
        command.args(["--instance-id", name, "--lease-table", &world.table]);
        command.args(["--control", &format!("kubeconfig:{}", world.alpha().kubeconfig.display())]);
        command.args(["--secret-namespace", secrets, "--dependency-namespace", &world.control]);
        command.args(["--sync-namespace", &world.sync, "--gateway-namespace", &world.apps]);
        command.args(["--workload-identity-key", &world.identity_key]).args(more);
        let file = File::create(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        Self { name: name.to_owned(), url: format!("http://{listen}"), started: Instant::now(), log, child }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Waits for its end.
    pub async fn exit(&mut self, within: Duration) -> ExitStatus {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "{} still runs after {within:?}", self.name);
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it sees every cluster (as a standby must before it takes over).
    pub async fn ready(&self, within: Duration) {
        let until = Instant::now() + within;
        while self.answer("/health/ready").await != Some(200) {
            assert!(Instant::now() < until, "{} was not ready within {within:?}", self.name);
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// `GET /api/v1/status`
    pub async fn status(&self) -> Value {
        self.json("/api/v1/status").await
    }

    pub async fn json(&self, path: &str) -> Value {
        let answer = client().get(format!("{}{path}", self.url)).send().await;
        answer.unwrap_or_else(|e| panic!("{}{path}: {e}", self.name)).json().await.unwrap()
    }

    /// Writes that took effect, since its start, as it counts them itself.
    pub async fn writes(&self) -> u64 {
        let status = self.status().await;
        status["mesh"]["writes"].as_object().unwrap().values().filter_map(Value::as_u64).sum()
    }

    /// Its epoch, or the highest that it has seen.
    pub async fn epoch(&self) -> u64 {
        self.status().await["epoch"].as_u64().unwrap()
    }

    /// How many threads (`task`) or open files (`fd`) it has.
    pub fn count(&self, what: &str) -> usize {
        std::fs::read_dir(format!("/proc/{}/{what}", self.child.id())).unwrap().count()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap();
        let field = |text: &str| text.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
        let status = read("status");
        let mib = |name: &str| status.lines().find(|line| line.starts_with(name)).and_then(field).unwrap() / 1024;
        let stat = read("stat");
        let ticks = |at: usize| stat.rsplit(')').next().unwrap().split_whitespace().nth(at).unwrap().parse::<f64>();
        let cpu_s = (ticks(11).unwrap() + ticks(12).unwrap()) / 100.0;
        Usage { resident_mib: mib("VmRSS:"), peak_mib: mib("VmHWM:"), cpu_s }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    async fn answer(&self, path: &str) -> Option<u16> {
        let answer = client().get(format!("{}{path}", self.url)).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {} ({}):\n{}", self.name, self.log.display(), tail(&self.log));
        }
    }
}

/// A client for single questions.
fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
}
