//! One kind of one API server.

use kube::Api;
use kube::core::{ApiResource, DynamicObject};
use kube::runtime::watcher;
use serde_json::Value;

use super::follow::{Listener, Step, follow};
use super::object::{key_of, prune};
use crate::cluster::backoff::Backoff;
use crate::cluster::event::{ClusterEvent, EventSender};
use crate::cluster::target::KubeTarget;
use crate::mesh::{Kind, Origin};

/// Watches `kind`, in `namespace` if there is one, until the receiver of the events is gone.
pub(super) async fn watch(
    origin: Origin,
    kind: Kind,
    target: KubeTarget,
    namespace: Option<String>,
    events: EventSender,
) {
    let resource = ApiResource {
        group: kind.group().to_owned(),
        version: kind.version().to_owned(),
        api_version: kind.api_version(),
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    };
    let api: Api<DynamicObject> = match &namespace {
        Some(namespace) => Api::namespaced_with(target.client(), namespace, &resource),
        None => Api::all_with(target.client(), &resource),
    };
    let backoff = Backoff::new(&(origin.to_string(), kind.name()));
    let streaming = target.streams_lists().await;
    let mut listener = KindListener { origin, kind, events, listed: Listed::No, failure: None };
    follow(api, kind.watched_label(), streaming, backoff, &mut listener).await;
}

/// Turns steps into events, and says of failures only what is new.
struct KindListener {
    origin: Origin,
    kind: Kind,
    events: EventSender,
    listed: Listed,
    failure: Option<String>,
}

/// Whether the reconciler has had a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listed {
    No,
    /// An empty one, in place of a kind that the server does not have.
    Absent,
    Yes,
}

impl Listener<DynamicObject> for KindListener {
    type Kept = Value;

    fn keep(&self, object: DynamicObject) -> Option<Value> {
        // Cannot fail: it came from JSON. An object that did would be missing, not wrong.
        let mut value = serde_json::to_value(object).ok()?;
        // Items of a list do not repeat them.
        value["apiVersion"] = Value::String(self.kind.api_version());
        value["kind"] = Value::String(self.kind.name().to_owned());
        prune(self.kind, &mut value);
        Some(value)
    }

    async fn step(&mut self, step: Step<Value>) -> bool {
        let origin = self.origin.clone();
        match step {
            Step::Listed(objects) => {
                self.listed = Listed::Yes;
                self.send(ClusterEvent::Listed { origin, kind: self.kind, objects }).await && self.recovered().await
            }
            Step::Applied(object) => self.send(ClusterEvent::Applied { origin, object }).await,
            Step::Deleted(object) => self.send(ClusterEvent::Deleted { origin, key: key_of(self.kind, &object) }).await,
            Step::Failed(error) => self.failed(&error).await,
        }
    }

    fn is_absent(&self, error: &watcher::Error) -> bool {
        self.kind.is_optional() && is_missing_kind(self.kind, error)
    }
}

impl KindListener {
    async fn failed(&mut self, error: &watcher::Error) -> bool {
        let missing = is_missing_kind(self.kind, error);
        // What was listed before stays: a server that forgets a kind is more likely to be ill than to mean it.
        if missing && self.listed == Listed::No {
            self.listed = Listed::Absent;
            let empty = ClusterEvent::Listed { origin: self.origin.clone(), kind: self.kind, objects: Vec::new() };
            if !self.send(empty).await {
                return false;
            }
        }
        if self.is_absent(error) && self.listed == Listed::Absent {
            return self.recovered().await;
        }
        let message = explain(self.kind, error, missing);
        if self.failure.as_ref() == Some(&message) {
            return true;
        }
        self.failure = Some(message.clone());
        let (origin, kind) = (self.origin.clone(), Some(self.kind));
        self.send(ClusterEvent::WatchFailed { origin, kind, error: message }).await
    }

    async fn recovered(&mut self) -> bool {
        if self.failure.take().is_none() {
            return true;
        }
        let (origin, kind) = (self.origin.clone(), Some(self.kind));
        self.send(ClusterEvent::WatchRecovered { origin, kind }).await
    }

    async fn send(&self, event: ClusterEvent) -> bool {
        self.events.send(event).await.is_ok()
    }
}

/// Whether the server has no such kind. Only kinds that come by a CRD can be missing; a 404 for the others is
/// the answer of something that is no API server.
fn is_missing_kind(kind: Kind, error: &watcher::Error) -> bool {
    kind.group().contains('.') && status_of(error) == Some(404)
}

fn explain(kind: Kind, error: &watcher::Error, missing: bool) -> String {
    let plural =
        if kind.group().is_empty() { kind.plural().to_owned() } else { format!("{}.{}", kind.plural(), kind.group()) };
    if missing {
        let product = match kind.group() {
            "argoproj.io" => "Argo Rollouts",
            group if group.ends_with("istio.io") => "Istio (its base chart)",
            _ => "Admiral",
        };
        return format!("{plural} are not installed in this cluster; install the CRDs of {product}, it is tried again");
    }
    let text = super::follow::describe(error);
    match status_of(error) {
        Some(401) => format!("{plural}: the credentials are refused; renew the kubeconfig ({text})"),
        Some(403) => format!("{plural}: not allowed; grant list and watch on {plural} ({text})"),
        None => format!("{plural}: {text}; check the server's address and the way to it, it is tried again"),
        Some(_) => format!("{plural}: {text}; it is tried again"),
    }
}

fn status_of(error: &watcher::Error) -> Option<u16> {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status)) => Some(status.code),
        watcher::Error::WatchError(status) => Some(status.code),
        _ => None,
    }
}
