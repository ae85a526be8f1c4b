//! What one test has to itself: namespaces, workloads' identity key, table, directory for logs.
//!
//! Invariant: tests of this program run one after another, and whatever they made is gone afterwards, also after
//! a failure (only the logs stay then).

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use aws_sdk_dynamodb::types::AttributeValue;
use flagship::lease::record::LEASE_NAME;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::kube_api::{Cluster, collection};
use crate::{dynamodb, servers};

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// The names that instances may have.
const INSTANCES: [&str; 2] = ["east", "west"];

const REGIONS: [(&str, &str); 2] = [("alpha", "us-west-2"), ("beta", "us-east-2")];

pub struct World {
    pub id: String,
    /// alpha, which is the control cluster too, and beta.
    pub clusters: Vec<Cluster>,
    /// Namespace of generated objects.
    pub sync: String,
    /// Namespace of Dependency records.
    pub control: String,
    /// Namespace of workloads and of the gateway.
    pub apps: String,
    pub identity_key: String,
    pub table: String,
    pub dynamodb: String,
    pub logs: PathBuf,
}

/// Runs `body` in a world of its own and removes that world; one at a time, for figures that others would spoil.
pub async fn with_world<F>(body: impl FnOnce(Arc<World>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let _one = ONE_AT_A_TIME.lock().await;
    with_world_among_others(body).await;
}

/// Runs `body` in a world of its own beside others, and removes that world.
pub async fn with_world_among_others<F>(body: impl FnOnce(Arc<World>) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let world = Arc::new(World::new().await);
    // In a task of its own, so that the world is removed also after a panic.
    let inhabited = Arc::clone(&world);
    let outcome = tokio::spawn(async move {
        inhabited.furnish().await;
        body(inhabited).await;
    })
    .await;
    world.remove().await;
    match outcome {
        Ok(()) => std::fs::remove_dir_all(&world.logs).unwrap(),
        Err(error) => {
            eprintln!("the logs of the instances are in {}", world.logs.display());
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

impl World {
    async fn new() -> Self {
        let dynamodb = servers::dynamodb_endpoint();
        let servers = servers::kube_servers();
        let mut clusters = Vec::new();
        for (name, _) in REGIONS {
            let server = servers.iter().find(|server| server.name == name);
            clusters.push(Cluster::connect(server.unwrap_or_else(|| panic!("no API server called {name}"))).await);
        }
        let id = uuid::Uuid::new_v4().simple().to_string()[..8].to_owned();
        let logs = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("process-{id}"));
        std::fs::create_dir_all(&logs).unwrap();
        Self {
            clusters,
            sync: format!("flagship-{id}-sync"),
            control: format!("flagship-{id}-control"),
            apps: format!("flagship-{id}-apps"),
            identity_key: format!("flagship-test-{id}"),
            table: format!("process-{id}"),
            dynamodb,
            logs,
            id,
        }
    }

    pub fn alpha(&self) -> &Cluster {
        &self.clusters[0]
    }

    pub fn beta(&self) -> &Cluster {
        &self.clusters[1]
    }

    async fn furnish(&self) {
        for (cluster, (name, region)) in self.clusters.iter().zip(REGIONS) {
            for namespace in [&self.sync, &self.control, &self.apps] {
                cluster.create(&json!({"kind": "Namespace", "metadata": {"name": namespace}})).await;
            }
            let labels = json!({"topology.kubernetes.io/region": region});
            cluster.create(&json!({"kind": "Node", "metadata": {"name": self.node(), "labels": labels}})).await;
            self.make_gateway(cluster, &format!("{name}.gateway.example")).await;
        }
        for instance in INSTANCES {
            let namespace = self.secrets_of(instance);
            self.alpha().create(&json!({"kind": "Namespace", "metadata": {"name": namespace}})).await;
            self.add_secret(instance, "clusters", &self.kubeconfigs(instance)).await;
        }
        let init = ["lease", "init", "--create-table", "--lease-table", &self.table];
        let output = self.flagship(&self.dynamodb).args(init).output().unwrap();
        assert!(output.status.success(), "lease init: {}", String::from_utf8_lossy(&output.stderr));
        self.release_at_epoch_1().await;
    }

    /// As if somebody had held the lease and given it up: the first claim need not wait out a new item.
    async fn release_at_epoch_1(&self) {
        let epoch = AttributeValue::N("1".to_owned());
        let request = dynamodb::client(&self.dynamodb)
            .update_item()
            .table_name(&self.table)
            .key(LEASE_NAME, AttributeValue::S("flagship".to_owned()))
            .update_expression("SET epoch = :epoch")
            .expression_attribute_values(":epoch", epoch);
        request.send().await.unwrap();
    }

    /// Namespace of the cluster secrets of an instance.
    pub fn secrets_of(&self, instance: &str) -> String {
        format!("flagship-{}-{instance}", self.id)
    }

    /// Kubeconfigs of both clusters, by name, under which the audit logs call the instance by its name.
    pub fn kubeconfigs(&self, instance: &str) -> BTreeMap<String, String> {
        let text = |cluster: &Cluster| {
            let mut kubeconfig = cluster.kubeconfig();
            kubeconfig["users"][0]["user"]["as"] = json!(instance);
            kubeconfig["users"][0]["user"]["as-groups"] = json!(["system:masters"]);
            kubeconfig.to_string()
        };
        self.clusters.iter().map(|cluster| (cluster.name.clone(), text(cluster))).collect()
    }

    /// A secret that `instance` takes for one with kubeconfigs.
    pub async fn add_secret(&self, instance: &str, name: &str, data: &BTreeMap<String, String>) {
        let namespace = self.secrets_of(instance);
        let metadata = json!({"name": name, "namespace": namespace, "labels": {"admiral/sync": "true"}});
        self.alpha().create(&json!({"kind": "Secret", "metadata": metadata, "stringData": data})).await;
    }

    /// The program, with nothing in its environment but the way to `dynamodb`.
    pub fn flagship(&self, dynamodb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flagship"));
        command.env_clear().env("AWS_ENDPOINT_URL_DYNAMODB", dynamodb).env("FLAGSHIP_LEASE_REGION", "us-west-2");
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    }

    /// Every generated object of a kind in a cluster.
    pub async fn generated(&self, cluster: &Cluster, kind: &str) -> Vec<Value> {
        cluster.list(&collection(kind, &self.sync)).await
    }

    fn node(&self) -> String {
        format!("flagship-{}", self.id)
    }

    async fn make_gateway(&self, cluster: &Cluster, host: &str) {
        let name = "istio-ingressgateway";
        let metadata = json!({"name": name, "namespace": self.apps, "labels": {"app": name}});
        let spec = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": [{"port": 15443}]});
        cluster.create(&json!({"kind": "Service", "metadata": metadata, "spec": spec})).await;
        let address = json!({"status": {"loadBalancer": {"ingress": [{"hostname": host}]}}});
        cluster.patch(&format!("{}/{name}/status", collection("Service", &self.apps)), &address).await;
    }

    async fn remove(&self) {
        for cluster in &self.clusters {
            for kind in ["ServiceEntry", "DestinationRule", "ConfigMap"] {
                cluster.delete(&collection(kind, &self.sync)).await;
            }
            for kind in ["Deployment", "Service", "GlobalTrafficPolicy", "Event"] {
                cluster.delete(&collection(kind, &self.apps)).await;
            }
            cluster.delete(&format!("{}/{}", collection("Node", ""), self.node())).await;
        }
        self.alpha().delete(&collection("Dependency", &self.control)).await;
        for instance in INSTANCES {
            let namespace = self.secrets_of(instance);
            self.alpha().delete(&collection("Secret", &namespace)).await;
            self.alpha().delete_namespace(&namespace).await;
        }
        for cluster in &self.clusters {
            for namespace in [&self.sync, &self.control, &self.apps] {
                cluster.delete_namespace(namespace).await;
            }
        }
        let _ = dynamodb::client(&self.dynamodb).delete_table().table_name(&self.table).send().await;
    }
}
