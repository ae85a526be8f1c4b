//! Workloads that change all the time, so that the active always has something to write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::kube_api::collection;
use super::workload::{PORT, port};
use super::world::World;

const EVERY: Duration = Duration::from_millis(100);
pub const WORKLOADS: u64 = 10;

pub struct Load {
    changes: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Load {
    /// Creates the workloads in both clusters, then changes a port in each cluster every 100 ms.
    pub async fn start(world: &Arc<World>) -> Self {
        Self::start_every(world, EVERY).await
    }

    /// The same at another pace.
    pub async fn start_every(world: &Arc<World>, every: Duration) -> Self {
        for cluster in &world.clusters {
            let names = (0..WORKLOADS).map(name);
            cluster.create_all(names.flat_map(|n| [world.deployment(&n), world.service(&n)]).collect()).await;
        }
        let changes = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(change(Arc::clone(world), every, Arc::clone(&changes)));
        Self { changes, task }
    }

    /// Changes made so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Changes every workload of both clusters at once, beside the others, so that many writes are under way.
    pub fn burst(world: &Arc<World>) {
        for number in 0..WORKLOADS {
            let world = Arc::clone(world);
            tokio::spawn(async move { change_one(&world, number, PORT - 1 - any_port(100)).await });
        }
    }

    /// No more changes.
    pub fn stop(&self) {
        self.task.abort();
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

async fn change(world: Arc<World>, every: Duration, changes: Arc<AtomicU64>) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for turn in 1.. {
        ticks.tick().await;
        change_one(&world, turn % WORKLOADS, PORT + u16::try_from(turn % 1000).unwrap()).await;
        changes.fetch_add(2, Ordering::Relaxed);
    }
}

async fn change_one(world: &World, workload: u64, number: u16) {
    let path = format!("{}/{}", collection("Service", &world.apps), name(workload));
    let ports = json!({"spec": {"ports": [port(number)]}});
    futures::join!(world.alpha().patch(&path, &ports), world.beta().patch(&path, &ports));
}

fn any_port(below: u16) -> u16 {
    uuid::Uuid::new_v4().as_fields().1 % below
}
