//! Istio's own validator, run over objects.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::Command;

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

/// Judges every manifest below `directory`.
pub fn judge(directory: &Path) -> Verdict {
    let program = servers::istio_validate();
    let output = Command::new(&program).arg(directory).output();
    let output = output.unwrap_or_else(|error| panic!("{}: {error}; {}", program.display(), servers::REMEDY));
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    let counts = stdout.lines().find_map(|line| {
        let (objects, rest) = line.split_once(" objects, ")?;
        Some((objects.parse().ok()?, rest.strip_suffix(" refused")?.parse().ok()?))
    });
    let (objects, refused) = counts.unwrap_or_else(|| panic!("the validator counted nothing:\n{text}"));
    Verdict { objects, refused, code: output.status.code(), text }
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

fn is_istio(object: &Value) -> bool {
    object["apiVersion"].as_str().is_some_and(|version| version.starts_with("networking.istio.io/"))
}
