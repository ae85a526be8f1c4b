//! The driver's loop in the world, step by step as `checker/driver.rs` makes them: the mode is published after
//! every step of the protocol and before anything else happens.

use flagship::lease::{Eligibility, Notice, Outcome, Permit, Request, Step};

use super::node::{Doing, Local, Packet, Process};
use super::plan::{Broken, micros};
use super::world::{Event, World};
use super::writer;

/// The process runs: the driver begins, and after a while the caches have seen the clusters.
pub fn begin(world: &mut World, index: usize) {
    let lease = micros(world.plan.lease());
    let takes = if world.healed { lease / 20 } else { world.rng.between(1_000, lease) };
    let sees_all = world.healed || world.rng.chance(85);
    let eligibility = if sees_all { Eligibility::Yes } else { Eligibility::Reluctant };
    world.local_at(index, world.now, Local::Wake(0));
    world.local_at(index, world.now + takes, Local::Synced(eligibility));
    world.local_at(index, world.now + takes, Local::Reconcile);
}

pub fn step(world: &mut World, index: usize, local: Local) {
    let doing = process(world, index).doing;
    match local {
        Local::Wake(sleep) if doing == Doing::Sleeping(sleep) => iterate(world, index),
        Local::Depart(packet) => depart(world, index, &packet),
        Local::Answer(id, outcome) if doing == Doing::Requesting(id) => take_in(world, index, id, outcome),
        Local::GiveUp(id) if doing == Doing::Requesting(id) => {
            take_in(world, index, id, Outcome::Unknown("no answer".to_owned()));
        }
        Local::DrainedBy(sleep) if doing == Doing::Draining(sleep) => drained(world, index),
        Local::Synced(eligibility) => {
            let floor = world.epoch_in_clusters();
            let process = process(world, index);
            process.synced |= eligibility != Eligibility::No;
            (process.eligibility, process.floor) = (eligibility, floor);
            if let Doing::Sleeping(_) = doing {
                iterate(world, index);
            }
        }
        Local::Terminate => {
            process(world, index).asked_to_stop = true;
            heed_stop(world, index);
        }
        _ => {}
    }
}

/// No write is under way any more, or the wait for that is over.
pub fn drained(world: &mut World, index: usize) {
    let now = world.nodes[index].clocks.now(world.now);
    process(world, index).lease.on_drained(now);
    iterate(world, index);
}

/// The time that something takes over this machine's network; sometimes far too long.
pub fn travel(world: &mut World, index: usize, late: &'static str) -> u64 {
    let link = world.nodes[index].link;
    if world.rng.chance(link.hold_back) {
        world.report.count(late);
        let latest = world.plan.latest();
        return world.rng.between(1_000, latest);
    }
    world.rng.between(200, link.slowest_us.max(200))
}

/// One turn of the driver's loop.
fn iterate(world: &mut World, index: usize) {
    let node = &mut world.nodes[index];
    let now = node.clocks.now(world.now);
    let incarnation = node.incarnation;
    let Some(own) = &mut node.process else { return };
    own.lease.set_eligibility(own.eligibility);
    own.lease.raise_epoch_floor(own.floor);
    own.nonces += 1;
    let nonce = format!("{index}-{incarnation}-{}", own.nonces);
    let step = own.lease.poll(now, &nonce);
    publish(world, index);
    match step {
        Step::Done => end(world, index),
        Step::Request(request) => send(world, index, request),
        Step::Drain(by) => {
            let node = &world.nodes[index];
            let until = node.clocks.real_of(by, world.now);
            let sleep = next_sleep(world, index);
            process_mut(world, index, |process| process.doing = Doing::Draining(sleep));
            let nothing_left = process(world, index).writes == 0 || world.plan.broken == Broken::ReleaseBeforeDrain;
            world.local_at(index, if nothing_left { world.now } else { until }, Local::DrainedBy(sleep));
        }
        Step::Wait(until) => {
            let until = world.nodes[index].clocks.real_of(until, world.now).max(world.now + 1);
            let sleep = next_sleep(world, index);
            process_mut(world, index, |process| process.doing = Doing::Sleeping(sleep));
            world.local_at(index, until, Local::Wake(sleep));
            heed_stop(world, index);
        }
    }
}

fn send(world: &mut World, index: usize, request: Request) {
    let node = &world.nodes[index];
    let from = node.author();
    let give_up = node.clocks.boot(world.now) + world.plan.config.timings().request_timeout;
    let give_up = node.clocks.real_of(give_up, world.now);
    process_mut(world, index, |process| process.doing = Doing::Requesting(request.id));
    world.local_at(index, give_up, Local::GiveUp(request.id));
    let packet = Packet { from, id: request.id, kind: request.kind };
    world.local_at(index, world.now, Local::Depart(packet));
    if let Some(span) = world.nodes[index].stop_before_send.take() {
        world.report.count("stopped before a send");
        stop_for(world, index, span);
    }
    heed_stop(world, index);
}

/// The process does not run for `span`, wherever it is.
pub fn stop_for(world: &mut World, index: usize, span: u64) {
    let until = world.now + span;
    let node = &mut world.nodes[index];
    node.stopped_until = Some(node.stopped_until.unwrap_or(0).max(until));
    let until = node.stopped_until.unwrap_or(until);
    world.tell(|| format!("node {index} is stopped for {span} us"));
    world.at(until, Event::Continue(index));
}

fn depart(world: &mut World, index: usize, packet: &Packet) {
    let link = world.nodes[index].link;
    let copies = if world.rng.chance(link.duplicate) { 2 } else { 1 };
    if copies == 2 {
        world.report.count("request duplicated");
    }
    for _ in 0..copies {
        if world.rng.chance(link.lose_request) {
            world.report.count("request lost");
            continue;
        }
        let delay = travel(world, index, "request late");
        world.after(delay, Event::Arrive(packet.clone()));
    }
    let holds = process(world, index).mode.is_some();
    if let Some(span) = world.nodes[index].stop_after_send.take_if(|_| holds) {
        world.report.count("stopped before an answer");
        stop_for(world, index, span);
    }
}

fn take_in(world: &mut World, index: usize, id: u64, outcome: Outcome) {
    let now = world.nodes[index].clocks.now(world.now);
    process(world, index).lease.on_outcome(id, now, outcome);
    publish(world, index);
    iterate(world, index);
}

/// A shutdown closes the gate while the driver sleeps or waits for an answer; a drain it leaves alone.
fn heed_stop(world: &mut World, index: usize) {
    let process = process(world, index);
    let reachable = matches!(process.doing, Doing::Sleeping(_) | Doing::Requesting(_));
    if !process.asked_to_stop || process.stopping || !reachable {
        return;
    }
    process.stopping = true;
    process.lease.stop();
    let asleep = matches!(process.doing, Doing::Sleeping(_));
    publish(world, index);
    if asleep {
        iterate(world, index);
    }
}

/// The decision to the mode, which the gate reads.
fn publish(world: &mut World, index: usize) {
    let process = process(world, index);
    let (before, permit) = (process.mode, process.lease.permit());
    process.mode = permit;
    let notices = process.lease.take_notices();
    for notice in notices {
        world.tell(|| format!("node {index}: {notice}"));
        if matches!(notice, Notice::Acquired { .. }) {
            world.report.takeovers += 1;
        }
    }
    if before != permit
        && let Some(Permit { deadline, .. }) = permit
    {
        let now = world.nodes[index].clocks.boot(world.now);
        let was_closed = before.is_none_or(|permit| permit.deadline <= now);
        writer::on_permit(world, index, deadline, was_closed);
    }
}

/// The process has ended in order, and another is started later.
fn end(world: &mut World, index: usize) {
    world.tell(|| format!("node {index} has ended"));
    world.nodes[index].die();
    let lease = micros(world.plan.lease());
    let back = if world.healed { 1_000 } else { world.rng.between(1_000, lease * 2) };
    world.after(back, Event::Start(index));
}

pub fn process(world: &mut World, index: usize) -> &mut Process {
    world.nodes[index].process.as_mut().expect("events of a dead process are dropped")
}

fn process_mut(world: &mut World, index: usize, change: impl FnOnce(&mut Process)) {
    change(process(world, index));
}

fn next_sleep(world: &mut World, index: usize) -> u64 {
    let process = process(world, index);
    process.sleeps += 1;
    process.sleeps
}
