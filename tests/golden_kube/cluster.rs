//! One real API server, as the users of a cluster see it.

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::gvk::ParseGroupVersionError;
use kube::{Client, Config, Error};
use serde_json::{Value, json};

use crate::servers::KubeServer;

const CONFLICT: u16 = 409;
const NOT_FOUND: u16 = 404;

pub struct Cluster {
    pub name: String,
    pub kubeconfig: String,
    client: Client,
}

impl Cluster {
    pub async fn connect(server: &KubeServer) -> Self {
        let kubeconfig = std::fs::read_to_string(&server.kubeconfig).unwrap();
        let parsed = Kubeconfig::from_yaml(&kubeconfig).unwrap();
        let config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default()).await.unwrap();
        Self { name: server.name.clone(), kubeconfig, client: Client::try_from(config).unwrap() }
    }

    /// `kubectl create`, the status with it. A namespace may be there already: none can be deleted for good,
    /// because no controller-manager runs that would finish it.
    pub async fn create(&self, object: &Value) {
        let (api, name) = self.api_of(object);
        match api.create(&Default::default(), &typed(object)).await {
            Ok(_) => self.set_status(object).await,
            Err(error) if is(&error, CONFLICT) && object["kind"] == "Namespace" => self.replace(object).await,
            Err(error) => panic!("{}: cannot create {} {name}: {error}", self.name, object["kind"]),
        }
    }

    /// `kubectl replace`, the status with it.
    pub async fn replace(&self, object: &Value) {
        let (api, name) = self.api_of(object);
        let present = api.get_metadata(&name).await.unwrap_or_else(|e| panic!("{}: {name}: {e}", self.name));
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = json!(present.metadata.resource_version);
        let replaced = api.replace(&name, &Default::default(), &typed(&object)).await;
        replaced.unwrap_or_else(|e| panic!("{}: cannot replace {} {name}: {e}", self.name, object["kind"]));
        self.set_status(&object).await;
    }

    /// `kubectl delete`.
    pub async fn delete(&self, object: &Value) {
        assert!(self.remove(object).await, "{}: {} is not there", self.name, object["metadata"]["name"]);
    }

    /// Deletes the object if it is there.
    pub async fn remove(&self, object: &Value) -> bool {
        let (api, name) = self.api_of(object);
        match api.delete(&name, &DeleteParams::default()).await {
            Ok(_) => true,
            Err(error) if is(&error, NOT_FOUND) => false,
            Err(error) => panic!("{}: cannot delete {} {name}: {error}", self.name, object["kind"]),
        }
    }

    /// Makes a custom resource known, unless it is, and waits until it is served.
    pub async fn install(&self, definition: &str) {
        let definition = flagship::manifest::parse(definition).remove(0).result.unwrap();
        let (api, name) = self.api_of(&definition);
        match api.create(&Default::default(), &typed(&definition)).await {
            Ok(_) => {}
            Err(error) if is(&error, CONFLICT) => {}
            Err(error) => panic!("{}: cannot create {name}: {error}", self.name),
        }
        for _ in 0..100 {
            let conditions = api.get(&name).await.unwrap().data["status"]["conditions"].clone();
            let established = |c: &Value| c["type"] == "Established" && c["status"] == "True";
            if conditions.as_array().is_some_and(|conditions| conditions.iter().any(established)) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        panic!("{}: {name} is not established after 10 s", self.name);
    }

    /// Every object of a kind in all namespaces, with its apiVersion and kind; none if the kind is not there.
    pub async fn list(&self, api_version: &str, kind: &str) -> Vec<Value> {
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(api_version, kind).unwrap());
        let list = match api.list(&ListParams::default()).await {
            Ok(list) => list,
            Err(error) if is(&error, NOT_FOUND) => return Vec::new(),
            Err(error) => panic!("{}: cannot list {kind}: {error}", self.name),
        };
        let with_types = |object: DynamicObject| {
            let mut object = serde_json::to_value(object).unwrap();
            object["apiVersion"] = json!(api_version);
            object["kind"] = json!(kind);
            object
        };
        list.items.into_iter().map(with_types).collect()
    }

    /// An API server leaves the status out of what it is given, but for the subresource.
    async fn set_status(&self, object: &Value) {
        let Some(status) = object.get("status") else { return };
        let (api, name) = self.api_of(object);
        let patch = Patch::Merge(json!({ "status": status }));
        let patched = api.patch_status(&name, &PatchParams::default(), &patch).await;
        patched.unwrap_or_else(|e| panic!("{}: no status for {} {name}: {e}", self.name, object["kind"]));
    }

    fn api_of(&self, object: &Value) -> (Api<DynamicObject>, String) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let resource = resource(&text(&object["apiVersion"]), &text(&object["kind"])).unwrap();
        let (namespace, name) = (text(&object["metadata"]["namespace"]), text(&object["metadata"]["name"]));
        let client = self.client.clone();
        let api = match namespace.as_str() {
            "" => Api::all_with(client, &resource),
            namespace => Api::namespaced_with(client, namespace, &resource),
        };
        (api, name)
    }
}

fn resource(api_version: &str, kind: &str) -> Result<ApiResource, ParseGroupVersionError> {
    let version: kube::core::GroupVersion = api_version.parse()?;
    Ok(ApiResource::from_gvk(&GroupVersionKind::gvk(&version.group, &version.version, kind)))
}

fn typed(object: &Value) -> DynamicObject {
    serde_json::from_value(object.clone()).unwrap()
}

fn is(error: &Error, code: u16) -> bool {
    matches!(error, Error::Api(status) if status.code == code)
}
