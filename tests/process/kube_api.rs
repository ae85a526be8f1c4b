//! One API server, asked directly: JSON in, JSON out.

use std::path::PathBuf;
use std::time::Duration;

use futures::{StreamExt, stream};
use http::{Method, Request};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};

use crate::servers::KubeServer;

/// Requests that are under way together when many objects are made.
const TOGETHER: usize = 12;

pub struct Cluster {
    pub name: String,
    pub server: String,
    pub kubeconfig: PathBuf,
    pub audit_log: PathBuf,
    pub client: kube::Client,
}

impl Cluster {
    pub async fn connect(server: &KubeServer) -> Self {
        let kubeconfig = Kubeconfig::read_from(&server.kubeconfig).expect("the kubeconfig of a test server");
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
        config.proxy_url = None;
        // A watch may be silent for long.
        config.read_timeout = None;
        config.connect_timeout = Some(Duration::from_secs(5));
        Self {
            name: server.name.clone(),
            server: server.server.clone(),
            kubeconfig: server.kubeconfig.clone(),
            audit_log: server.audit_log.clone(),
            client: kube::Client::try_from(config).unwrap(),
        }
    }

    /// The kubeconfig as a value.
    pub fn kubeconfig(&self) -> Value {
        serde_saphyr::from_str(&std::fs::read_to_string(&self.kubeconfig).unwrap()).unwrap()
    }

    pub async fn get(&self, path: &str) -> Value {
        self.call(Method::GET, path, None).await.unwrap_or_else(|e| panic!("{}: GET {path}: {e}", self.name))
    }

    pub async fn text(&self, path: &str) -> String {
        let request = Request::get(path).body(Vec::new()).unwrap();
        self.client.request_text(request).await.unwrap_or_else(|e| panic!("{}: GET {path}: {e}", self.name))
    }

    /// The items of a list.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let mut list = self.get(path).await;
        serde_json::from_value(list["items"].take()).unwrap()
    }

    /// Creates an object; its path follows from its kind.
    pub async fn create(&self, object: &Value) {
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let path = collection(object["kind"].as_str().unwrap(), namespace);
        let made = self.call(Method::POST, &path, Some(object)).await;
        made.unwrap_or_else(|e| panic!("{}: POST {path} {}: {e}", self.name, object["metadata"]["name"]));
    }

    pub async fn create_all(&self, objects: Vec<Value>) {
        stream::iter(objects).for_each_concurrent(TOGETHER, |object| async move { self.create(&object).await }).await;
    }

    /// A merge patch.
    pub async fn patch(&self, path: &str, patch: &Value) {
        assert!(self.patch_if_there(path, patch).await, "{}: PATCH {path}: there is no such object", self.name);
    }

    /// A merge patch; says whether there was an object.
    pub async fn patch_if_there(&self, path: &str, patch: &Value) -> bool {
        match self.call(Method::PATCH, path, Some(patch)).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 404 => false,
            Err(error) => panic!("{}: PATCH {path}: {error}", self.name),
        }
    }

    /// A request of `who`, who says that it is sent under `epoch`.
    pub async fn as_instance(&self, who: &str, epoch: u64, method: Method, path: &str, body: &Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
        let request = request.header("impersonate-user", who).header("impersonate-group", "system:masters");
        let request = request.header("user-agent", format!("flagship/test (epoch {epoch})"));
        let sent = self.client.request::<Value>(request.body(serde_json::to_vec(body).unwrap()).unwrap()).await;
        sent.unwrap_or_else(|e| panic!("{}: {path}: {e}", self.name));
    }

    /// Deletes an object or a collection; what is not there is as good as deleted.
    pub async fn delete(&self, path: &str) {
        if let Err(error) = self.call(Method::DELETE, path, None).await {
            eprintln!("{}: DELETE {path}: {error}", self.name);
        }
    }

    /// Deletes a namespace for good: there is no controller here that would finish it.
    pub async fn delete_namespace(&self, name: &str) {
        self.delete(&format!("/api/v1/namespaces/{name}")).await;
        let finalized = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": {}});
        let path = format!("/api/v1/namespaces/{name}/finalize");
        if let Err(error) = self.call(Method::PUT, &path, Some(&finalized)).await {
            eprintln!("{}: PUT {path}: {error}", self.name);
        }
    }

    /// The changes of a collection from `version` on, as they come.
    pub async fn watch(&self, path: &str, version: &str) -> stream::BoxStream<'static, kube::Result<Value>> {
        let path = format!("{path}?watch=true&resourceVersion={version}&timeoutSeconds=86400");
        let request = Request::get(path).body(Vec::new()).unwrap();
        let events = self.client.request_events::<Value>(request).await.unwrap();
        let object = |event| {
            use kube::api::WatchEvent::{Added, Bookmark, Deleted, Error, Modified};
            match event {
                Added(object) | Modified(object) => object,
                Deleted(_) | Bookmark(_) => Value::Null,
                Error(status) => panic!("a watch ended: {status:?}"),
            }
        };
        Box::pin(events.map(move |event| event.map(object)))
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> kube::Result<Value> {
        let content = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = body.map(|value| serde_json::to_vec(value).unwrap()).unwrap_or_default();
        let request = Request::builder().method(method).uri(path).header("content-type", content).body(body).unwrap();
        self.client.request(request).await
    }
}

/// The path of the objects of a kind in a namespace; of all there are when it is empty.
pub fn collection(kind: &str, namespace: &str) -> String {
    let (api, plural) = match kind {
        "Namespace" => ("/api/v1", "namespaces"),
        "Node" => ("/api/v1", "nodes"),
        "Service" => ("/api/v1", "services"),
        "Secret" => ("/api/v1", "secrets"),
        "ConfigMap" => ("/api/v1", "configmaps"),
        "Deployment" => ("/apis/apps/v1", "deployments"),
        "Event" => ("/api/v1", "events"),
        "Dependency" => ("/apis/admiral.io/v1alpha1", "dependencies"),
        "GlobalTrafficPolicy" => ("/apis/admiral.io/v1alpha1", "globaltrafficpolicies"),
        "ServiceEntry" => ("/apis/networking.istio.io/v1alpha3", "serviceentries"),
        "DestinationRule" => ("/apis/networking.istio.io/v1alpha3", "destinationrules"),
        other => panic!("{other}: no such kind here"),
    };
    if namespace.is_empty() { format!("{api}/{plural}") } else { format!("{api}/namespaces/{namespace}/{plural}") }
}
