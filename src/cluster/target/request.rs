//! Changes as HTTP requests to a Kubernetes API server. Pure.
//!
//! Invariant: a create is a POST and never overwrites; an update is a PUT and a delete a DELETE, both with the
//! uid and resourceVersion of the observation as preconditions; each tells the server how long it may take.

use std::time::Duration;

use http::{Method, Request, header};
use serde_json::{Value, json};

use crate::mesh::{Change, NamespaceScope, ObjectKey, Op};

/// A GET of one object. The key has been checked by `segment::check_key`.
pub(super) fn get(key: &ObjectKey, timeout: Duration) -> Result<Request<Vec<u8>>, String> {
    build(Method::GET, &format!("{}/{}", collection(key), key.name), timeout, None)
}

/// The request that carries out `change`.
pub(super) fn write(change: &Change, timeout: Duration) -> Result<Request<Vec<u8>>, String> {
    let (collection, key) = (collection(&change.key), &change.key);
    let object_path = format!("{collection}/{}", key.name);
    match &change.op {
        Op::Create { object } => {
            let mut object = object.clone();
            object["apiVersion"] = Value::String(key.kind.api_version());
            build(Method::POST, &collection, timeout, Some(&object))
        }
        Op::Update { object, uid, resource_version } => {
            let mut object = object.clone();
            // An empty one would make the PUT unconditional.
            let precondition = required(resource_version)?;
            object["apiVersion"] = Value::String(key.kind.api_version());
            object["metadata"]["resourceVersion"] = precondition;
            if let Some(uid) = uid {
                object["metadata"]["uid"] = Value::String(uid.clone());
            }
            let path = if key.kind.is_told_by_status() { format!("{object_path}/status") } else { object_path };
            build(Method::PUT, &path, timeout, Some(&object))
        }
        Op::Delete { uid, resource_version, requires: _ } => {
            let mut preconditions = json!({ "resourceVersion": required(resource_version)? });
            if let Some(uid) = uid {
                preconditions["uid"] = Value::String(uid.clone());
            }
            let options = json!({
                "apiVersion": "v1", "kind": "DeleteOptions",
                "preconditions": preconditions, "propagationPolicy": "Background",
            });
            build(Method::DELETE, &object_path, timeout, Some(&options))
        }
    }
}

fn required(resource_version: &str) -> Result<Value, String> {
    if resource_version.is_empty() {
        return Err("the observation has no resourceVersion; read the object again".to_owned());
    }
    Ok(Value::String(resource_version.to_owned()))
}

fn collection(key: &ObjectKey) -> String {
    let prefix = if key.kind.group().is_empty() { "/api" } else { "/apis" };
    let (api, plural) = (key.kind.api_version(), key.kind.plural());
    match key.kind.namespace_scope() {
        NamespaceScope::ClusterScoped => format!("{prefix}/{api}/{plural}"),
        _ => format!("{prefix}/{api}/namespaces/{}/{plural}", key.namespace),
    }
}

fn build(method: Method, path: &str, timeout: Duration, body: Option<&Value>) -> Result<Request<Vec<u8>>, String> {
    let uri = format!("{path}?timeout={}ms", timeout.as_millis());
    let request = Request::builder().method(method).uri(uri).header(header::ACCEPT, "application/json");
    let request = match body {
        Some(body) => request.header(header::CONTENT_TYPE, "application/json").body(body.to_string().into_bytes()),
        None => request.body(Vec::new()),
    };
    request.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Kind;

    const TIMEOUT: Duration = Duration::from_secs(3);

    fn change(op: Op) -> Change {
        Change { key: ObjectKey::new(Kind::ServiceEntry, "admiral-sync", "a-se"), op }
    }

    fn body(request: &Request<Vec<u8>>) -> Value {
        serde_json::from_slice(request.body()).unwrap()
    }

    #[test]
    fn a_create_is_a_post_to_the_collection() {
        let object = json!({ "kind": "ServiceEntry", "metadata": { "name": "a-se" } });
        let request = write(&change(Op::Create { object }), TIMEOUT).unwrap();
        assert_eq!(request.method(), Method::POST);
        assert_eq!(
            request.uri(),
            "/apis/networking.istio.io/v1beta1/namespaces/admiral-sync/serviceentries?timeout=3000ms"
        );
        assert_eq!(body(&request)["apiVersion"], "networking.istio.io/v1beta1");
    }

    #[test]
    fn updates_and_deletes_carry_their_preconditions() {
        let object = json!({ "metadata": { "name": "a-se" } });
        let op = Op::Update { object, uid: Some("u".into()), resource_version: "7".into() };
        let put = write(&change(op), TIMEOUT).unwrap();
        assert_eq!((put.method(), put.uri().path().ends_with("/a-se")), (&Method::PUT, true));
        assert_eq!(body(&put)["metadata"], json!({ "name": "a-se", "uid": "u", "resourceVersion": "7" }));

        let op = Op::Delete { uid: Some("u".into()), resource_version: "7".into(), requires: None };
        let delete = write(&change(op), TIMEOUT).unwrap();
        assert_eq!(delete.method(), Method::DELETE);
        assert_eq!(body(&delete)["preconditions"], json!({ "uid": "u", "resourceVersion": "7" }));
    }

    #[test]
    fn nothing_is_changed_without_a_resource_version() {
        let update = Op::Update { object: json!({}), uid: None, resource_version: String::new() };
        let delete = Op::Delete { uid: None, resource_version: String::new(), requires: None };
        assert!(write(&change(update), TIMEOUT).is_err());
        assert!(write(&change(delete), TIMEOUT).is_err());
    }

    #[test]
    fn core_and_cluster_scoped_kinds_have_their_own_paths() {
        let get = |key| get(&key, TIMEOUT).unwrap().uri().path().to_owned();
        assert_eq!(get(ObjectKey::new(Kind::Node, "", "n")), "/api/v1/nodes/n");
        assert_eq!(get(ObjectKey::new(Kind::ConfigMap, "s", "c")), "/api/v1/namespaces/s/configmaps/c");
        assert_eq!(get(ObjectKey::new(Kind::Deployment, "s", "d")), "/apis/apps/v1/namespaces/s/deployments/d");
    }
}
