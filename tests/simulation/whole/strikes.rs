//! The same faults as in the stepwise world, where whole processes run.

use std::sync::atomic::Ordering;

use flagship::lease::Eligibility;

use super::super::faults::{Draw, Kind, at_the_item, heal_the_item, other_link, stop_span};
use super::super::node::Link;
use super::super::plan::micros;
use super::instance::Incoming;
use super::world::{Event, World};

/// The next fault, and when the one after it comes.
pub fn strike(world: &mut World) {
    if world.healed {
        return;
    }
    let Draw { next_in, fault } = Draw::new(&world.plan, &mut world.rng);
    world.at(world.now + next_in, Event::Fault);
    let Some((kind, index)) = fault else { return };
    world.report.count(kind.name());
    world.tell(|| format!("FAULT {kind:?}, node {index}"));
    let now = world.now;
    match kind {
        Kind::Network => world.nodes[index].link = other_link(&mut world.rng, micros(world.plan.lease())),
        Kind::Stop | Kind::StopBeforeSend | Kind::StopAfterSend | Kind::StopAfterCheck => stop(world, kind, index),
        Kind::Crash => {
            world.nodes[index].die();
            if world.rng.chance(30) {
                world.nodes[index].clocks.reboot(now);
            }
            let back = now + world.rng.between(1_000, micros(world.plan.lease()) * 2);
            world.at(back, Event::Start(index));
        }
        Kind::Shutdown => world.deliver(index, Incoming::Terminate),
        Kind::Drift => {
            world.nodes[index].clocks.drift(&mut world.rng, now);
            world.nodes[index].reclock();
        }
        Kind::WallStep => {
            world.nodes[index].clocks.step_wall(&mut world.rng);
            world.nodes[index].reclock();
        }
        Kind::Blind => {
            let to = world.rng.pick(&[Eligibility::No, Eligibility::Reluctant, Eligibility::Yes]);
            world.at(now, Event::Sees(world.nodes[index].author(), to));
        }
        Kind::ForeignEpoch => world.settled.join(&world.record, now, &mut world.rng),
        _ => at_the_item(&mut world.table, &mut world.rng, world.plan.nodes, now, kind),
    }
}

/// At once, or armed for the point at which it does the most harm.
fn stop(world: &mut World, kind: Kind, index: usize) {
    let lease = micros(world.plan.lease());
    let span = stop_span(&mut world.rng, lease);
    let (look, at_the_gate) = (world.rng.between(1, 6), world.rng.chance(60));
    let Some(process) = &world.nodes[index].process else { return };
    let stops = &process.machine.stops;
    match kind {
        Kind::StopBeforeSend => {
            stops.checker_looks.store(look, Ordering::Relaxed);
            stops.checker.store(span, Ordering::Relaxed);
        }
        // The renewal must still be unanswered when others take the lease for expired.
        Kind::StopAfterSend => stops.sent.store(lease + span / 4, Ordering::Relaxed),
        Kind::StopAfterCheck if at_the_gate => {
            stops.gate_looks.store(1 + look % 2, Ordering::Relaxed);
            stops.gate.store(span, Ordering::Relaxed);
        }
        Kind::StopAfterCheck => stops.packet.store(span, Ordering::Relaxed),
        _ => {
            let until = world.now + span;
            world.stop_until(index, until);
        }
    }
}

/// All is put right: network, processes, views, and what only a person can undo.
pub fn heal(world: &mut World) {
    world.tell(|| "HEALED".to_owned());
    world.healed = true;
    let now = world.now;
    for index in 0..world.nodes.len() {
        let node = &mut world.nodes[index];
        node.link = Link { slowest_us: 20_000, ..Link::default() };
        if let Some(process) = &node.process {
            process.disarm();
            // One that stopped in the middle of a step has read its clock already, and goes on when that says.
            if node.stopped_until.is_some() && process.stopped_itself_until().is_none() {
                node.stopped_until = Some(now);
                world.at(now, Event::Continue(index));
            }
        }
        world.at(now, Event::Start(index));
        world.at(now, Event::Sees(world.nodes[index].author(), Eligibility::Yes));
    }
    heal_the_item(&mut world.table, now);
}
