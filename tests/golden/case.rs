//! Replays one case through the planner and compares after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use flagship::instant::WallTime;
use flagship::mesh::{ClusterId, Kind, MeshOptions, MeshSettings, ObjectKey, Op, Origin};
use flagship::plan::Planner;
use flagship::{manifest, render};
use serde_json::Value;

use crate::api::{Api, Event};
use crate::compare::{Mesh, differences};

/// One file of one step.
struct Input {
    step: u32,
    cluster: String,
    verb: String,
    objects: Vec<Value>,
}

/// Runs the case; `overridden` lists, as `after-NN/cluster`, every expectation that is ours and not Admiral's.
pub fn run(name: &str, overridden: &[&str]) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(name);
    assert_overrides(&directory, overridden);
    let inputs = inputs(&directory.join("input"));
    let mut world = World::new(&directory, &inputs);
    let steps: BTreeSet<u32> = inputs.iter().map(|input| input.step).collect();
    for step in steps {
        for input in inputs.iter().filter(|input| input.step == step) {
            world.feed(input);
        }
        world.set_synced();
        world.settle(step);
        world.dump(name, step);
        let want = expected(&directory, step);
        let found = differences(&want, &world.mesh());
        assert!(found.is_empty(), "{name} after step {step}:\n{}", found.join("\n"));
    }
}

struct World {
    planner: Planner,
    apis: BTreeMap<String, Api>,
    is_active: bool,
}

impl World {
    fn new(directory: &Path, inputs: &[Input]) -> Self {
        let mut planner = Planner::new(options(directory));
        let mut apis = BTreeMap::from([("control".to_owned(), Api::default())]);
        for input in inputs {
            apis.entry(input.cluster.clone()).or_default();
            if input.cluster != "control" {
                planner.add_cluster(&ClusterId::new(&input.cluster));
            }
        }
        let is_passive =
            fs::read_to_string(directory.join("flags.txt")).is_ok_and(|text| text.contains("readOnly=True"));
        Self { planner, apis, is_active: !is_passive }
    }

    fn feed(&mut self, input: &Input) {
        match input.verb.as_str() {
            "readonly" => self.is_active = false,
            "readwrite" => self.is_active = true,
            _ => {}
        }
        for object in &input.objects {
            let api = self.apis.get_mut(&input.cluster).expect("every cluster has an API server");
            let event = match input.verb.as_str() {
                "" | "update" => api.put(object.clone(), &time(input.step)),
                "delete" => api.remove(object),
                other => panic!("objects under the verb {other}"),
            };
            self.observe(&input.cluster, event);
        }
    }

    fn observe(&mut self, cluster: &str, event: Event) {
        let origin = origin(cluster);
        match event {
            Event::Applied(object) => self.planner.apply(&origin, &object).expect("the object can be read"),
            Event::Deleted(object) => {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let kind = Kind::of(&text(&object["apiVersion"]), &text(&object["kind"])).expect("a known kind");
                let metadata = &object["metadata"];
                self.planner
                    .delete(&origin, &ObjectKey::new(kind, text(&metadata["namespace"]), text(&metadata["name"])));
            }
        }
    }

    fn set_synced(&mut self) {
        for cluster in self.apis.keys() {
            self.planner.set_synced(&origin(cluster), true);
        }
    }

    /// Carries out the plan until nothing is left, as an active instance would.
    fn settle(&mut self, step: u32) {
        let now = WallTime::from_unix_ms(1_700_000_000_000 + u64::from(step) * 1000);
        for _ in 0..10 {
            self.planner.plan(now);
            if self.planner.pending_count() == 0 || !self.is_active {
                break;
            }
            for cluster in self.apis.keys().cloned().collect::<Vec<_>>() {
                self.execute(&cluster, step);
            }
        }
        assert!(self.planner.pending_count() == 0 || !self.is_active, "the plan never ends");
        let later = WallTime::from_unix_ms(now.unix_ms() + 100 * 86_400_000);
        assert!(self.planner.plan(later).is_empty(), "a second plan is not empty");
    }

    fn execute(&mut self, cluster: &str, step: u32) {
        let id = ClusterId::new(cluster);
        let changes: Vec<_> = self.planner.changes(&id).cloned().collect();
        for change in changes {
            if let Op::Delete { requires: Some(first), .. } = &change.op
                && self.planner.change(&id, first).is_some()
            {
                continue;
            }
            let event = self.apis.get_mut(cluster).expect("known").execute(&change, &time(step));
            self.observe(cluster, event);
        }
    }

    fn mesh(&self) -> Mesh {
        self.apis.iter().map(|(cluster, api)| (cluster.clone(), api.istio_objects().cloned().collect())).collect()
    }

    /// Writes what should be in the clusters, for Istio's own validator.
    fn dump(&self, name: &str, step: u32) {
        let Ok(directory) = std::env::var("FLAGSHIP_DUMP_OBJECTS") else { return };
        fs::create_dir_all(&directory).expect("the dump directory can be made");
        for (cluster, text) in render::desired(&self.planner).expect("objects can be written") {
            let path = Path::new(&directory).join(format!("{name}-after-{step:02}-{cluster}.yaml"));
            if !text.is_empty() {
                fs::write(path, text).expect("the dump can be written");
            }
        }
    }
}

fn origin(cluster: &str) -> Origin {
    if cluster == "control" { Origin::Control } else { Origin::Cluster(ClusterId::new(cluster)) }
}

fn time(step: u32) -> String {
    format!("2025-01-01T00:00:{step:02}Z")
}

fn options(directory: &Path) -> MeshOptions {
    let mut settings = MeshSettings::default();
    for line in fs::read_to_string(directory.join("flags.txt")).unwrap_or_default().lines() {
        match line.split_once('=').unwrap_or((line, "")) {
            ("--excluded_identity_list", list) => {
                settings.excluded_identity_list = list.split(',').map(str::to_owned).collect();
            }
            ("--gateway_app", app) => settings.gateway_app = app.to_owned(),
            // Ours needs no resync, and reads Dependency records always.
            ("--sync_period" | "--se_dr_sync_period" | "--enable_dependency_processing", _) => {}
            (flag, _) => assert!(flag.is_empty() || flag.starts_with('#'), "unknown flag {flag}"),
        }
    }
    MeshOptions::new(settings).expect("the flags are valid")
}

fn inputs(directory: &Path) -> Vec<Input> {
    let mut inputs: Vec<_> = files(directory)
        .into_iter()
        .map(|path| {
            let stem = path.file_stem().and_then(|s| s.to_str()).expect("a name").to_owned();
            let (step, rest) = stem.split_once('-').expect("NN-cluster");
            let (cluster, verb) = rest.split_once('.').unwrap_or((rest, ""));
            let (cluster, verb) = (cluster.to_owned(), verb.to_owned());
            Input { step: step.parse().expect("a number"), cluster, verb, objects: objects(&path) }
        })
        .collect();
    inputs.sort_by(|a, b| (a.step, &a.cluster).cmp(&(b.step, &b.cluster)));
    inputs
}

fn expected(directory: &Path, step: u32) -> Mesh {
    let after = format!("after-{step:02}");
    files(&directory.join("expected").join(&after))
        .into_iter()
        .map(|path| {
            let file = path.file_name().expect("a name");
            let ours = directory.join("flagship").join(&after).join(file);
            let cluster = path.file_stem().and_then(|s| s.to_str()).expect("a name").to_owned();
            (cluster, objects(if ours.exists() { &ours } else { &path }))
        })
        .collect()
}

fn assert_overrides(directory: &Path, listed: &[&str]) {
    let mut present = Vec::new();
    for step in files(&directory.join("flagship")) {
        for file in files(&step) {
            assert!(directory.join("expected").join(file.strip_prefix(directory.join("flagship")).unwrap()).exists());
            let name = |path: &Path| path.file_stem().unwrap().to_str().unwrap().to_owned();
            present.push(format!("{}/{}", name(&step), name(&file)));
        }
    }
    assert_eq!(present, listed, "the test must list the overrides under flagship/");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

fn objects(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).expect("the file can be read");
    manifest::parse(&text).into_iter().map(|d| d.result.unwrap_or_else(|e| panic!("{}: {e}", path.display()))).collect()
}
