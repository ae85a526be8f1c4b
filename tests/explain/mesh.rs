//! A planner that knows what a test puts into it.

use flagship::explain::{Explanation, Finding, Question, explain};
use flagship::instant::WallTime;
use flagship::mesh::{ClusterId, MeshOptions, MeshSettings, Op, Origin};
use flagship::plan::Planner;
use serde_json::{Value, json};

const NOW: WallTime = WallTime::from_unix_ms(1_700_000_000_000);

pub struct Mesh {
    pub planner: Planner,
}

impl Mesh {
    /// Synced clusters, each with a region of its own name and the gateway `<name>.lb`.
    pub fn new(clusters: &[&str]) -> Self {
        Self::with(clusters, MeshSettings::default())
    }

    pub fn with(clusters: &[&str], settings: MeshSettings) -> Self {
        let mut mesh = Self { planner: Planner::new(MeshOptions::new(settings).unwrap()) };
        mesh.planner.set_synced(&Origin::Control, true);
        for cluster in clusters {
            mesh.planner.add_cluster(&ClusterId::new(cluster));
            mesh.put(cluster, node(cluster));
            mesh.put(cluster, gateway(&format!("{cluster}.lb")));
            mesh.planner.set_synced(&origin(cluster), true);
        }
        mesh
    }

    /// Cluster `west` runs `greeting`, and `east` its client `webapp`.
    pub fn greeting() -> Self {
        let mut mesh = Self::new(&["west", "east"]);
        mesh.put("west", deployment("greeting", "greeting"));
        mesh.put("west", service("greeting"));
        mesh.put("east", deployment("webapp", "webapp"));
        mesh.put("control", dependency("webapp", &["greeting"]));
        mesh
    }

    pub fn put(&mut self, cluster: &str, object: Value) {
        self.planner.apply(&origin(cluster), &object).unwrap();
    }

    /// Carries out the plan, as an active would.
    pub fn write(&mut self) {
        for _ in 0..5 {
            self.planner.plan(NOW);
            let clusters: Vec<_> = self.planner.clusters().into_iter().map(|view| view.id).collect();
            for cluster in &clusters {
                for change in self.planner.changes(cluster).collect::<Vec<_>>() {
                    let Op::Create { mut object } = change.op else { panic!("{change:?}") };
                    object["metadata"]["resourceVersion"] = json!("1");
                    self.put(cluster.as_str(), object);
                }
            }
        }
        self.planner.plan(NOW);
        assert_eq!(self.planner.pending_count(), 0, "the plan never ends");
    }

    pub fn explain(&mut self, identity: &str) -> Explanation {
        self.ask(identity, None)
    }

    pub fn ask(&mut self, identity: &str, env: Option<&str>) -> Explanation {
        self.planner.plan(NOW);
        explain(&self.planner, &Question { identity: identity.to_owned(), env: env.map(str::to_owned) })
    }

    /// The one finding with this reason.
    pub fn finding(&mut self, identity: &str, reason: &str) -> Finding {
        let answer = self.explain(identity);
        let found: Vec<_> = answer.findings.iter().filter(|finding| finding.reason == reason).collect();
        assert_eq!(found.len(), 1, "{reason} among {:#?}", answer.findings);
        found[0].clone()
    }
}

pub fn origin(cluster: &str) -> Origin {
    if cluster == "control" { Origin::Control } else { Origin::Cluster(ClusterId::new(cluster)) }
}

pub fn node(region: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n", "labels": {"topology.kubernetes.io/region": region}}})
}

pub fn gateway(hostname: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gw", "namespace": "istio-system",
        "labels": {"app": "istio-ingressgateway"}}, "spec": {"ports": [{"port": 15443}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": hostname}]}}})
}

/// In namespace `ns`, env `stage`.
pub fn deployment(name: &str, identity: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {
            "labels": {"app": name, "identity": identity},
            "annotations": {"sidecar.istio.io/inject": "true", "admiral.io/env": "stage"}}}}})
}

pub fn service(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
}

pub fn dependency(source: &str, destinations: &[&str]) -> Value {
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
        "metadata": {"name": source.to_lowercase(), "namespace": "admiral"},
        "spec": {"source": source, "destinations": destinations}})
}
