//! Where the test servers are. They are brought up from outside (`scripts/test-servers up`); a test that needs
//! one and does not find it fails and says so.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::path::PathBuf;

use serde_json::Value;

/// What to do when one is missing.
pub const REMEDY: &str =
    "run `scripts/test-servers up` first (or `scripts/test`, which does it and then runs the tests)";

/// One kube-apiserver.
#[derive(Clone, Debug)]
pub struct KubeServer {
    pub name: String,
    pub server: String,
    pub kubeconfig: PathBuf,
    pub restricted_kubeconfig: PathBuf,
    pub audit_log: PathBuf,
}

/// The endpoint of DynamoDB Local.
pub fn dynamodb_endpoint() -> String {
    text(&servers()["dynamodb"]["endpoint"])
}

/// The kube-apiservers: alpha, beta, gamma.
pub fn kube_servers() -> Vec<KubeServer> {
    let servers = servers();
    let list = servers["kube"].as_array().unwrap_or_else(|| panic!("no kube-apiserver is listed; {REMEDY}"));
    list.iter()
        .map(|one| KubeServer {
            name: text(&one["name"]),
            server: text(&one["server"]),
            kubeconfig: text(&one["kubeconfig"]).into(),
            restricted_kubeconfig: text(&one["restricted_kubeconfig"]).into(),
            audit_log: text(&one["audit_log"]).into(),
        })
        .collect()
}

/// Istio's own code, as a program (`scripts/servers/istio`).
pub fn istio_judge() -> PathBuf {
    text(&servers()["istio_judge"]).into()
}

/// Waits for the API servers to be nobody else's, in this process and in others, until the value is dropped.
/// For tests whose instances look at every namespace.
pub fn alone() -> File {
    let path = path();
    let file = File::open(&path).unwrap_or_else(|error| panic!("cannot open {} ({error}): {REMEDY}", path.display()));
    file.lock().expect("the file can be locked");
    file
}

fn servers() -> Value {
    let path = path();
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {} ({error}): {REMEDY}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{} is not JSON ({error}): {REMEDY}", path.display()))
}

fn path() -> PathBuf {
    std::env::var_os("FLAGSHIP_TEST_SERVERS_JSON").map_or_else(default_path, PathBuf::from)
}

fn default_path() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target"), PathBuf::from);
    target.join("test-servers/servers.json")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("servers.json lacks an entry; {REMEDY}")).to_owned()
}
