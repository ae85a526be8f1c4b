//! Workloads that change all the time, and go and come back, so that the active always has something to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::kube_api::{Cluster, collection};
use super::workload::{PORT, port};
use super::world::World;

const EVERY: Duration = Duration::from_millis(100);
pub const WORKLOADS: u64 = 10;

/// Of so many turns one takes a workload away, and one brings back the one that went before.
const CYCLE: u64 = 10;
const GOES_AT: u64 = 3;
const COMES_BACK_AT: u64 = 1;

pub struct Load {
    changes: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Load {
    /// Creates the workloads in both clusters, then changes a port in each cluster every 100 ms.
    pub async fn start(world: &Arc<World>) -> Self {
        Self::begin(world, EVERY, false).await
    }

    /// The same at another pace; every tenth turn a workload goes, to come back eight turns later.
    pub async fn start_every(world: &Arc<World>, every: Duration) -> Self {
        Self::begin(world, every, true).await
    }

    async fn begin(world: &Arc<World>, every: Duration, with_deletes: bool) -> Self {
        for cluster in &world.clusters {
            cluster.create_all((0..WORKLOADS).flat_map(|number| manifests(world, number)).collect()).await;
        }
        let (changes, stopped) = <(Arc<AtomicU64>, Arc<AtomicBool>)>::default();
        let task = change(Arc::clone(world), every, with_deletes, Arc::clone(&changes), Arc::clone(&stopped));
        Self { changes, stopped, task: tokio::spawn(task) }
    }

    /// Changes made so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Changes every workload of both clusters at once, beside the others, so that many writes are under way.
    pub fn burst(world: &Arc<World>) {
        for number in 0..WORKLOADS {
            let world = Arc::clone(world);
            tokio::spawn(async move {
                change_one(&world, number, PORT - 1 - any_port(100)).await;
            });
        }
    }

    /// No more changes, once the one that is under way has been made in both clusters.
    pub async fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        while self.is_running() {
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn name(number: u64) -> String {
    format!("busy-{number}")
}

async fn change(
    world: Arc<World>,
    every: Duration,
    with_deletes: bool,
    changes: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut gone = None;
    for turn in 1.. {
        ticks.tick().await;
        if stopped.load(Ordering::Relaxed) {
            return;
        }
        let workload = turn / CYCLE % WORKLOADS;
        match (turn % CYCLE, gone) {
            (COMES_BACK_AT, Some(number)) => {
                let [alpha, beta] = [(); 2].map(|()| manifests(&world, number).to_vec());
                futures::join!(world.alpha().create_all(alpha), world.beta().create_all(beta));
                gone = None;
            }
            (GOES_AT, None) if with_deletes => {
                futures::join!(remove(&world, world.alpha(), workload), remove(&world, world.beta(), workload));
                gone = Some(workload);
            }
            _ => change_one(&world, turn % WORKLOADS, PORT + u16::try_from(turn % 1000).unwrap()).await,
        }
        changes.fetch_add(2, Ordering::Relaxed);
    }
}

fn manifests(world: &World, number: u64) -> [Value; 2] {
    [world.deployment(&name(number)), world.service(&name(number))]
}

async fn remove(world: &World, cluster: &Cluster, number: u64) {
    for kind in ["Deployment", "Service"] {
        cluster.delete(&format!("{}/{}", collection(kind, &world.apps), name(number))).await;
    }
}

/// Does nothing where the workload is gone.
async fn change_one(world: &World, workload: u64, number: u16) {
    let path = format!("{}/{}", collection("Service", &world.apps), name(workload));
    let ports = json!({"spec": {"ports": [port(number)]}});
    futures::join!(world.alpha().patch_if_there(&path, &ports), world.beta().patch_if_there(&path, &ports));
}

fn any_port(below: u16) -> u16 {
    uuid::Uuid::new_v4().as_fields().1 % below
}
