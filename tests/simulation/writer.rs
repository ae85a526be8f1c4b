//! The reconciler and the gate of one instance: it writes to the clusters whenever it may, and preferably at the
//! very last moment. The check is the gate's own: same epoch, and time for the whole write.

use flagship::instant::Instant;

use super::driver_steps::{drained, process, stop_for};
use super::judge::Recorded;
use super::node::{Doing, Leaving, Local};
use super::plan::{Broken, micros};
use super::world::World;

/// The gate opened or its permit was extended: write at once if it is new, and once more just before the end.
pub fn on_permit(world: &mut World, index: usize, deadline: Instant, is_new: bool) {
    let epoch = process(world, index).mode.map_or(0, |permit| permit.epoch);
    // The last moment at which a write may leave, and one at which it may no longer.
    for before in [world.plan.write_timeout, world.plan.write_timeout / 20] {
        let real = world.nodes[index].clocks.real_of(deadline.saturating_sub(before), world.now);
        // The first moment at or after it would be too late by rounding.
        world.local_at(index, real.saturating_sub(2), Local::Planned { epoch, slowly: true });
    }
    if is_new {
        world.local_at(index, world.now, Local::Planned { epoch, slowly: false });
    }
}

pub fn step(world: &mut World, index: usize, local: Local) {
    match local {
        Local::Reconcile => reconcile(world, index),
        Local::Planned { epoch, slowly } => ask_the_gate(world, index, epoch, slowly),
        Local::Leave(write) => leave(world, index, &write),
        Local::WriteEnded => {
            let process = process(world, index);
            process.writes -= 1;
            if process.writes == 0 && matches!(process.doing, Doing::Draining(_)) {
                drained(world, index);
            }
        }
        _ => {}
    }
}

/// Looks whether the instance is active and plans a change, which takes a while.
fn reconcile(world: &mut World, index: usize) {
    let lease = micros(world.plan.lease());
    let now = world.nodes[index].clocks.boot(world.now);
    let floor = world.epoch_in_clusters();
    let process = process(world, index);
    if process.synced {
        process.floor = floor;
    }
    if let Some(permit) = process.mode.filter(|permit| now < permit.deadline) {
        let thinking = if world.rng.chance(10) { lease } else { lease / 100 };
        let ready = world.now + world.rng.between(10, thinking);
        let slowly = world.rng.chance(25);
        world.local_at(index, ready, Local::Planned { epoch: permit.epoch, slowly });
    }
    let pause = world.rng.between(lease / 50, lease / 8);
    world.local_at(index, world.now + pause, Local::Reconcile);
}

/// What `Pass::check` asks. If it is let through, the write leaves; unless the process is stopped right here.
fn ask_the_gate(world: &mut World, index: usize, epoch: u64, slowly: bool) {
    let now = world.nodes[index].clocks.boot(world.now);
    let (mode, bound) = (process(world, index).mode, world.plan.write_timeout);
    let open = match (mode, world.plan.broken) {
        (_, Broken::StalePermit) => true,
        (None, _) => false,
        (Some(permit), Broken::NoWriteBound) => permit.epoch == epoch && now < permit.deadline,
        (Some(permit), _) => permit.epoch == epoch && permit.covers(now, bound),
    };
    if !open {
        return;
    }
    let stop = world.nodes[index].stop_after_check.take();
    process(world, index).writes += 1;
    let write = Leaving { epoch, slowly, residual: stop.is_some() };
    if let Some(span) = stop {
        world.report.count("stopped after the gate's check");
        stop_for(world, index, span);
        world.local_at(index, world.now, Local::Leave(write));
    } else {
        leave(world, index, &write);
    }
}

/// The packet leaves. It takes effect at some time within its bound, and then the answer comes or is given up.
fn leave(world: &mut World, index: usize, write: &Leaving) {
    let node = &world.nodes[index];
    let bound = node.clocks.shortest(world.plan.write_timeout);
    let author = node.author();
    let given_up = node.clocks.boot(world.now) + world.plan.write_timeout;
    let given_up = node.clocks.real_of(given_up, world.now);
    let quick = world.rng.between(1, bound);
    let effect = world.now + if write.slowly { bound } else { quick };
    let answered = (effect + world.rng.between(100, 20_000)).min(given_up);
    let synced = process(world, index).synced;
    world.tell(|| format!("node {index} writes with epoch {}, effect at {:.6}", write.epoch, effect as f64 / 1e6));
    world.record.push(Recorded {
        author,
        epoch: write.epoch,
        sent: world.now,
        effect,
        residual: write.residual,
        synced,
    });
    world.local_at(index, answered, Local::WriteEnded);
}
