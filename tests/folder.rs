//! Folders as clusters: scanning, editing by hand, writing through the gate.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flagship::checker::permit::{ModeWriter, Permit, mode};
use flagship::clock::{Clock, SystemClock};
use flagship::cluster::connection::open;
use flagship::cluster::event::{ClusterEvent, channel};
use flagship::cluster::gate::{DEFAULT_REQUEST_TIMEOUT, Gate, GateError, Written};
use flagship::cluster::source::ClusterSource;
use flagship::cluster::target::Target;
use flagship::cluster::watch::{WatchOptions, Watches, kinds};
use flagship::instant::{Instant, WallTime};
use flagship::mesh::{Change, ClusterId, Kind, MeshSettings, ObjectKey, Op, Origin};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

fn entry(name: &str, host: &str) -> String {
    format!(
        "apiVersion: networking.istio.io/v1beta1\nkind: ServiceEntry\n\
         metadata:\n  name: {name}\n  namespace: admiral-sync   # kept\nspec:\n  hosts: [{host}]\n"
    )
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new(Kind::ServiceEntry, "admiral-sync", name)
}

fn object(name: &str, host: &str) -> Value {
    json!({
        "apiVersion": "networking.istio.io/v1beta1", "kind": "ServiceEntry",
        "metadata": { "name": name, "namespace": "admiral-sync" }, "spec": { "hosts": [host] },
    })
}

struct World {
    folder: TempDir,
    target: Arc<Target>,
    gate: Gate,
    mode: ModeWriter,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let source = ClusterSource::Folder { path: folder.path().to_owned() };
    let target = Arc::new(open(&source).await.unwrap());
    let (writer, reader) = mode();
    writer.set(Some(Permit::unlimited()));
    let gate = Gate::new(reader, Arc::new(SystemClock), DEFAULT_REQUEST_TIMEOUT);
    World { folder, target, gate, mode: writer }
}

impl World {
    fn write(&self, path: &str, text: &str) {
        let full = self.folder.path().join(path);
        fs::create_dir_all(full.parent().unwrap()).unwrap();
        fs::write(full, text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    async fn read(&self, name: &str) -> Option<Value> {
        self.gate.reread(&self.target, &key(name)).await.unwrap()
    }

    async fn apply(&self, name: &str, op: Op) -> Result<Written, GateError> {
        self.gate.apply(&Permit::unlimited(), &self.target, &Change { key: key(name), op }).await
    }

    async fn update(&self, name: &str, observed: &Value, host: &str) -> Result<Written, GateError> {
        let (uid, resource_version) = versions(observed);
        self.apply(name, Op::Update { object: object(name, host), uid, resource_version }).await
    }

    async fn delete(&self, name: &str, observed: &Value) -> Result<Written, GateError> {
        let (uid, resource_version) = versions(observed);
        self.apply(name, Op::Delete { uid, resource_version, requires: None }).await
    }

    fn watch(&self) -> (Watches, Receiver<ClusterEvent>) {
        let (events, receiver) = channel();
        let options = WatchOptions::from(&MeshSettings::default());
        let origin = Origin::Cluster(ClusterId::new("east"));
        (Watches::start(&origin, &self.target, &options, &events, &CancellationToken::new()), receiver)
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(self.folder.path(), &mut found);
        found
    }
}

fn walk(directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { walk(&path, found) } else { found.push(path.display().to_string()) }
    }
}

fn versions(observed: &Value) -> (Option<String>, String) {
    let text = |field: &str| observed["metadata"][field].as_str().unwrap().to_owned();
    (Some(text("uid")), text("resourceVersion"))
}

async fn next(receiver: &mut Receiver<ClusterEvent>) -> ClusterEvent {
    tokio::time::timeout(Duration::from_secs(10), receiver.recv()).await.expect("an event in time").unwrap()
}

async fn lists(receiver: &mut Receiver<ClusterEvent>) -> BTreeMap<Kind, Vec<Value>> {
    let origin = Origin::Cluster(ClusterId::new("east"));
    let wanted = kinds(&origin, &MeshSettings::default().watched_kinds()).len();
    let mut lists = BTreeMap::new();
    while lists.len() < wanted {
        match next(receiver).await {
            ClusterEvent::Listed { kind, objects, .. } => drop(lists.insert(kind, objects)),
            other => panic!("{other:?} before all lists"),
        }
    }
    lists
}

async fn quiet(receiver: &mut Receiver<ClusterEvent>) {
    let event = tokio::time::timeout(Duration::from_millis(400), receiver.recv()).await;
    assert!(event.is_err(), "{event:?}");
}

#[tokio::test]
async fn a_folder_is_listed_and_followed() {
    let world = world().await;
    world.write("a/one.yaml", &entry("one-se", "one.mesh"));
    world.write("two.json", &object("two-se", "two.mesh").to_string());
    world.write("elsewhere.yaml", &entry("x-se", "x").replace("admiral-sync", "other"));
    world.write("node.yml", "apiVersion: v1\nkind: Node\nmetadata: {name: node1}\nstatus: {phase: x}\n");
    world.write(".hidden.yaml", &entry("hidden-se", "x"));
    world.write("half.yaml.tmp", &entry("tmp-se", "x"));
    world.write("notes.txt", "not a manifest: [");
    let (watches, mut events) = world.watch();
    let lists = lists(&mut events).await;
    let names: Vec<_> = lists[&Kind::ServiceEntry].iter().map(|o| o["metadata"]["name"].clone()).collect();
    assert_eq!(names, ["one-se", "two-se"]);
    assert_eq!(lists[&Kind::Node][0].get("status"), None);

    world.write("a/one.yaml", &entry("one-se", "new.mesh"));
    let ClusterEvent::Applied { object, .. } = next(&mut events).await else { panic!("expected Applied") };
    assert_eq!(object["spec"]["hosts"][0], "new.mesh");

    world.write("a/one.yaml", &entry("one-se", "new.mesh"));
    quiet(&mut events).await;

    fs::remove_file(world.folder.path().join("two.json")).unwrap();
    let ClusterEvent::Deleted { key: gone, .. } = next(&mut events).await else { panic!("expected Deleted") };
    assert_eq!(gone, key("two-se"));

    assert_eq!(watches.running(), 1);
    tokio::time::timeout(Duration::from_secs(2), watches.stop()).await.expect("no task leaks");
    assert!(events.recv().await.is_none(), "nothing holds the channel after the stop");
}

#[tokio::test]
async fn a_broken_file_takes_nothing_away_and_says_where() {
    let world = world().await;
    world.write("one.yaml", &format!("{}---\n{}", entry("one-se", "a"), entry("two-se", "b")));
    world.write("other.yaml", &entry("other-se", "c"));
    let (_watches, mut events) = world.watch();
    assert_eq!(lists(&mut events).await[&Kind::ServiceEntry].len(), 3);

    world.write("one.yaml", &format!("{}---\nkind: [\n", entry("one-se", "changed")));
    let (mut applied, mut refused) = (None, None);
    for _ in 0..2 {
        match next(&mut events).await {
            ClusterEvent::Applied { object, .. } => applied = Some(object),
            ClusterEvent::Refused { subject, message } => refused = Some((subject, message)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(applied.unwrap()["spec"]["hosts"][0], "changed");
    let (subject, message) = refused.unwrap();
    assert_eq!(subject, "east: one.yaml document 2");
    assert!(message.contains("line 9"), "{message}");
    quiet(&mut events).await;
    assert!(world.read("two-se").await.is_some(), "its last good object stays");

    world.write("one.yaml", &entry("one-se", "changed"));
    let mut seen = [next(&mut events).await, next(&mut events).await].map(|event| match event {
        ClusterEvent::Deleted { key, .. } => key.name,
        ClusterEvent::Accepted { subject } => subject,
        other => panic!("{other:?}"),
    });
    seen.sort();
    assert_eq!(seen, ["east: one.yaml document 2", "two-se"]);
}

#[tokio::test]
async fn a_file_that_is_half_written_takes_nothing_away() {
    let world = world().await;
    world.write("one.yaml", &format!("{}---\n{}", entry("one-se", "a"), entry("two-se", "b")));
    let observed = world.read("two-se").await.unwrap();
    // An editor truncates the file before it writes; a look in between must not take that for a deletion.
    world.write("one.yaml", "");
    assert!(world.read("one-se").await.is_some());
    world.write("one.yaml", &entry("one-se", "a"));
    assert!(world.read("two-se").await.is_some());
    assert_eq!(world.update("two-se", &observed, "x").await, Err(GateError::NotFound));
    assert_eq!(world.read("two-se").await, None, "once the file has settled it counts");
}

#[tokio::test]
async fn of_two_documents_with_one_key_the_first_counts_and_it_is_said() {
    let world = world().await;
    world.write("b.yaml", &entry("one-se", "second"));
    world.write("a.yaml", &entry("one-se", "first"));
    let (_watches, mut events) = world.watch();
    assert_eq!(lists(&mut events).await[&Kind::ServiceEntry][0]["spec"]["hosts"][0], "first");
    let ClusterEvent::Refused { subject, message } = next(&mut events).await else { panic!("expected Refused") };
    assert_eq!(subject, "east: b.yaml document 1");
    assert!(message.contains("a.yaml"), "{message}");
}

#[tokio::test]
async fn a_create_makes_a_file_of_its_own_and_never_overwrites() {
    let world = world().await;
    let created = world.apply("one-se", Op::Create { object: object("one-se", "a") }).await.unwrap();
    let Written::Applied(created) = created else { panic!("{created:?}") };
    assert_eq!(created["metadata"]["annotations"]["flagship.io/epoch"], "0");
    assert_eq!(Some(created), world.read("one-se").await);
    let path = "flagship/admiral-sync/serviceentry.one-se.yaml";
    assert!(!world.text(path).contains("resourceVersion"));

    let again = world.apply("one-se", Op::Create { object: object("one-se", "b") }).await;
    assert_eq!(again, Err(GateError::AlreadyExists));
    // The file is taken by something else that the index does not count as this object.
    world.write("flagship/admiral-sync/serviceentry.two-se.yaml", "# a note\n");
    let taken = world.apply("two-se", Op::Create { object: object("two-se", "b") }).await;
    assert_eq!(taken, Err(GateError::AlreadyExists));
    assert_eq!(world.text("flagship/admiral-sync/serviceentry.two-se.yaml"), "# a note\n");
    assert!(world.files().iter().all(|file| !file.ends_with(".tmp")), "{:?}", world.files());
}

#[tokio::test]
async fn an_update_changes_one_document_and_no_other_byte() {
    let world = world().await;
    let (first, third) = (entry("one-se", "a"), entry("three-se", "c"));
    world.write("all.yaml", &format!("# top\n{first}---\n{}---\n{third}\n# end\n", entry("two-se", "b")));
    let observed = world.read("two-se").await.unwrap();
    let Written::Applied(updated) = world.update("two-se", &observed, "new").await.unwrap() else { panic!() };
    let text = world.text("all.yaml");
    assert!(text.starts_with(&format!("# top\n{first}---\n")), "{text}");
    assert!(text.ends_with(&format!("---\n{third}\n# end\n")), "{text}");
    assert_eq!(updated["spec"]["hosts"][0], "new");
    assert_eq!(Some(&updated), world.read("two-se").await.as_ref());

    assert_eq!(world.update("two-se", &observed, "lost").await, Err(GateError::Conflict), "the old version");
    world.delete("two-se", &updated).await.unwrap();
    assert_eq!(world.text("all.yaml"), format!("# top\n{first}---\n{third}\n# end\n"));
}

#[tokio::test]
async fn what_was_edited_in_between_is_not_overwritten() {
    let world = world().await;
    world.write("one.yaml", &entry("one-se", "aaa"));
    let observed = world.read("one-se").await.unwrap();
    let edited = entry("one-se", "bbb");
    world.write("one.yaml", &edited);
    assert_eq!(world.update("one-se", &observed, "ours").await, Err(GateError::Conflict));
    assert_eq!(world.delete("one-se", &observed).await, Err(GateError::Conflict));
    assert_eq!(world.text("one.yaml"), edited);

    let observed = world.read("one-se").await.unwrap();
    fs::remove_file(world.folder.path().join("one.yaml")).unwrap();
    assert_eq!(world.update("one-se", &observed, "ours").await, Err(GateError::NotFound));
}

#[tokio::test]
async fn the_only_document_goes_with_its_file() {
    let world = world().await;
    world.write("one.yaml", &entry("one-se", "a"));
    let observed = world.read("one-se").await.unwrap();
    assert_eq!(world.delete("one-se", &observed).await, Ok(Written::Deleted));
    assert_eq!(world.files(), Vec::<String>::new());
    assert_eq!(world.delete("one-se", &observed).await, Err(GateError::NotFound));
}

#[tokio::test]
async fn json_stays_json_and_lists_are_refused() {
    let world = world().await;
    world.write("one.json", &object("one-se", "a").to_string());
    let observed = world.read("one-se").await.unwrap();
    world.update("one-se", &observed, "b").await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&world.text("one.json")).unwrap()["spec"]["hosts"][0], "b");

    let list = json!({ "apiVersion": "v1", "kind": "List", "items": [object("in-se", "a")] }).to_string();
    world.write("list.json", &list);
    let observed = world.read("in-se").await.unwrap();
    assert!(matches!(world.update("in-se", &observed, "b").await, Err(GateError::Refused { .. })));
    assert_eq!(world.text("list.json"), list);
}

#[tokio::test]
async fn a_passive_instance_leaves_the_folder_as_it_is() {
    let world = world().await;
    world.write("one.yaml", &entry("one-se", "a"));
    let observed = world.read("one-se").await.unwrap();
    world.mode.set(None);
    assert!(matches!(world.update("one-se", &observed, "b").await, Err(GateError::Closed { .. })));
    assert!(matches!(world.delete("one-se", &observed).await, Err(GateError::Closed { .. })));
    let created = world.apply("two-se", Op::Create { object: object("two-se", "b") }).await;
    assert!(matches!(created, Err(GateError::Closed { .. })));
    assert_eq!(world.text("one.yaml"), entry("one-se", "a"));
    assert_eq!(world.files().len(), 1);
}

/// A clock that leaps to the end of the permit after so many looks: the gate takes the first three, and a
/// create takes one before it makes its directory.
struct LeapingClock(AtomicUsize, usize);

impl Clock for LeapingClock {
    fn now(&self) -> Instant {
        let leapt = self.0.fetch_add(1, Ordering::SeqCst) >= self.1;
        Instant::from_origin(Duration::from_secs(if leapt { 99 } else { 1 }))
    }

    fn wall(&self) -> WallTime {
        WallTime::from_unix_ms(0)
    }
}

#[tokio::test]
async fn the_pass_is_asked_again_right_before_the_rename() {
    let world = world().await;
    world.write("one.yaml", &entry("one-se", "a"));
    world.write("two.yaml", &format!("{}---\n{}", entry("two-se", "a"), entry("three-se", "a")));
    let permit = Permit { epoch: 7, deadline: Instant::from_origin(Duration::from_secs(100)) };
    let mut changes = Vec::new();
    for name in ["one-se", "two-se"] {
        let (uid, resource_version) = versions(&world.read(name).await.unwrap());
        let (object, again) = (object(name, "b"), resource_version.clone());
        changes.push((name, Op::Update { object, uid: uid.clone(), resource_version }));
        changes.push((name, Op::Delete { uid, resource_version: again, requires: None }));
    }
    changes.push(("new-se", Op::Create { object: object("new-se", "b") }));
    let before = world.files();
    for (name, op) in changes {
        let looks = if matches!(op, Op::Create { .. }) { 4 } else { 3 };
        let (writer, reader) = mode();
        writer.set(Some(permit));
        let gate = Gate::new(reader, Arc::new(LeapingClock(AtomicUsize::new(0), looks)), DEFAULT_REQUEST_TIMEOUT);
        let outcome = gate.apply(&permit, &world.target, &Change { key: key(name), op }).await;
        assert!(matches!(outcome, Err(GateError::Closed { .. })), "{name}: {outcome:?}");
    }
    assert_eq!(world.files(), before);
    assert_eq!(world.text("one.yaml"), entry("one-se", "a"));
}

#[tokio::test]
async fn links_out_of_the_folder_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("x.yaml"), entry("x-se", "x")).unwrap();
    let world = world().await;
    let link = |target: &Path, name: &str| {
        std::os::unix::fs::symlink(target, world.folder.path().join(name)).unwrap();
    };
    link(&outside.path().join("x.yaml"), "x.yaml");
    link(outside.path(), "directory");
    link(outside.path(), "flagship");
    assert_eq!(world.read("x-se").await, None);
    let created = world.apply("new-se", Op::Create { object: object("new-se", "a") }).await;
    assert!(matches!(created, Err(GateError::Refused { .. })), "{created:?}");
    let mut left = Vec::new();
    walk(outside.path(), &mut left);
    assert_eq!(left.len(), 1, "{left:?}");
}

#[tokio::test]
async fn a_thousand_files_are_listed_and_written_in_time() {
    let world = world().await;
    for i in 0..1000 {
        world.write(&format!("d{}/f{i}.yaml", i % 10), &entry(&format!("n{i}-se"), "a"));
    }
    let (_watches, mut events) = world.watch();
    let started = tokio::time::Instant::now();
    assert_eq!(lists(&mut events).await[&Kind::ServiceEntry].len(), 1000);
    for i in 0..20 {
        let name = format!("n{i}-se");
        let observed = world.read(&name).await.unwrap();
        world.update(&name, &observed, "b").await.unwrap();
    }
    println!("1,000 files listed and 20 updated in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}
