//! The program: from folders, and from a running instance over HTTP.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use flagship::explain::Explanation;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::mesh::{dependency, deployment, gateway, node, service};

/// Folders for the control cluster and two others: `west` runs `greeting`, `east` a client of it whose Dependency
/// is spelt otherwise, and `lost`, which is not injected.
fn folders() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let mut lost = deployment("lost", "lost");
    lost["spec"]["template"]["metadata"]["annotations"] = json!({});
    write(root.path(), "control", &[dependency("webapp", &["Greeting"])]);
    write(
        root.path(),
        "west",
        &[node("west"), gateway("west.lb"), deployment("greeting", "greeting"), service("greeting")],
    );
    write(root.path(), "east", &[node("east"), gateway("east.lb"), deployment("webapp", "webapp"), lost]);
    root
}

fn write(root: &Path, cluster: &str, objects: &[Value]) {
    std::fs::create_dir(root.join(cluster)).unwrap();
    let text: Vec<String> = objects.iter().map(Value::to_string).collect();
    std::fs::write(root.join(cluster).join("objects.yaml"), text.join("\n---\n")).unwrap();
}

fn flagship(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flagship")).args(args).env_clear().output().unwrap()
}

fn sources(root: &TempDir) -> Vec<String> {
    let at = |name: &str| root.path().join(name).display().to_string();
    vec![
        format!("--control=folder:{}", at("control")),
        format!("--cluster=west=folder:{},east=folder:{}", at("west"), at("east")),
    ]
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn offline_from_folders() {
    let root = folders();
    let sources = sources(&root);
    let ask = |args: &[&str]| {
        let all: Vec<&str> =
            ["explain"].into_iter().chain(args.iter().copied()).chain(sources.iter().map(String::as_str)).collect();
        flagship(&all)
    };
    let output = ask(&["greeting"]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    for line in [
        "\"greeting\" is in the mesh: stage.greeting.global in 1 of 2 clusters; 2 objects are not in place\n",
        "(from the clusters themselves)\n",
        "Deployment ns/greeting  west     stage  ns/greeting  80 http  source\n",
        "  west (source): runs Deployment ns/greeting, reached through Service ns/greeting, port 80 http\n",
        "    ServiceEntry admiral-sync/stage.greeting.global-se: to be created (the host itself",
        "      -> greeting.ns.svc.cluster.local:80 west\n",
        "  east (none): runs neither the service nor a client of it\n",
        "! DependencyCaseMismatch: Dependency admiral/webapp: spec.destinations says \"Greeting\"",
    ] {
        assert!(told.contains(line), "{line:?} is not in:\n{told}");
    }
    let output = ask(&["lost", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let answer: Explanation = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((answer.findings[0].reason.as_str(), answer.findings[0].cluster.as_str()), ("NotInjected", "east"));
    let raw: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&raw["inMesh"], &raw["workloads"][0]["part"]), (&json!(false), &json!("ignored")));
}

const NORTH: &str = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "n",
    "contexts": [{"name": "n", "context": {"cluster": "n", "user": "n"}}],
    "clusters": [{"name": "n", "cluster": {"server": "http://127.0.0.1:9"}}],
    "users": [{"name": "n", "user": {"token": "t"}}]}"#;

/// A `flagship run` that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn by_a_running_instance() {
    let root = folders();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_flagship"));
    command.args(["run", "--state-checker", "standby", "--metrics=false", "--listen", &format!("127.0.0.1:{port}")]);
    // A cluster that nobody can reach.
    let north = root.path().join("north.yaml");
    std::fs::write(&north, NORTH).unwrap();
    command.arg(format!("--cluster=north=kubeconfig:{}", north.display()));
    command.args(sources(&root)).env_clear().stdout(Stdio::null()).stderr(Stdio::null());
    let _running = Running(command.spawn().unwrap());
    let ask = || flagship(&["explain", "lost", "--env", "default", "--url", &url]);
    let output = (0..300).map(|_| ask()).find(|output| {
        let is_seen = text(output).contains("NotInjected") && text(output).contains("serviceentries, destinationrules");
        std::thread::sleep(Duration::from_millis(if is_seen { 0 } else { 200 }));
        is_seen
    });
    let output = output.unwrap_or_else(|| panic!("not seen within a minute: {}", text(&ask())));
    let told = text(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains(&format!("(as {url}, which is passive, sees it)")), "{told}");
    // One problem, one finding.
    let watches: Vec<_> =
        told.lines().filter(|line| line.starts_with("! WatchFailed: watches of north in north: ")).collect();
    assert_eq!(watches.len(), 1, "{told}");
    assert!(watches[0].contains("check the server's address"), "{told}");
    // Nobody listens there: a clear message, and the next one is asked.
    let both = flagship(&["explain", "greeting", "--url", "http://127.0.0.1:9", "--url", &url]);
    assert_eq!(both.status.code(), Some(0), "{}", text(&both));
    let none = flagship(&["explain", "greeting", "--url", "http://127.0.0.1:9"]);
    let message = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(message.contains("http://127.0.0.1:9") && message.contains("give the API of a running one"), "{message}");
    let bad = flagship(&["explain", " ", "--url", &url]);
    assert!(String::from_utf8_lossy(&bad.stderr).contains("identity: absent or empty"));
}
