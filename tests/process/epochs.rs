//! The judge of promises S1 and S3: what the API servers say was written, in the order in which they stored it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::kube_api::collection;
use super::world::World;

const KINDS: [&str; 3] = ["ServiceEntry", "DestinationRule", "ConfigMap"];

/// A create or update that an API server has stored.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "the object is there to be printed")]
pub struct Stored {
    pub cluster: usize,
    /// Its place in the order of all writes of this API server.
    pub version: u64,
    pub epoch: u64,
    pub object: String,
    pub seen: Instant,
}

/// Records every write of the sync namespaces. Deletes carry no epoch and are left out.
pub struct Recorder {
    stored: Arc<Mutex<Vec<Stored>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Recorder {
    pub async fn start(world: &Arc<World>) -> Self {
        let stored = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (index, cluster) in world.clusters.iter().enumerate() {
            for kind in KINDS {
                let path = collection(kind, &world.sync);
                let list = cluster.get(&path).await;
                assert_eq!(list["items"].as_array().map(Vec::len), Some(0), "the recorder starts too late");
                let mut events = cluster.watch(&path, list["metadata"]["resourceVersion"].as_str().unwrap()).await;
                let stored = Arc::clone(&stored);
                tasks.push(tokio::spawn(async move {
                    while let Some(object) = events.next().await {
                        let one = read(index, kind, &object.expect("an unbroken watch"));
                        stored.lock().unwrap_or_else(PoisonError::into_inner).extend(one);
                    }
                }));
            }
        }
        Self { stored, tasks }
    }

    /// Writes that carry this epoch.
    pub fn count(&self, epoch: u64) -> usize {
        self.stored().iter().filter(|one| one.epoch == epoch).count()
    }

    /// Writes that carry this epoch and were seen after `from`.
    pub fn after(&self, from: Instant, epoch: u64) -> usize {
        self.stored().iter().filter(|one| one.epoch == epoch && one.seen > from).count()
    }

    /// How long two epochs wrote side by side, in ms: from the first write of an epoch to the last later one of a
    /// lower epoch, over all clusters, in the order in which their one etcd stored them. 0 when no write came late.
    pub fn overlap_ms(&self) -> u64 {
        let mut stored = self.stored();
        stored.sort_by_key(|one| one.version);
        let (mut highest, mut first, mut overlap) = (0, None, Duration::ZERO);
        for one in &stored {
            if one.epoch > highest {
                (highest, first) = (one.epoch, Some(one.seen));
            } else if one.epoch < highest {
                let beside = one.seen.saturating_duration_since(first.unwrap());
                overlap = overlap.max(beside).max(Duration::from_millis(1));
            }
        }
        u64::try_from(overlap.as_millis()).unwrap()
    }

    /// All writes so far.
    pub fn total(&self) -> usize {
        self.stored().len()
    }

    /// The epochs that have written.
    pub fn epochs(&self) -> usize {
        self.stored().iter().map(|one| one.epoch).collect::<BTreeSet<_>>().len()
    }

    /// Writes that were stored after one with a higher epoch. Fails if something may have been missed.
    pub fn late(&self) -> Vec<Stored> {
        assert!(self.tasks.iter().all(|task| !task.is_finished()), "a watch of the recorder has ended");
        let mut highest = BTreeMap::<usize, u64>::new();
        let mut stored = self.stored();
        stored.sort_by_key(|one| (one.cluster, one.version));
        stored.retain(|one| {
            let highest = highest.entry(one.cluster).or_default();
            *highest = one.epoch.max(*highest);
            one.epoch < *highest
        });
        stored
    }

    /// S1, S3: in no cluster does a write follow one of a higher epoch.
    pub fn assert_never_down(&self) {
        let late = self.late();
        let first: Vec<&Stored> = late.iter().take(5).collect();
        assert!(late.is_empty(), "{} writes came after one of a higher epoch; the first: {first:#?}", late.len());
    }

    fn stored(&self) -> Vec<Stored> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn read(cluster: usize, kind: &str, object: &Value) -> Option<Stored> {
    let metadata = &object["metadata"];
    // Null: deleted. kube-root-ca.crt and the like: nobody's here.
    let epoch = metadata["annotations"]["flagship.io/epoch"].as_str();
    assert!(epoch.is_some() || kind == "ConfigMap" || object.is_null(), "written without an epoch: {object}");
    Some(Stored {
        cluster,
        version: metadata["resourceVersion"].as_str()?.parse().unwrap(),
        epoch: epoch?.parse().unwrap(),
        object: format!("{kind} {}", metadata["name"]),
        seen: Instant::now(),
    })
}
