//! What stands for the reconciler: tasks that look whether the gate is open, plan, and hand changes to the gate, now
//! and then much later, and most eagerly in the last moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flagship::checker::permit::{ModeReader, Permit};
use flagship::cluster::gate::Gate;
use flagship::cluster::target::Target;
use flagship::instant::Instant;
use flagship::mesh::{Change, Kind, ObjectKey, Op};
use serde_json::json;

use super::super::rng::Rng;
use super::clock::Machine;

#[derive(Clone)]
pub struct Writers {
    pub gate: Arc<Gate>,
    pub target: Target,
    pub machine: Arc<Machine>,
    pub mode: ModeReader,
    pub lease: Duration,
    pub write_timeout: Duration,
    /// Different for every process of every run.
    pub seed: u64,
    pub numbers: Arc<AtomicU64>,
}

impl Writers {
    pub fn start(&self) {
        for task in 0..2 {
            tokio::spawn(self.clone().reconcile(Rng::new(self.seed ^ (task << 56))));
        }
        tokio::spawn(self.clone().last_moment());
    }

    /// Looks, thinks, writes.
    async fn reconcile(self, mut rng: Rng) {
        let lease = u64::try_from(self.lease.as_micros()).unwrap();
        loop {
            tokio::time::sleep(Duration::from_micros(rng.between(lease / 40, lease / 6))).await;
            let Some(permit) = self.gate.permit() else { continue };
            let thinking = if rng.chance(10) { lease } else { lease / 100 };
            let ready = Duration::from_micros(rng.between(10, thinking));
            self.write(permit, ready);
        }
    }

    /// Writes as soon as it may, and when it is nearly or just too late.
    async fn last_moment(mut self) {
        loop {
            self.mode.changed().await;
            while let Some(permit) = self.mode.permit(self.now()) {
                self.write(permit, Duration::ZERO);
                let times = [self.write_timeout + Duration::from_millis(1), self.write_timeout / 20];
                let mut extended = false;
                for before in times {
                    let left = permit.deadline.saturating_sub(before).saturating_since(self.now());
                    if tokio::time::timeout(left, self.mode.changed()).await.is_ok() {
                        extended = true;
                        break;
                    }
                    self.write(permit, Duration::ZERO);
                }
                if !extended {
                    break;
                }
            }
        }
    }

    fn write(&self, permit: Permit, ready: Duration) {
        let number = self.seed.wrapping_mul(31).wrapping_add(self.numbers.fetch_add(1, Ordering::Relaxed)) >> 1;
        let name = format!("w-{number}");
        let object = json!({
            "kind": "ServiceEntry",
            "metadata": { "namespace": "admiral-sync", "name": name },
            "spec": { "number": number },
        });
        let key = ObjectKey::new(Kind::ServiceEntry, "admiral-sync", name);
        let change = Change { key, op: Op::Create { object } };
        let this = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(ready).await;
            let mut attempt = std::pin::pin!(this.gate.apply(&permit, &this.target, &change));
            let stops = &this.machine.stops;
            if stops.gate.load(Ordering::Relaxed) > 0 {
                stops.at_the_gate.store(stops.gate_looks.load(Ordering::Relaxed), Ordering::Relaxed);
            }
            // The gate's own looks are in its first step; what comes later is the transport's.
            let first = futures::poll!(attempt.as_mut());
            stops.at_the_gate.store(0, Ordering::Relaxed);
            // Whatever becomes of it: the judge reads the cluster's record.
            if first.is_pending() {
                let _ = attempt.await;
            }
        });
    }

    fn now(&self) -> Instant {
        self.machine.boot()
    }
}
