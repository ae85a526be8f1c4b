//! A mesh as teams have it, made up. Each workload (an identity with a Deployment and a Service) runs in two clusters,
//! 20 to a namespace, and calls three others: two neighbours that run in the same two clusters, and one anywhere. So
//! each service has three clients on average, and is wanted in two clusters or three.

use serde_json::{Value, json};

pub const NAMESPACE_OF: usize = 20;

/// Numbers of the clusters that run a workload.
pub fn homes(workload: usize, clusters: usize) -> [usize; 2] {
    // Neighbours share their homes: both depend on the namespace only.
    let group = workload / NAMESPACE_OF;
    let first = group % clusters;
    let step = 1 + (group / clusters) % (clusters - 1).max(1);
    [first, (first + step) % clusters]
}

pub fn identity(workload: usize) -> String {
    format!("payments.service-{workload:05}")
}

/// The identities that a workload calls.
pub fn calls(workload: usize, workloads: usize) -> [usize; 3] {
    let group = workload / NAMESPACE_OF * NAMESPACE_OF;
    let in_group = |step: usize| (group + (workload + step) % NAMESPACE_OF).min(workloads - 1);
    [in_group(1), in_group(7), (workload * 7919 + 13) % workloads]
}

pub fn dependency(workload: usize, workloads: usize) -> Value {
    let destinations = calls(workload, workloads).map(identity);
    json!({"apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
        "metadata": {"name": format!("calls-of-{workload:05}"), "namespace": "admiral"},
        "spec": {"source": identity(workload), "identityLabel": "identity", "destinations": destinations}})
}

/// As the watch hands it on: without pod spec, status and managed fields.
pub fn deployment(workload: usize) -> Value {
    let (name, namespace) = (format!("service-{workload:05}"), namespace(workload));
    json!({"apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2024-03-01T10:00:00Z",
            "uid": format!("0b1e2c3d-0000-4000-8000-{workload:012}"), "resourceVersion": "4711", "generation": 3,
            "labels": {"app": name, "team": namespace, "app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"deployment.kubernetes.io/revision": "3", "meta.helm.sh/release-name": name}},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": name, "release": name}},
            "strategy": {"type": "RollingUpdate"},
            "template": {"metadata": {
                "labels": {"app": name, "release": name, "team": namespace, "identity": identity(workload)},
                "annotations": {"sidecar.istio.io/inject": "true", "admiral.io/env": "prd"}}}}})
}

pub fn service(workload: usize, port: u16) -> Value {
    let (name, namespace) = (format!("service-{workload:05}"), namespace(workload));
    json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": "2024-03-01T10:00:00Z",
            "uid": format!("1b1e2c3d-0000-4000-8000-{workload:012}"), "resourceVersion": "4712",
            "labels": {"app": name, "team": namespace}},
        "spec": {"selector": {"app": name}, "type": "ClusterIP", "clusterIP": "10.96.3.4",
            "ports": [{"name": "http", "port": port, "targetPort": 8080, "protocol": "TCP"}]}})
}

pub fn node(cluster: usize) -> Value {
    let region = ["us-west-2", "us-east-2", "eu-central-1", "ap-south-1"][cluster % 4];
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "n", "labels": {"topology.kubernetes.io/region": region}}})
}

pub fn gateway(cluster: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "istio-ingressgateway", "namespace": "istio-system",
        "labels": {"app": "istio-ingressgateway"}}, "spec": {"ports": [{"port": 15443}]},
        "status": {"loadBalancer": {"ingress": [{"hostname": format!("lb-{cluster}.elb.example.com")}]}}})
}

fn namespace(workload: usize) -> String {
    format!("team-{:04}", workload / NAMESPACE_OF)
}
