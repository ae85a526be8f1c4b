//! Plays one case: clean servers, an instance, the steps, clean servers.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::time::Duration;

use flagship::mesh::marks;
use futures::FutureExt;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cases::{CONTROL, Case, Input, Verb};
use crate::cluster::Cluster;
use crate::compare::{Mesh, differences};
use crate::instance::Instance;
use crate::{istio, servers, shuffle};

/// How long the mesh may take to become what the case says.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// How long it must then stay the same, to the last resourceVersion.
const AT_REST: Duration = Duration::from_millis(600);
const PAUSE: Duration = Duration::from_millis(150);
/// Times of creation count in seconds, and some cases ask who is older.
const BETWEEN_STEPS: Duration = Duration::from_secs(1);

const ISTIO: [(&str, &str); 5] = [
    ("networking.istio.io/v1", "ServiceEntry"),
    ("networking.istio.io/v1", "DestinationRule"),
    ("networking.istio.io/v1", "VirtualService"),
    ("networking.istio.io/v1", "Sidecar"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
];
const SYNC_NAMESPACE: &str = "admiral-sync";
const SECRET_NAMESPACE: &str = "admiral";
const SECRET_LABEL: &str = "admiral/sync";
/// Argo's resource, with nothing in its schema.
const ROLLOUTS: &str = include_str!("rollouts.yaml");
/// The cases' names for the servers, in order.
const CLUSTERS: [&str; 3] = ["cluster-a", "cluster-b", "cluster-c"];

/// In which order the events of a case come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// As it is written.
    Written,
    /// Any, but each step after the one before.
    InSteps,
    /// Any.
    Any,
}

pub async fn run(name: &str, order: Order) {
    let _alone = servers::alone();
    let case = Case::read(name);
    let world = World::connect().await;
    world.clean().await;
    let outcome = match order {
        Order::Written => AssertUnwindSafe(world.play(&case)).catch_unwind().await,
        _ => AssertUnwindSafe(shuffle::play(&world, &case, order == Order::InSteps)).catch_unwind().await,
    };
    world.clean().await;
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

pub struct World {
    clusters: BTreeMap<&'static str, Cluster>,
    control_kubeconfig: String,
    /// Kind, namespace and name of whatever a case creates.
    known: BTreeSet<[String; 3]>,
    /// The namespaces of all that.
    namespaces: BTreeSet<String>,
}

impl World {
    async fn connect() -> Self {
        let servers = servers::kube_servers();
        assert_eq!(servers.len(), CLUSTERS.len(), "{}", servers::REMEDY);
        let control_kubeconfig = servers[0].kubeconfig.display().to_string();
        let mut clusters = BTreeMap::new();
        for (name, server) in CLUSTERS.into_iter().zip(&servers) {
            let cluster = Cluster::connect(server).await;
            cluster.install(ROLLOUTS).await;
            clusters.insert(name, cluster);
        }
        let known: BTreeSet<[String; 3]> =
            Case::all().iter().flat_map(|case| &case.inputs).flat_map(|input| &input.objects).map(id).collect();
        let namespaces = known.iter().map(|[_, namespace, _]| namespace.clone());
        let namespaces = namespaces.filter(|name| !name.is_empty() && name != SECRET_NAMESPACE).collect();
        Self { clusters, control_kubeconfig, known, namespaces }
    }

    /// The server that plays `cluster`.
    fn cluster(&self, cluster: &str) -> &Cluster {
        &self.clusters[if cluster == CONTROL { CLUSTERS[0] } else { cluster }]
    }

    /// Deletes what any case may have left; what belongs to others stays.
    pub async fn clean(&self) {
        let kinds = [
            ("v1", "Secret"),
            ("v1", "Node"),
            ("v1", "Service"),
            ("v1", "ConfigMap"),
            ("apps/v1", "Deployment"),
            ("argoproj.io/v1alpha1", "Rollout"),
            ("admiral.io/v1alpha1", "Dependency"),
            ("admiral.io/v1alpha1", "GlobalTrafficPolicy"),
            ("admiral.io/v1alpha1", "OutlierDetection"),
            ("admiral.io/v1alpha1", "ClientConnectionConfig"),
        ];
        for (version, kind) in kinds.into_iter().chain(ISTIO) {
            for cluster in self.clusters.values() {
                for object in cluster.list(version, kind).await.iter().filter(|object| self.is_ours(object)) {
                    cluster.remove(object).await;
                }
            }
        }
    }

    fn is_ours(&self, object: &Value) -> bool {
        let id = id(object);
        let [kind, namespace, name] = [&id[0], &id[1], &id[2]].map(String::as_str);
        match kind {
            "Secret" => namespace == SECRET_NAMESPACE && CLUSTERS.iter().any(|cluster| name == secret_name(cluster)),
            "ConfigMap" => namespace == SYNC_NAMESPACE,
            kind if ISTIO.iter().any(|(_, istios)| *istios == kind) => {
                let is_made =
                    marks::is_owned(object) || marks::annotation(object, marks::ROUTING_POLICY_NAME).is_some();
                self.namespaces.contains(namespace) && (is_made || self.known.contains(&id))
            }
            _ => self.known.contains(&id),
        }
    }

    async fn play(&self, case: &Case) {
        self.furnish(case).await;
        let directory = tempfile::tempdir().unwrap();
        let instance = self.start(case, true, directory.path()).await;
        let mut accepted = 0;
        for step in case.steps() {
            for input in case.inputs_of(step) {
                self.feed(input).await;
            }
            let mesh = self.settled(&instance, case, step, "").await;
            accepted += judge(&mesh);
            sleep(BETWEEN_STEPS).await;
        }
        instance.stop().await;
        println!("{}: {} steps, Istio accepts {accepted} objects", case.name, case.steps().len());
    }

    /// An instance with the case's flags, which writes if `is_active`.
    pub async fn start(&self, case: &Case, is_active: bool, directory: &Path) -> Instance {
        let control = format!("kubeconfig:{}", self.control_kubeconfig);
        let checker = if is_active { "noop" } else { "standby" };
        let arguments = ["--control", &control, "--state-checker", checker].map(str::to_owned);
        Instance::start(&arguments.into_iter().chain(case.flags()).collect::<Vec<_>>(), directory).await
    }

    /// Namespaces, which API servers ask for before anything in them, and the secrets of the clusters.
    pub async fn furnish(&self, case: &Case) {
        for secret in self.cluster(CONTROL).list("v1", "Secret").await {
            let is_foreign = secret["metadata"]["namespace"] == SECRET_NAMESPACE
                && secret["metadata"]["labels"][SECRET_LABEL] == "true";
            assert!(!is_foreign, "another test uses the servers: Secret {}", secret["metadata"]["name"]);
        }
        let namespaces = case.inputs.iter().flat_map(|input| {
            let names = input.objects.iter().map(|object| id(object)[1].clone());
            names.map(|namespace| (input.cluster.as_str(), namespace))
        });
        for (cluster, name) in namespaces.filter(|(_, name)| !name.is_empty()).collect::<BTreeSet<_>>() {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            self.cluster(cluster).create(&namespace).await;
        }
        for cluster in case.clusters() {
            let secret = json!({"apiVersion": "v1", "kind": "Secret",
                "metadata": {"name": secret_name(cluster), "namespace": SECRET_NAMESPACE, "labels": {SECRET_LABEL: "true"}},
                "stringData": {cluster: self.cluster(cluster).kubeconfig}});
            self.cluster(CONTROL).create(&secret).await;
        }
    }

    async fn feed(&self, input: &Input) {
        assert!(input.verb != Verb::ReadOnly, "an instance without a lease is always active");
        for object in &input.objects {
            self.happen(&input.cluster, input.verb, object).await;
        }
    }

    /// What a user of the cluster does with one object.
    pub async fn happen(&self, cluster: &str, verb: Verb, object: &Value) {
        let (cluster, object) = (self.cluster(cluster), for_a_real_server(object));
        match verb {
            Verb::Update => cluster.replace(&object).await,
            Verb::Delete => cluster.delete(&object).await,
            Verb::Create | Verb::ReadOnly | Verb::ReadWrite => cluster.create(&object).await,
        }
    }

    /// Waits until nothing is pending, the objects are those of the case, and nothing moves any more.
    pub async fn settled(&self, instance: &Instance, case: &Case, step: u32, context: &str) -> Mesh {
        let want = case.expected(step);
        let ends = Instant::now() + SETTLED_WITHIN;
        let mut rest: Option<(Instant, Mesh)> = None;
        loop {
            let (pending, mesh) = (instance.pending().await, self.mesh(case).await);
            let found = differences(&want, &mesh);
            let before = rest.take().filter(|(_, before)| *before == mesh);
            if pending.is_empty() && found.is_empty() {
                let since = before.map_or_else(Instant::now, |(since, _)| since);
                if since.elapsed() >= AT_REST {
                    return mesh;
                }
                rest = Some((since, mesh));
            }
            assert!(
                Instant::now() < ends,
                "{} after step {step}, still after {} s:\n{}\n{context}\npending: {pending:?}\nNodes of others: {}\nstatus: {:#}\nlog:\n{}",
                case.name,
                SETTLED_WITHIN.as_secs(),
                found.join("\n"),
                self.foreign_nodes().await.join(", "),
                instance.status().await,
                instance.log()
            );
            sleep(PAUSE).await;
        }
    }

    /// Nodes that other tests on the same servers made; they have a say in which region a cluster is.
    async fn foreign_nodes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for cluster in self.clusters.values() {
            let nodes = cluster.list("v1", "Node").await;
            let foreign = nodes.iter().filter(|node| !self.known.contains(&id(node)));
            found.extend(foreign.map(|node| format!("{} in {}", id(node)[2], cluster.name)));
        }
        found
    }

    /// The Istio objects of every cluster that carry the mark of ownership or stem from a case.
    async fn mesh(&self, case: &Case) -> Mesh {
        let mut mesh = Mesh::new();
        for name in case.clusters() {
            let objects = mesh.entry(name.to_owned()).or_default();
            for (version, kind) in ISTIO {
                let listed = self.cluster(name).list(version, kind).await;
                objects.extend(listed.into_iter().filter(|object| self.is_ours(object)));
            }
        }
        mesh
    }
}

/// Where a case's object is not valid for a real API server: what is changed, and why.
fn for_a_real_server(object: &Value) -> Value {
    let mut object = object.clone();
    // w21: a node port without a type; the fake server took it, a real one refuses it on the default ClusterIP.
    let has_node_port = |port: &Value| port.get("nodePort").is_some();
    if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut)
        && spec.get("ports").and_then(Value::as_array).is_some_and(|ports| ports.iter().any(has_node_port))
        && !spec.contains_key("type")
    {
        spec.insert("type".to_owned(), json!("NodePort"));
    }
    object
}

/// Has Istio's validator judge the objects as the servers returned them.
fn judge(mesh: &Mesh) -> usize {
    let directory = tempfile::tempdir().unwrap();
    let write = |(cluster, objects): (&String, &Vec<Value>)| {
        istio::write(&directory.path().join(format!("{cluster}.yaml")), objects)
    };
    let written = mesh.iter().map(write).sum();
    if written > 0 {
        istio::assert_accepts(directory.path(), written);
    }
    written
}

fn secret_name(cluster: &str) -> String {
    format!("golden-kube-{cluster}")
}

/// Kind, namespace and name.
pub fn id(object: &Value) -> [String; 3] {
    let metadata = &object["metadata"];
    [&object["kind"], &metadata["namespace"], &metadata["name"]].map(|v| v.as_str().unwrap_or_default().to_owned())
}
