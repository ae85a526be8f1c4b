//! Istio's own code, run over objects: would istiod accept them, and where would it send a client?
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use flagship::render;
use serde_json::Value;

use super::servers;

/// What the validator says of a directory.
#[derive(Debug)]
pub struct Verdict {
    pub objects: usize,
    pub refused: usize,
    pub code: Option<i32>,
    /// All that it printed, one line for each refusal.
    pub text: String,
}

/// Where istiod would send a sidecar.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Destination {
    pub host: String,
    pub port: u16,
    #[serde(default)]
    pub subset: String,
    /// How the sidecar learns of the endpoints, such as `STRICT_DNS`.
    pub discovery: String,
    /// Endpoints are ejected, so that the next priority gets its turn.
    pub fails_over: bool,
    /// The weights of the localities count.
    pub by_locality: bool,
    pub endpoints: Vec<Endpoint>,
}

/// One endpoint of a destination.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// 0 is used as long as enough of it is healthy.
    pub priority: u32,
    pub locality: String,
    pub address: String,
    pub port: u16,
    pub locality_weight: u32,
    pub weight: u32,
}

/// Judges every manifest below `directory`.
pub fn judge(directory: &Path) -> Verdict {
    let output = run(&["accept"], directory);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let counts = stdout.lines().find_map(|line| {
        let (objects, rest) = line.split_once(" objects, ")?;
        Some((objects.parse().ok()?, rest.strip_suffix(" refused")?.parse().ok()?))
    });
    let (objects, refused) = counts.unwrap_or_else(|| panic!("the judge counted nothing:\n{text}"));
    Verdict { objects, refused, code: output.status.code(), text }
}

/// Where a sidecar at `locality` would be sent, in a cluster that holds `objects`: by host.
pub fn routes(objects: &[Value], locality: &str, namespace: &str) -> BTreeMap<String, Destination> {
    let directory = tempfile::tempdir().unwrap();
    write(&directory.path().join("cluster.yaml"), objects);
    let output = run(&["route", "-locality", locality, "-namespace", namespace], directory.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let destinations: Vec<Destination> = serde_json::from_slice(&output.stdout).unwrap();
    let mut by_host = BTreeMap::new();
    for mut destination in destinations {
        destination.endpoints.sort();
        let host = destination.host.clone();
        assert!(by_host.insert(host, destination).is_none(), "a host with two ports or subsets: extend this");
    }
    by_host
}

/// Writes the Istio objects among `objects` to a file and returns how many there were.
pub fn write(path: &Path, objects: &[Value]) -> usize {
    let istio: Vec<_> = objects.iter().filter(|object| is_istio(object)).collect();
    fs::write(path, render::yaml(istio.iter().copied()).unwrap()).unwrap();
    istio.len()
}

/// Asserts that all of the `written` objects below `directory` were judged, and accepted.
pub fn assert_accepts(directory: &Path, written: usize) {
    let verdict = judge(directory);
    let found = (verdict.objects, verdict.refused, verdict.code);
    assert_eq!(found, (written, 0, Some(0)), "(objects, refused, exit code):\n{}", verdict.text);
}

fn run(arguments: &[&str], directory: &Path) -> Output {
    let program = servers::istio_judge();
    let output = Command::new(&program).args(arguments).arg(directory).output();
    output.unwrap_or_else(|error| panic!("{}: {error}; {}", program.display(), servers::REMEDY))
}

pub fn is_istio(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("networking.istio.io/"))
}
