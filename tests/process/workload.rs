//! Manifests of workloads.

use serde_json::{Value, json};

use super::world::World;

/// The number of the one port of a Service.
pub const PORT: u16 = 8080;

impl World {
    /// A Deployment that takes part in the mesh as `identity`.
    pub fn deployment(&self, identity: &str) -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": identity, "namespace": self.apps},
            "spec": {
                "selector": {"matchLabels": {"app": identity}},
                "template": {
                    "metadata": {
                        "labels": {"app": identity, self.identity_key.as_str(): identity, "admiral.io/env": "test"},
                        "annotations": {"sidecar.istio.io/inject": "true"},
                    },
                    "spec": {"containers": [{"name": "app", "image": "none"}]},
                },
            },
        })
    }

    /// The Service of that Deployment.
    pub fn service(&self, identity: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": identity, "namespace": self.apps},
            "spec": {"clusterIP": "None", "selector": {"app": identity}, "ports": [port(PORT)]},
        })
    }

    /// `client` calls `destinations`.
    pub fn dependency(&self, client: &str, destinations: &[String]) -> Value {
        json!({
            "apiVersion": "admiral.io/v1alpha1", "kind": "Dependency",
            "metadata": {"name": client, "namespace": self.control},
            "spec": {"source": client, "identityLabel": self.identity_key, "destinations": destinations},
        })
    }
}

/// A Service's port. Its number shows in the local endpoint of the ServiceEntry.
pub fn port(number: u16) -> Value {
    json!({"name": "http", "port": number, "targetPort": number})
}
