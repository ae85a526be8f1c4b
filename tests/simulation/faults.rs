//! What goes wrong, and how it is put right again.

use flagship::lease::record::{
    Attribute, EPOCH, INSTANCE_ID, LEASE_DURATION_MS, LEASE_NAME, LEASE_OWNER, NOTES, PAUSED, SWITCHOVER_TO,
    UPDATED_TIME, VERSION,
};
use flagship::lease::{Eligibility, RawItem};

use super::driver_steps::stop_for;
use super::node::{Link, Local};
use super::plan::{Plan, micros};
use super::rng::Rng;
use super::table::Table;
use super::world::{Event, World, released};

/// A kind of fault. Each seed draws which of them it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Network,
    Stop,
    StopBeforeSend,
    StopAfterSend,
    StopAfterCheck,
    Crash,
    Shutdown,
    Drift,
    WallStep,
    Delete,
    Recreate,
    Foreign,
    Corrupt,
    Switchover,
    Pause,
    Blind,
    /// Puts an older copy of the item back; not among the usual ones, since it breaks assumption A1.
    Restore,
    RestoreReleased,
    /// A cluster joins whose objects carry a higher epoch; not among the usual ones, to leave their seeds as they are.
    ForeignEpoch,
}

impl Kind {
    pub const ALL: [Self; 16] = [
        Self::Network,
        Self::Stop,
        Self::StopBeforeSend,
        Self::StopAfterSend,
        Self::StopAfterCheck,
        Self::Crash,
        Self::Shutdown,
        Self::Drift,
        Self::WallStep,
        Self::Delete,
        Self::Recreate,
        Self::Foreign,
        Self::Corrupt,
        Self::Switchover,
        Self::Pause,
        Self::Blind,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Network => "network changed",
            Self::Stop => "process stopped",
            Self::StopBeforeSend => "stop before a send armed",
            Self::StopAfterSend => "stop before an answer armed",
            Self::StopAfterCheck => "stop after the gate's check armed",
            Self::Crash => "crash",
            Self::Shutdown => "shutdown",
            Self::Drift => "clock rate changed",
            Self::WallStep => "wall clock stepped",
            Self::Delete => "item deleted",
            Self::Recreate => "item deleted and made anew",
            Self::Foreign => "item overwritten by a foreign writer",
            Self::Corrupt => "item made unreadable",
            Self::Switchover => "switchover asked for",
            Self::Pause => "paused or resumed",
            Self::Blind => "eligibility changed",
            Self::Restore => "older copy restored",
            Self::RestoreReleased => "older released copy restored",
            Self::ForeignEpoch => "foreign epoch appeared",
        }
    }
}

/// What the seed has in store.
pub struct Draw {
    /// Microseconds until the next draw.
    pub next_in: u64,
    /// What goes wrong now, and for which instance.
    pub fault: Option<(Kind, usize)>,
}

impl Draw {
    pub fn new(plan: &Plan, rng: &mut Rng) -> Self {
        let next_in = rng.between(plan.fault_gap / 10, plan.fault_gap * 2);
        if plan.faults.is_empty() {
            return Self { next_in, fault: None };
        }
        let kind = rng.pick(&plan.faults.clone());
        let index = usize::try_from(rng.between(0, plan.nodes as u64 - 1)).unwrap();
        Self { next_in, fault: Some((kind, index)) }
    }
}

/// For how long a process is stopped: hardly, for about a lease, or for anything up to two.
pub fn stop_span(rng: &mut Rng, lease: u64) -> u64 {
    let any = rng.between(lease / 100, lease * 2);
    rng.pick(&[lease / 20, lease / 2, lease, any])
}

/// The next fault, and when the one after it comes.
pub fn strike(world: &mut World) {
    if world.healed {
        return;
    }
    let Draw { next_in, fault } = Draw::new(&world.plan, &mut world.rng);
    world.after(next_in, Event::Fault);
    world.table.back_up();
    let Some((kind, index)) = fault else { return };
    world.report.count(kind.name());
    world.tell(|| format!("FAULT {kind:?}, node {index}"));
    match kind {
        Kind::Network
        | Kind::Stop
        | Kind::StopBeforeSend
        | Kind::StopAfterSend
        | Kind::StopAfterCheck
        | Kind::Crash
        | Kind::Shutdown => {
            at_a_process(world, kind, index);
        }
        Kind::Drift => {
            let now = world.now;
            world.nodes[index].clocks.drift(&mut world.rng, now);
        }
        Kind::WallStep => world.nodes[index].clocks.step_wall(&mut world.rng),
        Kind::Blind => {
            let to = world.rng.pick(&[Eligibility::No, Eligibility::Reluctant, Eligibility::Yes]);
            world.local_at(index, world.now, Local::Synced(to));
        }
        Kind::ForeignEpoch => world.settled.join(&world.record, world.now, &mut world.rng),
        _ => at_the_item(&mut world.table, &mut world.rng, world.plan.nodes, world.now, kind),
    }
}

fn at_a_process(world: &mut World, kind: Kind, index: usize) {
    let lease = micros(world.plan.lease());
    let span = stop_span(&mut world.rng, lease);
    match kind {
        Kind::Network => world.nodes[index].link = other_link(&mut world.rng, lease),
        Kind::Stop => stop_for(world, index, span),
        Kind::StopBeforeSend => world.nodes[index].stop_before_send = Some(span),
        // The renewal must still be unanswered when others take the lease for expired.
        Kind::StopAfterSend => world.nodes[index].stop_after_send = Some(lease + span / 4),
        Kind::StopAfterCheck => world.nodes[index].stop_after_check = Some(span),
        Kind::Crash => {
            let now = world.now;
            world.nodes[index].die();
            if world.rng.chance(30) {
                world.nodes[index].clocks.reboot(now);
            }
            let back = world.rng.between(1_000, lease * 2);
            world.after(back, Event::Start(index));
        }
        _ => world.local_at(index, world.now, Local::Terminate),
    }
}

/// From good to cut in one or both directions.
pub fn other_link(rng: &mut Rng, lease: u64) -> Link {
    let slowest_us = rng.pick(&[5_000, 50_000, lease / 10, lease / 4]);
    let share = |rng: &mut Rng| rng.pick(&[0, 0, 10, 40, 100]);
    let cut = rng.chance(25);
    Link {
        lose_request: if cut { 100 } else { share(rng) },
        lose_answer: share(rng),
        duplicate: rng.pick(&[0, 20, 60]),
        hold_back: rng.pick(&[0, 10, 40]),
        slowest_us,
    }
}

/// Somebody else changes the item.
pub fn at_the_item(table: &mut Table, rng: &mut Rng, nodes: usize, now: u64, kind: Kind) {
    match kind {
        Kind::Delete => table.edit(now, |item| *item = None),
        // Terraform's has the same version each time.
        Kind::Recreate if rng.chance(50) => {
            table.edit(now, |item| *item = Some(released(0, "initial")));
        }
        Kind::Recreate => table.edit(now, |item| *item = Some(released(0, &format!("init-{now}")))),
        Kind::Restore => table.restore(rng, now, |_| true),
        Kind::RestoreReleased => table.restore(rng, now, is_released),
        Kind::Foreign => {
            let skip = rng.chance(10);
            table.edit(now, |item| *item = Some(admirals(now, skip)));
        }
        Kind::Corrupt => {
            let (name, value) = garbage(rng);
            set(table, now, name, value);
        }
        Kind::Switchover => {
            let node = rng.between(0, nodes as u64);
            let to = if rng.chance(30) { "*".to_owned() } else { format!("node-{node}") };
            set(table, now, SWITCHOVER_TO, Attribute::S(to));
        }
        _ => {
            let paused = rng.chance(50);
            set(table, now, PAUSED, Attribute::Bool(paused));
        }
    }
}

/// What a Go Admiral puts there: the whole item, without our attributes.
fn admirals(now: u64, skip: bool) -> RawItem {
    let owner = if skip { "SKIP-LEASE-POD" } else { "admiral-a" };
    RawItem::from([
        (LEASE_NAME.to_owned(), Attribute::S("flagship".to_owned())),
        (LEASE_OWNER.to_owned(), Attribute::S(owner.to_owned())),
        (UPDATED_TIME.to_owned(), Attribute::N((1_800_000_000 + now / 1_000_000).to_string())),
        (NOTES.to_owned(), Attribute::S("x".to_owned())),
    ])
}

fn garbage(rng: &mut Rng) -> (&'static str, Attribute) {
    let garbage = [
        (EPOCH, Attribute::N("-5".to_owned())),
        (VERSION, Attribute::N("3".to_owned())),
        (INSTANCE_ID, Attribute::Other("L".to_owned())),
        (LEASE_DURATION_MS, Attribute::S("long".to_owned())),
        (LEASE_OWNER, Attribute::Bool(true)),
    ];
    let which = usize::try_from(rng.between(0, garbage.len() as u64 - 1)).unwrap();
    garbage[which].clone()
}

fn set(table: &mut Table, now: u64, name: &str, value: Attribute) {
    table.edit(now, |item| {
        if let Some(item) = item {
            item.insert(name.to_owned(), value);
        }
    });
}

/// All is put right: network, processes, views, and what only a person can undo.
pub fn heal(world: &mut World) {
    world.tell(|| "HEALED".to_owned());
    world.healed = true;
    for index in 0..world.nodes.len() {
        let node = &mut world.nodes[index];
        node.link = Link { slowest_us: 20_000, ..Link::default() };
        (node.stop_before_send, node.stop_after_send, node.stop_after_check) = (None, None, None);
        if node.stopped_until.is_some() {
            node.stopped_until = Some(world.now);
            world.at(world.now, Event::Continue(index));
        }
        world.at(world.now, Event::Start(index));
        world.local_at(index, world.now, Local::Synced(Eligibility::Yes));
    }
    heal_the_item(&mut world.table, world.now);
}

/// Undoes what only a person can.
pub fn heal_the_item(table: &mut Table, now: u64) {
    table.edit(now, |item| {
        if let Some(found) = item {
            found.remove(PAUSED);
            if found.get(LEASE_OWNER) == Some(&Attribute::S("SKIP-LEASE-POD".to_owned())) {
                *item = None;
            }
        }
    });
}

fn is_released(item: &RawItem) -> bool {
    item.get(LEASE_OWNER) == Some(&Attribute::S(String::new()))
}
