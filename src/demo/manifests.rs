//! The example mesh: two clusters with workloads, one with their client.

/// A cluster of the demo.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// Its name and folder.
    pub name: &'static str,
    /// Its Region.
    pub region: &'static str,
}

/// The clusters; the last one is the client's.
pub const CLUSTERS: [Cluster; 3] = [
    Cluster { name: "west", region: "us-west-2" },
    Cluster { name: "east", region: "us-east-2" },
    Cluster { name: "client", region: "us-west-2" },
];

/// Where the client runs: every host that it depends on has to be there too.
pub const CLIENT: &str = "client";

/// What the client calls.
const DESTINATIONS: [&str; 4] = ["greeting", "payments", "orders", "billing"];

/// The host that Flagship makes for an identity.
pub fn host(identity: &str) -> String {
    format!("stage.{identity}.global")
}

/// What a cluster is: its Region by a node, its gateway with an address.
pub fn cluster(cluster: Cluster) -> String {
    let Cluster { name, region } = cluster;
    format!(
        "apiVersion: v1
kind: Node
metadata:
  name: node-1
  labels:
    topology.kubernetes.io/region: {region}
---
apiVersion: v1
kind: Service
metadata:
  name: istio-ingressgateway
  namespace: istio-system
  labels:
    app: istio-ingressgateway
spec:
  type: LoadBalancer
  selector:
    app: istio-ingressgateway
  ports:
  - name: tls
    port: 15443
    targetPort: 15443
status:
  loadBalancer:
    ingress:
    - hostname: {name}.lb.example.com
"
    )
}

/// A workload: Service and Deployment, in namespace `sample`.
pub fn workload(identity: &str) -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata:
  name: {identity}
  namespace: sample
spec:
  selector:
    app: {identity}
  ports:
  - name: http
    port: 80
    targetPort: 8080
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {identity}
  namespace: sample
spec:
  replicas: 1
  selector:
    matchLabels:
      app: {identity}
  template:
    metadata:
      annotations:
        sidecar.istio.io/inject: \"true\"
        admiral.io/env: stage
      labels:
        app: {identity}
        identity: {identity}
    spec:
      containers:
      - name: app
        image: example/{identity}:1
"
    )
}

/// The Dependency record of the client, for the control cluster.
pub fn dependency() -> String {
    let destinations: String = DESTINATIONS.iter().map(|identity| format!("  - {identity}\n")).collect();
    format!(
        "apiVersion: admiral.io/v1alpha1
kind: Dependency
metadata:
  name: webapp
  namespace: admiral
spec:
  source: webapp
  identityLabel: identity
  destinations:
{destinations}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_manifest_is_yaml_with_a_kind() {
        let texts = [cluster(CLUSTERS[0]), workload("orders"), dependency()];
        let kinds: Vec<String> = texts
            .iter()
            .flat_map(|text| serde_saphyr::from_multiple::<Value>(text).unwrap())
            .map(|object| object["kind"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, ["Node", "Service", "Service", "Deployment", "Dependency"]);
        let dependency: Value = serde_saphyr::from_str(&dependency()).unwrap();
        assert_eq!(dependency["spec"]["destinations"][3], "billing");
    }
}
