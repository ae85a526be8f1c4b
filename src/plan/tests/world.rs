//! A mesh in memory: clusters with API servers that carry out the plan.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::index::observed;
use crate::instant::WallTime;
use crate::mesh::{ClusterId, Kind, MeshOptions, ObjectKey, Op, Origin, marks};
use crate::plan::Planner;

pub const NOW: WallTime = WallTime::from_unix_ms(1_700_000_000_000);

pub struct World {
    pub planner: Planner,
    pub now: WallTime,
    objects: BTreeMap<(String, ObjectKey), Value>,
    version: u64,
    /// Every write: cluster, verb, name.
    pub writes: Vec<(String, &'static str, String)>,
}

impl World {
    /// Synced clusters, each with a region of its own name and the gateway `<name>.lb`.
    pub fn new(clusters: &[&str]) -> Self {
        Self::with_options(clusters, MeshOptions::default())
    }

    pub fn with_options(clusters: &[&str], options: MeshOptions) -> Self {
        let planner = Planner::new(options);
        let mut world = Self { planner, now: NOW, objects: BTreeMap::new(), version: 0, writes: Vec::new() };
        world.planner.set_synced(&Origin::Control, true);
        for cluster in clusters {
            world.planner.add_cluster(&ClusterId::new(cluster));
            world.put(cluster, node(cluster));
            world.put(cluster, gateway(&format!("{cluster}.lb")));
            world.planner.set_synced(&origin(cluster), true);
        }
        world
    }

    /// Another instance takes over and sees what there is.
    pub fn restart(&mut self, options: MeshOptions) {
        self.planner = Planner::new(options);
        let clusters: BTreeSet<String> = self.objects.keys().map(|(cluster, _)| cluster.clone()).collect();
        for cluster in clusters.iter().filter(|cluster| *cluster != "control") {
            self.planner.add_cluster(&ClusterId::new(cluster));
        }
        for ((cluster, _), object) in &self.objects {
            self.planner.apply(&origin(cluster), object).unwrap();
        }
        for cluster in clusters.iter().map(String::as_str).chain(["control"]) {
            self.planner.set_synced(&origin(cluster), true);
        }
    }

    /// Cluster `a` runs identity `greeting`, env `stage`, and holds its objects.
    pub fn with_greeting() -> Self {
        let mut world = Self::new(&["a"]);
        world.put("a", deployment("ns", "greeting", "greeting", "stage"));
        world.put("a", service("ns", "greeting"));
        world.settle();
        world
    }

    /// Writes an object as a user would, and lets the planner see it.
    pub fn put(&mut self, cluster: &str, object: Value) {
        let stored = self.store(cluster, object);
        self.planner.apply(&origin(cluster), &stored).unwrap();
    }

    /// Writes an object that the planner does not see.
    pub fn store(&mut self, cluster: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        object["metadata"]["uid"] = json!(format!("{cluster}-{}", object["metadata"]["name"]));
        self.objects.insert((cluster.to_owned(), key_of(&object)), object.clone());
        object
    }

    pub fn remove(&mut self, cluster: &str, key: &ObjectKey) {
        self.objects.remove(&(cluster.to_owned(), key.clone())).unwrap();
        self.planner.delete(&origin(cluster), key);
    }

    /// Carries out what is pending and may be carried out now; returns how many changes that were.
    pub fn execute(&mut self) -> usize {
        self.planner.plan(self.now);
        let clusters: Vec<_> = self.planner.clusters().into_iter().map(|view| view.id).collect();
        let mut count = 0;
        for cluster in clusters {
            for change in self.planner.changes(&cluster).collect::<Vec<_>>() {
                let name = change.key.name.clone();
                self.writes.push((cluster.to_string(), change.op.verb(), name));
                count += 1;
                match change.op {
                    Op::Update { object, .. } if change.key.kind.is_told_by_status() => {
                        self.put_status(cluster.as_str(), &change.key, object);
                    }
                    Op::Create { object } | Op::Update { object, .. } => self.put(cluster.as_str(), object),
                    Op::Delete { requires: Some(first), .. } if self.planner.change(&cluster, &first).is_some() => {
                        self.writes.pop();
                        count -= 1;
                    }
                    Op::Delete { .. } => self.remove(cluster.as_str(), &change.key),
                }
            }
        }
        count
    }

    /// As the API server does: the rest of the object stays as it is. It may be one that cannot be read.
    fn put_status(&mut self, cluster: &str, key: &ObjectKey, told: Value) {
        let mut object = self.get(cluster, key).unwrap();
        object["status"] = told["status"].clone();
        let stored = self.store(cluster, object);
        drop(self.planner.apply(&origin(cluster), &stored));
    }

    /// Carries out the plan to its end; a second plan must be empty.
    pub fn settle(&mut self) {
        for _ in 0..10 {
            if self.execute() == 0 {
                assert_eq!(self.planner.pending_count(), 0);
                let later = WallTime::from_unix_ms(self.now.unix_ms() + 7 * 86_400_000);
                assert!(self.planner.plan(later).is_empty(), "a second plan is not empty");
                return;
            }
        }
        panic!("the plan never ends: {:?}", self.writes);
    }

    /// Everything in every cluster.
    pub fn objects(&self) -> BTreeMap<(String, ObjectKey), Value> {
        self.objects.clone()
    }

    pub fn get(&self, cluster: &str, key: &ObjectKey) -> Option<Value> {
        self.objects.get(&(cluster.to_owned(), key.clone())).cloned()
    }

    pub fn entry(&self, cluster: &str, host: &str) -> Option<Value> {
        self.get(cluster, &entry_key(host))
    }

    /// The endpoint addresses of a host, sorted.
    pub fn addresses(&self, cluster: &str, host: &str) -> Vec<String> {
        let entry = self.entry(cluster, host).unwrap_or_default();
        let mut addresses: Vec<_> = observed::endpoints(&entry)
            .iter()
            .map(|endpoint| observed::text(endpoint, "/address").unwrap().to_owned())
            .collect();
        addresses.sort();
        addresses
    }

    /// The data of the memory of released addresses.
    pub fn released(&self, cluster: &str) -> Value {
        let key = ObjectKey::new(Kind::ConfigMap, "admiral-sync", marks::RELEASED_ADDRESSES);
        self.get(cluster, &key).map(|map| map["data"].clone()).unwrap_or_default()
    }

    /// The names of the Istio objects of a cluster that may have been made by an instance.
    pub fn istio_names(&self, cluster: &str) -> BTreeSet<String> {
        let kinds = [Kind::ServiceEntry, Kind::DestinationRule, Kind::VirtualService, Kind::EnvoyFilter];
        kinds.into_iter().flat_map(|kind| self.names(cluster, kind)).collect()
    }

    /// Those of one kind, sorted.
    pub fn names(&self, cluster: &str, kind: Kind) -> Vec<String> {
        let is_made = |key: &ObjectKey| ["admiral-sync", "istio-system"].contains(&key.namespace.as_str());
        let here = self.objects.keys().filter(|(of, key)| of == cluster && key.kind == kind && is_made(key));
        here.map(|(_, key)| key.name.clone()).collect()
    }

    /// The reasons of the present conditions, with their subjects.
    pub fn reasons(&self) -> Vec<String> {
        self.planner.conditions().iter().map(|c| format!("{}: {}", c.subject, c.reason)).collect()
    }
}

pub fn origin(cluster: &str) -> Origin {
    if cluster == "control" { Origin::Control } else { Origin::Cluster(ClusterId::new(cluster)) }
}

pub fn entry_key(host: &str) -> ObjectKey {
    ObjectKey::new(Kind::ServiceEntry, "admiral-sync", format!("{host}-se"))
}

pub fn key_of(object: &Value) -> ObjectKey {
    let text = |pointer| observed::text(object, pointer).unwrap_or_default();
    let kind = Kind::of(text("/apiVersion"), text("/kind")).unwrap();
    ObjectKey::new(kind, text("/metadata/namespace"), text("/metadata/name"))
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

pub fn deployment(namespace: &str, name: &str, identity: &str, env: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": {"metadata": {
            "labels": {"app": name, "identity": identity},
            "annotations": {"sidecar.istio.io/inject": "true", "admiral.io/env": env}}}}})
}

pub fn rollout(namespace: &str, name: &str, identity: &str, env: &str, strategy: Value) -> Value {
    let mut object = deployment(namespace, name, identity, env);
    object["apiVersion"] = json!("argoproj.io/v1alpha1");
    object["kind"] = json!("Rollout");
    object["spec"]["strategy"] = strategy;
    object
}

pub fn job(namespace: &str, name: &str, identity: &str) -> Value {
    let mut object = deployment(namespace, name, identity, "any");
    object["apiVersion"] = json!("batch/v1");
    object["kind"] = json!("Job");
    object
}

pub fn service(namespace: &str, name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}})
}

pub fn dependency(name: &str, source: &str, destinations: &[&str]) -> Value {
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
        "metadata": {"name": name, "namespace": "admiral"}, "spec": {"source": source, "destinations": destinations}})
}
