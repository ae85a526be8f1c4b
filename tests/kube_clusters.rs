//! Discovery, watches and the gate against real kube-apiservers.
//!
//! The servers are shared: every test selects its secrets by a label of its own and names its objects after
//! itself, removes them at the end, and the tests take turns.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/servers.rs"]
mod servers;

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use flagship::checker::permit::{Permit, mode};
use flagship::clock::{Clock, SystemClock};
use flagship::cluster::connection::open;
use flagship::cluster::discovery::{self, DiscoveryOptions};
use flagship::cluster::event::{ClusterEvent, channel};
use flagship::cluster::gate::{DEFAULT_REQUEST_TIMEOUT, Gate, GateError, Written};
use flagship::cluster::source::ClusterSource;
use flagship::cluster::target::Target;
use flagship::cluster::watch::WatchOptions;
use flagship::mesh::{Change, ClusterId, Kind, MeshSettings, ObjectKey, Op, Origin};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use servers::KubeServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SYNC: &str = "admiral-sync";
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// One test's view of the control cluster: secrets with a label of its own, and discovery over them.
struct World {
    label: String,
    name: &'static str,
    secrets: Api<Secret>,
    entries: Api<DynamicObject>,
    alpha: KubeServer,
    beta: KubeServer,
}

async fn client(server: &KubeServer) -> Client {
    let kubeconfig = Kubeconfig::read_from(&server.kubeconfig).unwrap();
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

impl World {
    /// `entries` are those of beta.
    async fn new(name: &'static str) -> Self {
        let mut servers = servers::kube_servers().into_iter();
        let (alpha, beta) = (servers.next().unwrap(), servers.next().unwrap());
        let kind = GroupVersionKind::gvk("networking.istio.io", "v1beta1", "ServiceEntry");
        let resource = ApiResource::from_gvk_with_plural(&kind, "serviceentries");
        let entries = Api::namespaced_with(client(&beta).await, SYNC, &resource);
        let secrets = Api::namespaced(client(&alpha).await, "admiral");
        let world = Self { label: format!("flagship.test/{name}"), name, secrets, entries, alpha, beta };
        world.clean().await;
        world
    }

    async fn clean(&self) {
        let mine = ListParams::default().labels(&format!("{}=true", self.label));
        for secret in self.secrets.list(&mine).await.unwrap() {
            self.secrets.delete(secret.metadata.name.as_deref().unwrap(), &DeleteParams::default()).await.unwrap();
        }
        for entry in self.entries.list(&ListParams::default()).await.unwrap() {
            let name = entry.metadata.name.unwrap();
            if name.starts_with(self.name) {
                self.entries.delete(&name, &DeleteParams::default()).await.unwrap();
            }
        }
    }

    async fn secret(&self, name: &str, data: &[(&str, &str)]) {
        let name = format!("{}-{name}", self.name);
        let data = data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
        let mut secret = Secret { data: Some(data), ..Secret::default() };
        secret.metadata.name = Some(name.clone());
        secret.metadata.labels = Some([(self.label.clone(), "true".to_owned())].into());
        if self.secrets.get_opt(&name).await.unwrap().is_some() {
            self.secrets.replace(&name, &PostParams::default(), &secret).await.unwrap();
        } else {
            self.secrets.create(&PostParams::default(), &secret).await.unwrap();
        }
    }

    async fn delete_secret(&self, name: &str) {
        self.secrets.delete(&format!("{}-{name}", self.name), &DeleteParams::default()).await.unwrap();
    }

    fn kubeconfig(&self) -> String {
        fs::read_to_string(&self.beta.kubeconfig).unwrap()
    }

    fn entry_name(&self, name: &str) -> String {
        format!("{}-{name}", self.name)
    }

    fn entry(&self, name: &str, host: &str) -> Value {
        json!({
            "apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry",
            "metadata": { "name": self.entry_name(name), "namespace": SYNC },
            "spec": { "hosts": [host], "location": "MESH_INTERNAL", "resolution": "DNS",
                      "ports": [{ "number": 80, "name": "http", "protocol": "http" }] },
        })
    }

    async fn put_entry(&self, name: &str, host: &str) {
        let name = self.entry_name(name);
        let mut object: DynamicObject = serde_json::from_value(self.entry(&name[self.name.len() + 1..], host)).unwrap();
        match self.entries.get_opt(&name).await.unwrap() {
            Some(old) => {
                object.metadata.resource_version = old.metadata.resource_version;
                self.entries.replace(&name, &PostParams::default(), &object).await.unwrap()
            }
            None => self.entries.create(&PostParams::default(), &object).await.unwrap(),
        };
    }

    fn discover(&self) -> Discovery {
        let (events, receiver) = channel();
        let shutdown = CancellationToken::new();
        let options = DiscoveryOptions {
            control: ClusterSource::Kubeconfig { path: self.alpha.kubeconfig.clone(), context: None },
            clusters: Vec::new(),
            secret_namespace: "admiral".into(),
            secret_label: self.label.clone(),
            watch: WatchOptions::from(&MeshSettings::default()),
        };
        let task = tokio::spawn(discovery::run(options, events, shutdown.clone()));
        Discovery { events: receiver, shutdown, task }
    }
}

struct Discovery {
    events: Receiver<ClusterEvent>,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), discovery::DiscoveryError>>,
}

impl Discovery {
    /// Waits for the first event that `wanted` takes, past all others.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&ClusterEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                let event = self.events.recv().await.expect("discovery runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), search).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    async fn added(&mut self, wanted: &str) -> Arc<Target> {
        self.until(&format!("Added {wanted}"), |event| match event {
            ClusterEvent::Added { cluster, target } if cluster.as_str() == wanted => Some(Arc::clone(target)),
            _ => None,
        })
        .await
    }

    async fn listed(&mut self, wanted: &str, wanted_kind: Kind) -> Vec<Value> {
        self.until(&format!("Listed {wanted} {wanted_kind}"), |event| match event {
            ClusterEvent::Listed { origin, kind, objects } if is(origin, wanted) && *kind == wanted_kind => {
                Some(objects.clone())
            }
            _ => None,
        })
        .await
    }

    async fn refused(&mut self, wanted: &str) -> String {
        self.until(&format!("Refused {wanted}"), |event| match event {
            ClusterEvent::Refused { subject, message } if subject == wanted => Some(message.clone()),
            _ => None,
        })
        .await
    }

    async fn end(mut self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(3), self.task).await.expect("it ends in time").unwrap().unwrap();
        while self.events.recv().await.is_some() {}
    }
}

fn is(origin: &Origin, cluster: &str) -> bool {
    matches!(origin, Origin::Cluster(id) if id.as_str() == cluster)
}

fn find(objects: &[Value], name: &str) -> Option<Value> {
    objects.iter().find(|object| object["metadata"]["name"] == name).cloned()
}

#[tokio::test]
async fn every_key_of_every_secret_is_a_cluster() {
    let _turn = TURN.lock().await;
    let world = World::new("keys").await;
    let kubeconfig = world.kubeconfig();
    world.secret("one", &[("east", &kubeconfig), ("west", &kubeconfig)]).await;
    world.secret("two", &[("east", &kubeconfig), ("north", &kubeconfig)]).await;
    let mut discovery = world.discover();
    let mut seen = Vec::new();
    let message = discovery
        .until("DiscoveryListed", |event| match event {
            ClusterEvent::Added { cluster, .. } => {
                seen.push(cluster.to_string());
                None
            }
            ClusterEvent::Refused { subject, message } => {
                assert_eq!(subject, "Secret admiral/keys-two key east");
                seen.push("refused".to_owned());
                assert!(message.contains("admiral/keys-one"), "{message}");
                None
            }
            ClusterEvent::DiscoveryListed => Some(()),
            _ => None,
        })
        .await;
    let () = message;
    assert_eq!(seen, ["east", "north", "west", "refused"]);

    // The owner of east goes: the other secret takes it over, west leaves.
    world.delete_secret("one").await;
    let (mut removed, mut accepted) = (Vec::new(), false);
    discovery
        .until("take-over", |event| {
            match event {
                ClusterEvent::Removed { cluster } => removed.push(cluster.to_string()),
                ClusterEvent::Accepted { subject } => accepted = subject == "Secret admiral/keys-two key east",
                ClusterEvent::Added { cluster, .. } => panic!("{cluster} was there with the same kubeconfig"),
                _ => {}
            }
            (accepted && !removed.is_empty()).then_some(())
        })
        .await;
    assert_eq!(removed, ["west"]);

    // A key vanishes from a secret that stays; nothing of the cluster comes after Removed.
    world.secret("two", &[("north", &kubeconfig)]).await;
    discovery
        .until("Removed east", |event| {
            matches!(event, ClusterEvent::Removed { cluster } if cluster.as_str() == "east").then_some(())
        })
        .await;
    world.put_entry("late", "late.mesh").await;
    discovery
        .until("the entry in north", |event| match event {
            ClusterEvent::Applied { origin, object } if object["metadata"]["name"] == "keys-late" => {
                assert!(is(origin, "north"), "{origin}");
                Some(())
            }
            _ => None,
        })
        .await;
    world.clean().await;
    discovery.end().await;
}

#[tokio::test]
async fn rotated_credentials_rebuild_the_connection() {
    let _turn = TURN.lock().await;
    let world = World::new("rotate").await;
    let good = world.kubeconfig();
    let (before, token) = good.split_once("token: ").unwrap();
    let bad = format!("{before}token: wrong{}", &token[token.find('}').unwrap()..]);
    world.secret("one", &[("east", &good)]).await;
    let mut discovery = world.discover();
    discovery.added("east").await;
    discovery.listed("east", Kind::ServiceEntry).await;

    world.secret("one", &[("east", &bad)]).await;
    let replaced = |event: &ClusterEvent| match event {
        ClusterEvent::Replaced { cluster, target } if cluster.as_str() == "east" => Some(Arc::clone(target)),
        ClusterEvent::Removed { .. } => panic!("known objects stay"),
        _ => None,
    };
    discovery.until("Replaced", replaced).await;
    let error = discovery
        .until("WatchFailed", |event| match event {
            ClusterEvent::WatchFailed { origin, error, .. } if is(origin, "east") => Some(error.clone()),
            ClusterEvent::Listed { origin, .. } if is(origin, "east") => panic!("listed with a wrong token"),
            _ => None,
        })
        .await;
    assert!(error.contains("credentials are refused"), "{error}");

    world.secret("one", &[("east", &good)]).await;
    discovery.until("Replaced", replaced).await;
    discovery.listed("east", Kind::ServiceEntry).await;
    world.clean().await;
    discovery.end().await;
}

#[tokio::test]
async fn bad_kubeconfigs_are_refused_by_name_and_others_go_on() {
    let _turn = TURN.lock().await;
    let world = World::new("bad").await;
    let good = world.kubeconfig();
    let user = |fields: &str| {
        let (before, _) = good.split_once("token: ").unwrap();
        format!("{before}{fields}}}\n")
    };
    let exec = user("exec: {apiVersion: client.authentication.k8s.io/v1, command: touch, args: [/tmp/flagship-pwned]}");
    let provider = user("auth-provider: {name: oidc, config: {}}");
    let file = user("tokenFile: /etc/passwd");
    world
        .secret(
            "one",
            &[
                ("exec", &exec),
                ("provider", &provider),
                ("file", &file),
                ("garbage", "s3cret: ["),
                ("empty", ""),
                ("good", &good),
            ],
        )
        .await;
    let mut discovery = world.discover();
    discovery.added("good").await;
    for (key, expected) in [
        ("empty", "is empty"),
        ("exec", "user.exec"),
        ("file", "user.tokenFile"),
        ("garbage", "not YAML"),
        ("provider", "user.auth-provider"),
    ] {
        let message = discovery.refused(&format!("Secret admiral/bad-one key {key}")).await;
        assert!(message.contains(expected) && !message.contains("s3cret"), "{key}: {message}");
    }
    discovery.until("DiscoveryListed", |event| matches!(event, ClusterEvent::DiscoveryListed).then_some(())).await;

    world.secret("one", &[("exec", &good), ("good", &good)]).await;
    discovery.added("exec").await;
    discovery
        .until("Accepted", |e| {
            matches!(e, ClusterEvent::Accepted { subject } if subject == "Secret admiral/bad-one key exec")
                .then_some(())
        })
        .await;

    // A mistake in a rotation keeps the connection that there was.
    world.secret("one", &[("exec", &good), ("good", &file)]).await;
    let message = discovery.refused("Secret admiral/bad-one key good").await;
    assert!(message.contains("stays in use"), "{message}");
    world.put_entry("alive", "alive.mesh").await;
    discovery
        .until("the entry in good", |event| match event {
            ClusterEvent::Removed { cluster } => panic!("{cluster} was removed"),
            ClusterEvent::Applied { origin, object }
                if is(origin, "good") && object["metadata"]["name"] == "bad-alive" =>
            {
                Some(())
            }
            _ => None,
        })
        .await;
    world.clean().await;
    discovery.end().await;
}

/// Forwards to the server while `up`; cuts everything when not.
async fn proxy(server: &KubeServer, up: Arc<AtomicBool>) -> u16 {
    let to: SocketAddr = server.server.trim_start_matches("https://").parse().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let up = Arc::clone(&up);
            tokio::spawn(async move {
                if !up.load(Ordering::SeqCst) {
                    return;
                }
                let mut far = TcpStream::connect(to).await.unwrap();
                let cut = async {
                    while up.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cut => {}
                }
            });
        }
    });
    port
}

#[tokio::test]
async fn service_entries_are_watched_and_listed_anew_after_a_cut() {
    let _turn = TURN.lock().await;
    let world = World::new("watch").await;
    let up = Arc::new(AtomicBool::new(true));
    let port = proxy(&world.beta, Arc::clone(&up)).await;
    let kubeconfig = world.kubeconfig().replace(&world.beta.server, &format!("https://127.0.0.1:{port}"));
    world.put_entry("stays", "stays.mesh").await;
    world.put_entry("goes", "goes.mesh").await;
    world.secret("one", &[("east", &kubeconfig), ("other", &world.kubeconfig())]).await;
    let mut discovery = world.discover();
    let listed = discovery.listed("east", Kind::ServiceEntry).await;
    let stays = find(&listed, "watch-stays").unwrap();
    assert!(stays["metadata"].get("managedFields").is_none() && stays["kind"] == "ServiceEntry");
    assert!(find(&listed, "watch-goes").is_some());

    world.put_entry("stays", "changed.mesh").await;
    discovery
        .until("Applied", |event| match event {
            ClusterEvent::Applied { origin, object }
                if is(origin, "east") && object["metadata"]["name"] == "watch-stays" =>
            {
                assert_eq!(object["spec"]["hosts"][0], "changed.mesh");
                Some(())
            }
            _ => None,
        })
        .await;

    up.store(false, Ordering::SeqCst);
    let failed = |event: &ClusterEvent| match event {
        ClusterEvent::WatchFailed { origin, kind: Some(Kind::ServiceEntry), .. } if is(origin, "east") => Some(()),
        ClusterEvent::WatchFailed { origin, error, .. } if !is(origin, "east") => panic!("{origin}: {error}"),
        _ => None,
    };
    discovery.until("WatchFailed", failed).await;
    world.entries.delete("watch-goes", &DeleteParams::default()).await.unwrap();
    discovery
        .until("the deletion in the other cluster", |event| match event {
            ClusterEvent::Deleted { origin, key } if key.name == "watch-goes" => is(origin, "other").then_some(()),
            _ => None,
        })
        .await;

    up.store(true, Ordering::SeqCst);
    let listed = discovery.listed("east", Kind::ServiceEntry).await;
    assert!(find(&listed, "watch-goes").is_none());
    assert_eq!(find(&listed, "watch-stays").unwrap()["spec"]["hosts"][0], "changed.mesh");
    discovery
        .until("WatchRecovered", |event| match event {
            ClusterEvent::WatchRecovered { origin, kind: Some(Kind::ServiceEntry) } if is(origin, "east") => Some(()),
            _ => None,
        })
        .await;
    world.clean().await;
    discovery.end().await;
}

fn gate() -> Gate {
    let (writer, reader) = mode();
    let deadline = SystemClock.now() + Duration::from_secs(600);
    writer.set(Some(Permit { epoch: 42, deadline }));
    Gate::new(reader, Arc::new(SystemClock), DEFAULT_REQUEST_TIMEOUT)
}

fn versions(object: &Value) -> (Option<String>, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap().to_owned();
    (Some(text("uid")), text("resourceVersion"))
}

#[tokio::test]
async fn writes_carry_preconditions_and_never_overwrite() {
    let _turn = TURN.lock().await;
    let world = World::new("gate").await;
    let source = ClusterSource::Kubeconfig { path: world.beta.kubeconfig.clone(), context: None };
    let (target, gate) = (open(&source).await.unwrap(), gate());
    let permit = Permit { epoch: 42, deadline: SystemClock.now() };
    let key = ObjectKey::new(Kind::ServiceEntry, SYNC, "gate-a");
    let apply = async |op: Op| gate.apply(&permit, &target, &Change { key: key.clone(), op }).await;

    let Ok(Written::Applied(created)) = apply(Op::Create { object: world.entry("a", "a.mesh") }).await else {
        panic!()
    };
    assert_eq!(created["metadata"]["annotations"]["flagship.io/epoch"], "42");
    assert_eq!(gate.reread(&target, &key).await.unwrap(), Some(created.clone()));
    assert_eq!(apply(Op::Create { object: world.entry("a", "b.mesh") }).await, Err(GateError::AlreadyExists));

    let update = |observed: &Value, host: &str| {
        let (uid, resource_version) = versions(observed);
        Op::Update { object: world.entry("a", host), uid, resource_version }
    };
    let delete = |observed: &Value| {
        let (uid, resource_version) = versions(observed);
        Op::Delete { uid, resource_version, requires: None }
    };
    // Somebody else changes it: neither the update nor the delete of the old observation takes effect.
    world.put_entry("a", "theirs.mesh").await;
    assert_eq!(apply(update(&created, "ours.mesh")).await, Err(GateError::Conflict));
    assert_eq!(apply(delete(&created)).await, Err(GateError::Conflict));
    let observed = gate.reread(&target, &key).await.unwrap().unwrap();
    assert_eq!(observed["spec"]["hosts"][0], "theirs.mesh");

    let Ok(Written::Applied(updated)) = apply(update(&observed, "ours.mesh")).await else { panic!() };
    assert_eq!(updated["spec"]["hosts"][0], "ours.mesh");

    // The same name, but another object: the uid tells.
    world.entries.delete("gate-a", &DeleteParams::default()).await.unwrap();
    assert_eq!(apply(update(&updated, "x.mesh")).await, Err(GateError::NotFound));
    world.put_entry("a", "reborn.mesh").await;
    let reborn = gate.reread(&target, &key).await.unwrap().unwrap();
    let (old_uid, new_version) = (versions(&updated).0, versions(&reborn).1);
    let op = Op::Delete { uid: old_uid, resource_version: new_version, requires: None };
    assert_eq!(apply(op).await, Err(GateError::Conflict));
    assert_eq!(apply(delete(&reborn)).await, Ok(Written::Deleted));
    assert_eq!(gate.reread(&target, &key).await.unwrap(), None);

    let mut invalid = world.entry("a", "a.mesh");
    invalid["spec"]["resolution"] = json!("SOMEHOW");
    let outcome = apply(Op::Create { object: invalid }).await;
    assert!(matches!(outcome, Err(GateError::Refused { status: 422, .. })), "{outcome:?}");
    world.clean().await;
}

#[tokio::test]
async fn a_server_says_what_a_restricted_user_lacks() {
    let _turn = TURN.lock().await;
    let world = World::new("restricted").await;
    let kubeconfig = fs::read_to_string(&world.beta.restricted_kubeconfig).unwrap();
    world.secret("one", &[("east", &kubeconfig)]).await;
    let mut discovery = world.discover();
    let target = discovery.added("east").await;
    assert_eq!(ClusterId::new("east").as_str(), "east");
    let error = discovery
        .until("WatchFailed", |event| match event {
            ClusterEvent::WatchFailed { origin, kind: Some(_), error } if is(origin, "east") => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(error.contains("grant list and watch"), "{error}");
    let key = ObjectKey::new(Kind::ServiceEntry, SYNC, "restricted-a");
    let change = Change { key, op: Op::Create { object: world.entry("a", "a.mesh") } };
    let permit = Permit { epoch: 42, deadline: SystemClock.now() };
    let outcome = gate().apply(&permit, &target, &change).await;
    assert!(matches!(outcome, Err(GateError::Refused { status: 403, .. })), "{outcome:?}");
    world.clean().await;
    discovery.end().await;
}
