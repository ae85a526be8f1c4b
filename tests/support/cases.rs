//! The conformance cases, as files (`tests/cases/README.md` says how they are laid out).
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use flagship::manifest;
use serde_json::Value;

use super::compare::Mesh;

/// The cluster with the Dependency records.
pub const CONTROL: &str = "control";

/// One case.
pub struct Case {
    pub name: String,
    /// Sorted by step and cluster.
    pub inputs: Vec<Input>,
    directory: PathBuf,
}

/// One file of one step.
pub struct Input {
    pub step: u32,
    pub cluster: String,
    pub verb: Verb,
    pub objects: Vec<Value>,
}

/// What is done with the objects of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Create,
    Update,
    Delete,
    /// The instance becomes passive before the objects are created.
    ReadOnly,
    /// The instance becomes active before the objects are created.
    ReadWrite,
}

impl Case {
    pub fn read(name: &str) -> Self {
        let directory = root().join(name);
        let inputs = inputs(&directory.join("input"));
        assert!(!inputs.is_empty(), "{} has no input", directory.display());
        Self { name: name.to_owned(), inputs, directory }
    }

    /// Every case that there is.
    pub fn all() -> Vec<Self> {
        let directories = files(&root()).into_iter().filter(|path| path.is_dir());
        directories.map(|path| Self::read(path.file_name().unwrap().to_str().unwrap())).collect()
    }

    pub fn steps(&self) -> BTreeSet<u32> {
        self.inputs.iter().map(|input| input.step).collect()
    }

    pub fn inputs_of(&self, step: u32) -> impl Iterator<Item = &Input> {
        self.inputs.iter().filter(move |input| input.step == step)
    }

    /// The clusters of the mesh; the control cluster is not among them.
    pub fn clusters(&self) -> BTreeSet<&str> {
        self.inputs.iter().map(|input| input.cluster.as_str()).filter(|cluster| *cluster != CONTROL).collect()
    }

    /// The lines of `flags.txt` that are flags.
    pub fn flags(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("flags.txt")).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
    }

    /// Whether the instance is passive at first.
    pub fn starts_passive(&self) -> bool {
        fs::read_to_string(self.directory.join("flags.txt")).is_ok_and(|text| text.contains("readOnly=True"))
    }

    /// What the clusters should hold after `step`, ours in place of Admiral's where they differ.
    pub fn expected(&self, step: u32) -> Mesh {
        let after = format!("after-{step:02}");
        files(&self.directory.join("expected").join(&after))
            .into_iter()
            .map(|path| {
                let ours = self.directory.join("flagship").join(&after).join(path.file_name().unwrap());
                (stem(&path), objects(if ours.exists() { &ours } else { &path }))
            })
            .collect()
    }

    /// Asserts that `listed` has, as `after-NN/cluster`, every expectation that is ours and not Admiral's.
    pub fn assert_overrides(&self, listed: &[&str]) {
        let ours = self.directory.join("flagship");
        let mut present = Vec::new();
        for step in files(&ours) {
            for file in files(&step) {
                assert!(self.directory.join("expected").join(file.strip_prefix(&ours).unwrap()).exists());
                present.push(format!("{}/{}", stem(&step), stem(&file)));
            }
        }
        assert_eq!(present, listed, "the test must list the overrides under flagship/");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

fn inputs(directory: &Path) -> Vec<Input> {
    let mut inputs: Vec<_> = files(directory)
        .into_iter()
        .map(|path| {
            let stem = stem(&path);
            let (step, rest) = stem.split_once('-').expect("NN-cluster");
            let (cluster, verb) = rest.split_once('.').unwrap_or((rest, ""));
            let verb = match verb {
                "" => Verb::Create,
                "update" => Verb::Update,
                "delete" => Verb::Delete,
                "readonly" => Verb::ReadOnly,
                "readwrite" => Verb::ReadWrite,
                other => panic!("{}: the verb {other} is unknown", path.display()),
            };
            let objects = objects(&path);
            Input { step: step.parse().expect("a number"), cluster: cluster.to_owned(), verb, objects }
        })
        .collect();
    inputs.sort_by(|a, b| (a.step, &a.cluster).cmp(&(b.step, &b.cluster)));
    inputs
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned()
}

fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file can be read");
    manifest::parse(&text).into_iter().map(|d| d.result.unwrap_or_else(|e| panic!("{}: {e}", path.display()))).collect()
}
