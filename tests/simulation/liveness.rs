//! How long it takes until somebody is active again, in a world where only one thing goes wrong (L1, L2, L3).
//!
//! Times are real; the bounds are in the instances' own time, so that the drift bound is added to them.

use flagship::lease::record::{Attribute, SWITCHOVER_TO};

use super::judge::judge;
use super::node::{Link, Local};
use super::plan::{Broken, micros};
use super::world::World;

/// What happens to the active, or to all.
#[derive(Clone, Copy, Debug)]
pub enum Mishap {
    /// It is gone without a word.
    Crash,
    /// It is asked to stop.
    Terminate,
    /// Another is asked to take over.
    Switchover,
    /// Nobody reaches the table for three lease durations.
    Outage,
}

/// The most that one round trip to the table takes here.
const TRIP: u64 = 40_000;
const STEP: u64 = 1_000;

/// Runs one world with one mishap: the time until another (after an outage: one) is active, and the bound.
pub fn takeover(seed: u64, mishap: Mishap) -> (u64, u64) {
    let mut world = World::new(seed, Broken::Nothing, false);
    world.plan.faults.clear();
    world.healed = true;
    let (lease, settle) = (micros(world.plan.lease()), world.plan.settle());
    let moment = world.rng.between(0, lease);
    world.run_until(settle + moment);
    let [active] = world.actives()[..] else { panic!("seed {seed}: {:?} active at the start", world.actives()) };
    let timings = *world.plan.config.timings();
    let margin = micros(world.plan.config.margin(world.plan.lease()));
    let poll = micros(timings.poll_interval);
    let bound = match mishap {
        Mishap::Crash => lease + margin + poll + 2 * TRIP,
        Mishap::Terminate => micros(world.plan.write_timeout) + poll + 3 * TRIP,
        // The holder learns of the request by its next renewal.
        Mishap::Switchover => micros(timings.renew_interval + world.plan.write_timeout) + poll + 4 * TRIP,
        Mishap::Outage => lease + margin + poll + micros(timings.request_timeout) + 2 * TRIP,
    };
    let since = strike(&mut world, active.0, mishap);
    let by = since + bound + bound * u64::from(timings.drift_ppm) / 1_000_000;
    let gone = |world: &World| match mishap {
        Mishap::Outage => world.actives().len() == 1,
        _ => world.actives().iter().any(|author| *author != active),
    };
    while !gone(&world) && world.now <= by + lease {
        let next = world.now + STEP;
        world.run_until(next);
    }
    let took = world.now - since;
    assert!(judge(&world.record).is_empty(), "seed {seed}: {:?}", judge(&world.record));
    (took, by - since + STEP)
}

/// Makes it happen, and says from when the time counts.
fn strike(world: &mut World, active: usize, mishap: Mishap) -> u64 {
    let now = world.now;
    match mishap {
        Mishap::Crash => world.nodes[active].die(),
        Mishap::Terminate => world.local_at(active, now, Local::Terminate),
        Mishap::Switchover => {
            let other = format!("node-{}", (active + 1) % world.plan.nodes);
            world.table.edit(now, |item| {
                item.as_mut().unwrap().insert(SWITCHOVER_TO.to_owned(), Attribute::S(other));
            });
        }
        Mishap::Outage => outage(world),
    }
    world.now
}

/// The table is out of reach for everybody. Within a lease duration nobody writes any more.
fn outage(world: &mut World) {
    let lease = micros(world.plan.lease());
    let good = world.nodes[0].link;
    for node in &mut world.nodes {
        node.link = Link { lose_request: 100, ..good };
    }
    let begin = world.now;
    // What was under way is answered, and the slowest clock within the bound ticks a lease duration.
    world.run_until(begin + 3 * lease);
    let quiet_from = begin + lease + lease / 5;
    assert!(world.record.iter().all(|write| write.effect <= quiet_from), "somebody wrote during the outage");
    assert!(world.actives().is_empty());
    for node in &mut world.nodes {
        node.link = good;
    }
}
