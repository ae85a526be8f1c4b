//! Replays a case through the planner, with an API server of maps for every cluster.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::ffi::OsString;

use flagship::cli;
use flagship::instant::WallTime;
use flagship::mesh::{ClusterId, Kind, MeshOptions, ObjectKey, Op, Origin};
use flagship::plan::Planner;
use serde_json::Value;

use super::api::{Api, Event};
use super::cases::{CONTROL, Case, Input, Verb};
use super::compare::Mesh;

/// Feeds the steps of `case`, lets the mesh settle after each, and shows it to `look`.
pub fn replay(case: &Case, mut look: impl FnMut(u32, &World)) {
    let mut world = World::new(case);
    for step in case.steps() {
        for input in case.inputs_of(step) {
            world.feed(input);
        }
        world.set_synced();
        world.settle(step);
        look(step, &world);
    }
}

/// The planner and its clusters.
pub struct World {
    planner: Planner,
    apis: BTreeMap<String, Api>,
    is_active: bool,
}

impl World {
    fn new(case: &Case) -> Self {
        let mut planner = Planner::new(options(case));
        let mut apis = BTreeMap::from([(CONTROL.to_owned(), Api::default())]);
        for cluster in case.clusters() {
            apis.insert(cluster.to_owned(), Api::default());
            planner.add_cluster(&ClusterId::new(cluster));
        }
        Self { planner, apis, is_active: !case.starts_passive() }
    }

    fn feed(&mut self, input: &Input) {
        match input.verb {
            Verb::ReadOnly => self.is_active = false,
            Verb::ReadWrite => self.is_active = true,
            Verb::Create | Verb::Update | Verb::Delete => {}
        }
        for object in &input.objects {
            let api = self.apis.get_mut(&input.cluster).expect("every cluster has an API server");
            let event = match input.verb {
                Verb::Delete => api.remove(object),
                _ => api.put(object.clone(), &time(input.step)),
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
        let changes: Vec<_> = self.planner.changes(&id).collect();
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

    /// The Istio objects of every cluster.
    pub fn mesh(&self) -> Mesh {
        self.apis.iter().map(|(cluster, api)| (cluster.clone(), api.istio_objects().cloned().collect())).collect()
    }

    /// What every cluster should hold.
    pub fn desired(&self) -> Mesh {
        let clusters = self.planner.clusters().into_iter().map(|view| view.id);
        let objects = |id: &ClusterId| self.planner.desired(id).map(|(_, object)| object).collect();
        clusters.map(|id| (id.to_string(), objects(&id))).collect()
    }
}

fn origin(cluster: &str) -> Origin {
    if cluster == CONTROL { Origin::Control } else { Origin::Cluster(ClusterId::new(cluster)) }
}

fn time(step: u32) -> String {
    format!("2025-01-01T00:00:{step:02}Z")
}

/// The case's flags, read as the program reads them.
fn options(case: &Case) -> MeshOptions {
    let args = ["flagship", "run"].into_iter().map(OsString::from).chain(case.flags().into_iter().map(OsString::from));
    let (cli, _) = cli::parse(args).unwrap_or_else(|error| panic!("{}: {error}", case.name));
    let cli::Command::Run(run) = cli.command else { panic!("not run") };
    MeshOptions::new(run.resolve().expect("the flags are valid").0.mesh).expect("the flags are valid")
}
