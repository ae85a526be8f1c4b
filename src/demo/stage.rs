//! Everything that the demo needs around its instances: folders, the lease's table, an HTTP client.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::instance::{Instance, LEASE, Seen, environment, program};
use super::manifests::{self, CLUSTERS};
use super::objects::Objects;
use super::report::Report;
use super::{DemoError, at_path};
use crate::embedded::EmbeddedDynamoDb;

/// The stage. Dropping it ends the instances first, then the table, then the files.
pub struct Stage {
    /// The two instances.
    pub instances: [Instance; 2],
    /// For the health checks.
    pub client: reqwest::Client,
    engine: EmbeddedDynamoDb,
    root: TempDir,
}

impl Stage {
    /// Writes the example clusters and starts the lease's table.
    pub fn set(ports: [u16; 4], report: &mut Report) -> Result<Self, DemoError> {
        let root = TempDir::with_prefix("flagship-demo-").map_err(at_path("no temporary directory", ""))?;
        let engine = EmbeddedDynamoDb::start()?;
        report.say(&format!("DynamoDB (embedded) at {}, clusters in {}", engine.endpoint(), root.path().display()));
        let [west, west_metrics, east, east_metrics] = ports;
        let stage = Self {
            instances: [
                Instance::new("flagship-west", "us-west-2", west, west_metrics),
                Instance::new("flagship-east", "us-east-2", east, east_metrics),
            ],
            client: reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0).build()?,
            engine,
            root,
        };
        for folder in ["control", "logs", ".staging"].into_iter().chain(CLUSTERS.map(|c| c.name)) {
            let folder = stage.root().join(folder);
            std::fs::create_dir(&folder).map_err(at_path("could not make", &folder))?;
        }
        stage.write("control", "dependency", &manifests::dependency())?;
        for cluster in CLUSTERS {
            stage.write(cluster.name, "cluster", &manifests::cluster(cluster))?;
        }
        stage.write(manifests::CLIENT, "webapp", &manifests::workload("webapp"))?;
        for cluster in ["west", "east"] {
            stage.write(cluster, "greeting", &manifests::workload("greeting"))?;
        }
        Ok(stage)
    }

    /// The directory of it all.
    pub fn root(&self) -> &Path {
        self.root.path()
    }

    /// Where the instances write their logs.
    pub fn logs(&self) -> PathBuf {
        self.root().join("logs")
    }

    /// Leaves the files behind.
    pub fn keep_files(&mut self) {
        self.root.disable_cleanup(true);
    }

    /// What somebody who wants to look around has to know.
    pub fn addresses(&self) -> Vec<String> {
        let mut lines: Vec<_> = self.instances.iter().map(|i| format!("  {}: {}", i.name, i.url())).collect();
        lines.push(format!("  clusters: {}", self.root().display()));
        lines.push(format!("  DynamoDB: {}", self.engine.endpoint()));
        let urls: Vec<_> = self.instances.iter().map(Instance::url).collect();
        lines.push(format!("  try: flagship status --url {}", urls.join(",")));
        lines
    }

    /// Puts a manifest into a cluster's folder, whole or not at all.
    pub fn write(&self, cluster: &str, name: &str, manifest: &str) -> Result<(), DemoError> {
        let staged = self.root().join(".staging").join(name);
        std::fs::write(&staged, manifest).map_err(at_path("could not write", &staged))?;
        let place = self.root().join(cluster).join(format!("{name}.yaml"));
        std::fs::rename(&staged, &place).map_err(at_path("could not write", &place))
    }

    /// The Istio objects in all folders.
    pub fn objects(&self) -> Objects {
        Objects::read(self.root())
    }

    /// Starts one of the instances.
    pub fn start(&mut self, index: usize) -> Result<(), DemoError> {
        let root = self.root.path().to_owned();
        self.instances[index].start(&root, self.engine.endpoint())
    }

    /// Both instances' health, asked at the same time.
    pub async fn look(&self) -> [Seen; 2] {
        let [west, east] = &self.instances;
        let (west, east) = tokio::join!(west.look(&self.client), east.look(&self.client));
        [west, east]
    }

    /// Makes the table and the lease item as an operator would: `flagship lease init --create-table`.
    pub async fn init_lease(&self) -> Result<(), DemoError> {
        let arguments: Vec<&str> = ["lease", "init", "--create-table"].into_iter().chain(LEASE).collect();
        let failed = |output: String| DemoError::Preparation { command: arguments.join(" "), output };
        let mut command = Command::new(program()?);
        command.args(&arguments).env_clear().envs(environment(self.root(), self.engine.endpoint(), "us-west-2"));
        command.stdin(Stdio::null()).kill_on_drop(true);
        match tokio::time::timeout(Duration::from_secs(30), command.output()).await {
            Err(_) => Err(failed("no end within 30 s".to_owned())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Ok(Ok(output)) if output.status.success() => Ok(()),
            Ok(Ok(output)) => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn the_stage_has_every_folder_and_leaves_nothing_behind() {
        let stage = Stage::set([1, 2, 3, 4], &mut Report::start()).unwrap();
        let root = stage.root().to_owned();
        for file in ["control/dependency", "west/cluster", "east/greeting", "client/webapp"] {
            assert!(root.join(format!("{file}.yaml")).is_file(), "{file}");
        }
        assert_eq!(stage.objects().len(), 0);
        assert_eq!(stage.look().await, [Seen::Silent, Seen::Silent]);
        drop(stage);
        assert!(!root.exists());
    }
}
