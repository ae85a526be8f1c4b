//! The secrets that hold kubeconfigs: `data` maps cluster names to kubeconfigs (reconcile-spec 1 D1, D2).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::sync::watch;

use crate::cluster::backoff::Backoff;
use crate::cluster::event::{ClusterEvent, EventSender};
use crate::cluster::folder::{self, FolderTarget};
use crate::cluster::target::KubeTarget;
use crate::cluster::watch::follow::{Listener, Step, describe, follow};
use crate::mesh::Origin;

/// How soon a folder with a file that may be half written is looked at again.
const SETTLE: Duration = Duration::from_millis(50);

/// A kubeconfig; never shown.
pub(super) type Bytes = Arc<[u8]>;
/// The keys of one secret; an error is the reason why a value cannot be read at all.
pub(super) type Keys = BTreeMap<String, Result<Bytes, String>>;
/// All secrets, as one look showed them.
pub(super) type Snapshot = BTreeMap<SecretName, Keys>;

/// Namespace and name of a secret, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SecretName {
    namespace: String,
    name: String,
}

impl SecretName {
    pub(super) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// How one key is called in messages.
pub(super) fn subject(secret: &SecretName, key: &str) -> String {
    format!("Secret {secret} key {key}")
}

/// Follows the secrets of an API server and publishes them whenever they change.
pub(super) async fn follow_kube(
    target: &KubeTarget,
    namespace: &str,
    label: &str,
    publish: watch::Sender<Option<Snapshot>>,
    events: EventSender,
) {
    let api: Api<Secret> = Api::namespaced(target.client(), namespace);
    let mut listener = SecretListener { snapshot: Snapshot::new(), publish, events, failure: None };
    let backoff = Backoff::new(&"cluster secrets");
    let streaming = target.streams_lists().await;
    follow(api, Some(&format!("{label}=true")), streaming, backoff, &mut listener).await;
}

/// Follows the secrets of a folder and publishes them whenever they change.
pub(super) async fn follow_folder(
    target: &FolderTarget,
    namespace: &str,
    label: &str,
    publish: watch::Sender<Option<Snapshot>>,
) {
    let mut signals = folder::signals(target.root());
    loop {
        let mut unsettled = false;
        // A folder that cannot be read is reported by its watch; the secrets stay as they were.
        if let Ok(contents) = target.contents().await {
            unsettled = contents.unsettled;
            let ours = |value: &Value| {
                value.pointer("/metadata/labels").and_then(|labels| labels.get(label)).and_then(Value::as_str)
                    == Some("true")
            };
            let secrets = contents.secrets.iter().filter(|((ns, _), value)| ns == namespace && ours(value));
            let snapshot: Snapshot = secrets.map(|((ns, name), v)| (SecretName::new(ns, name), keys_of(v))).collect();
            publish.send_if_modified(|last| {
                let changed = last.as_ref() != Some(&snapshot);
                *last = Some(snapshot);
                changed
            });
        }
        if publish.is_closed() {
            return;
        }
        if unsettled {
            tokio::time::sleep(SETTLE).await;
        } else {
            signals.next().await;
        }
    }
}

/// `data` (base64) with `stringData` over it, as the API server merges them.
fn keys_of(secret: &Value) -> Keys {
    let fields = |field: &str| secret.get(field).and_then(Value::as_object).into_iter().flatten();
    let encoded = fields("data").map(|(key, value)| {
        let bytes = serde_json::from_value::<ByteString>(value.clone());
        let message = "the value under data is not base64; encode it, or put it under stringData";
        (key.clone(), bytes.map(|b| Bytes::from(b.0)).map_err(|_| message.to_owned()))
    });
    let plain = fields("stringData").map(|(key, value)| {
        let message = "the value under stringData is not a string; quote it or write it as a block";
        (key.clone(), value.as_str().map(|s| Bytes::from(s.as_bytes())).ok_or_else(|| message.to_owned()))
    });
    // As the API server checks them, so that a cluster is called the same in a folder.
    let sound = |key: &str| key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let checked = |(key, bytes): (String, Result<Bytes, String>)| match sound(&key) {
        true => (key, bytes),
        false => (key, Err("the key is no cluster name; use letters, digits, '-', '_' and '.'".to_owned())),
    };
    encoded.chain(plain).map(checked).collect()
}

struct SecretListener {
    snapshot: Snapshot,
    publish: watch::Sender<Option<Snapshot>>,
    events: EventSender,
    failure: Option<String>,
}

impl Listener<Secret> for SecretListener {
    type Kept = (SecretName, Keys);

    fn keep(&self, secret: Secret) -> Option<Self::Kept> {
        Some(entry(secret))
    }

    async fn step(&mut self, step: Step<Self::Kept>) -> bool {
        let mut events = Vec::new();
        match step {
            Step::Listed(secrets) => {
                self.snapshot = secrets.into_iter().collect();
                if self.failure.take().is_some() {
                    events.push(ClusterEvent::WatchRecovered { origin: Origin::Control, kind: None });
                }
            }
            Step::Applied((name, keys)) => {
                self.snapshot.insert(name, keys);
            }
            Step::Deleted((name, _)) => drop(self.snapshot.remove(&name)),
            Step::Failed(error) => {
                let error = format!(
                    "cluster secrets: {}; check that this instance may list and watch secrets, it is tried again",
                    describe(&error)
                );
                if self.failure.as_ref() != Some(&error) {
                    self.failure = Some(error.clone());
                    let failed = ClusterEvent::WatchFailed { origin: Origin::Control, kind: None, error };
                    return self.events.send(failed).await.is_ok();
                }
                return true;
            }
        }
        for event in events {
            if self.events.send(event).await.is_err() {
                return false;
            }
        }
        self.publish.send(Some(self.snapshot.clone())).is_ok()
    }
}

fn entry(secret: Secret) -> (SecretName, Keys) {
    let name = SecretName::new(&secret.namespace().unwrap_or_default(), &secret.name_any());
    let keys = secret.data.unwrap_or_default().into_iter().map(|(key, bytes)| (key, Ok(Bytes::from(bytes.0))));
    (name, keys.collect())
}
