//! What may go wrong, at any point: also between two prompt steps.

use std::sync::Arc;

use flagship::lease::record::{Attribute, LEASE_OWNER, SWITCHOVER_TO, UPDATED_TIME, VERSION};
use flagship::lease::{RawItem, RequestKind};

use super::actions::Action;
use super::state::{Doing, FIRST_EPOCH, Message, Since, State, TICK, WRITE};

pub fn possible(state: &State, actions: &mut Vec<Action>) {
    for (at, message) in state.wire.iter().enumerate().filter(|(_, message)| !message.held) {
        // A read that comes late or twice changes nothing but that its answer is lost.
        if matches!(message.kind, RequestKind::Write(_)) {
            actions.extend([Action::Hold(at), Action::Duplicate(at)]);
        }
    }
    for (index, node) in state.nodes.iter().enumerate().filter(|(_, node)| node.process.is_running()) {
        if !node.stopped {
            actions.push(Action::Stop(index));
            actions.extend(node.process.answer.is_some().then_some(Action::LoseAnswer(index)));
            actions.extend([Action::Terminate(index), Action::SeesEpoch(index)]);
        }
        actions.push(Action::Crash(index));
        actions.extend(state.table.is_some().then_some(Action::Switchover(index)));
    }
    actions.extend((!state.outage).then_some(Action::Outage));
    if state.table.is_some() {
        actions.extend([Action::Delete, Action::Recreate, Action::Foreign, Action::Corrupt]);
        actions.push(Action::SetPaused(!state.is_paused()));
    }
}

pub fn strike(state: &mut State, fault: Action) -> Option<()> {
    match fault {
        Action::Stop(index) => {
            let now = state.now(index).boot;
            let covers = |permit: flagship::lease::Permit| permit.covers(now, TICK * WRITE);
            state.nodes[index].armed = state.permit(index).is_some_and(covers);
            state.nodes[index].stopped = true;
        }
        Action::Hold(at) => {
            let held = Message { held: true, ..(*state.wire.remove(at)).clone() };
            state.send(held);
        }
        Action::Duplicate(at) => {
            let copy = Message { held: true, ..(*state.wire[at]).clone() };
            state.send(copy);
        }
        Action::LoseAnswer(index) => state.process(index).answer = None,
        Action::Crash(index) => {
            if state.permit(index).is_some() {
                state.since = Some(Since::Crash);
            }
            let process = state.process(index);
            (process.doing, process.answer) = (Doing::Down, None);
            (state.nodes[index].stopped, state.nodes[index].armed) = (false, false);
        }
        Action::Terminate(index) => {
            if state.permit(index).is_some() {
                state.since = Some(Since::Stop);
            }
            let clock = state.clocks[index];
            let process = state.process(index);
            process.lease.stop();
            if let Doing::Sleeping(_) = process.doing {
                process.doing = Doing::Sleeping(clock);
            }
        }
        Action::SeesEpoch(index) => {
            if state.permit(index).is_some() {
                state.since = Some(Since::Seen);
            }
            let seen = state.highest.0.max(FIRST_EPOCH) + 2;
            state.process(index).lease.raise_epoch_floor(seen);
        }
        Action::Outage => state.outage = true,
        _ => at_the_item(state, fault)?,
    }
    Some(())
}

fn at_the_item(state: &mut State, fault: Action) -> Option<()> {
    let once = state.faults;
    match fault {
        Action::Delete => {
            state.since = Some(Since::Deletion);
            state.table = None;
        }
        Action::Recreate => state.table = Some(Arc::new(made_anew())),
        Action::Foreign => {
            let owner = (LEASE_OWNER.to_owned(), Attribute::S("admiral".to_owned()));
            let time = (UPDATED_TIME.to_owned(), Attribute::N(format!("%{once}")));
            state.table = Some(Arc::new(RawItem::from([owner, time])));
        }
        Action::Corrupt => set(state, "epoch", Attribute::N("-5".to_owned()))?,
        Action::Switchover(index) => set(state, SWITCHOVER_TO, Attribute::S(format!("%{index}")))?,
        Action::SetPaused(paused) => set(state, "paused", Attribute::Bool(paused))?,
        _ => return None,
    }
    Some(())
}

fn set(state: &mut State, name: &str, value: Attribute) -> Option<()> {
    Arc::make_mut(state.table.as_mut()?).insert(name.to_owned(), value);
    Some(())
}

/// The item as Terraform makes it.
pub fn made_anew() -> RawItem {
    RawItem::from([
        (LEASE_OWNER.to_owned(), Attribute::S(String::new())),
        (VERSION.to_owned(), Attribute::S("initial".to_owned())),
        ("epoch".to_owned(), Attribute::N("0".to_owned())),
    ])
}

/// Released by somebody before.
pub fn released() -> RawItem {
    let mut item = made_anew();
    item.insert(VERSION.to_owned(), Attribute::S("%v".to_owned()));
    item.insert("epoch".to_owned(), Attribute::N(FIRST_EPOCH.to_string()));
    item
}
