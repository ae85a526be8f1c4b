//! A `flagship run` of its own process.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::time::{Instant, sleep};

const READY_WITHIN: Duration = Duration::from_secs(30);
const STOPPED_WITHIN: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(100);

pub struct Instance {
    child: Child,
    url: String,
    log: PathBuf,
    http: reqwest::Client,
}

impl Instance {
    /// Starts one with `arguments` and free ports, and waits until it is ready.
    pub async fn start(arguments: &[String], directory: &Path) -> Self {
        let log = directory.join("flagship.log");
        let listen = free_address();
        let child = Command::new(env!("CARGO_BIN_EXE_flagship"))
            .args(["run", "--listen", &listen, "--metrics-listen", &free_address()])
            .args(arguments)
            .env_clear()
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let mut instance = Self { child, url: format!("http://{listen}"), log, http };
        let ends = Instant::now() + READY_WITHIN;
        while !instance.is_ready().await {
            let ended = instance.child.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < ends, "not ready ({ended:?}):\n{}", instance.log());
            sleep(PAUSE).await;
        }
        instance
    }

    /// Changes that are still to be written.
    pub async fn pending(&self) -> Vec<Value> {
        self.get("/api/v1/plan").await["pendingChanges"].as_array().expect("a list").clone()
    }

    /// Everything that it says about itself.
    pub async fn status(&self) -> Value {
        self.get("/api/v1/status").await
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Tells it to end, as Kubernetes would; it must do so in order.
    pub async fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let ends = Instant::now() + STOPPED_WITHIN;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < ends, "it does not end:\n{}", self.log());
            sleep(PAUSE).await;
        };
        assert!(status.success(), "{status}:\n{}", self.log());
    }

    async fn is_ready(&self) -> bool {
        self.http
            .get(format!("{}/health/ready", self.url))
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    }

    async fn get(&self, path: &str) -> Value {
        let answer = async { self.http.get(format!("{}{path}", self.url)).send().await?.json().await };
        answer.await.unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()))
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // After `stop` there is nothing left to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
