//! What can happen in a state. What is prompt happens before the clock ticks; every delay is a fault, and all ways
//! to place a number of faults are tried.

use flagship::lease::record::{Attribute, LEASE_OWNER, PAUSED, SWITCHOVER_TO, UPDATED_TIME, VERSION};
use flagship::lease::{Outcome, RawItem, Step};
use flagship::store::memory::apply;

use super::state::{DRIFT_EVERY, Doing, Message, Node, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    // Prompt.
    Poll(usize),
    Serve(usize),
    Take(usize),
    GiveUp(usize),
    Drained(usize),
    // Time.
    Tick,
    /// All clocks tick but this one.
    TickBut(usize),
    // Free, at any time after the fault that it belongs to.
    Continue(usize),
    ServeHeld(usize),
    // Faults.
    Stop(usize),
    Hold(usize),
    Duplicate(usize),
    LoseAnswer(usize),
    Crash(usize),
    Terminate(usize),
    Delete,
    Recreate,
    Foreign,
    Corrupt,
    Switchover(usize),
    SetPaused(bool),
}

/// All that can happen next.
///
/// Prompt steps of one tick commute but for races, which the faults bring about: unless `orders` is set, only the
/// first of them is tried.
pub fn possible(state: &State, horizon: u8, orders: bool, actions: &mut Vec<Action>) {
    let before = actions.len();
    for (index, node) in state.nodes.iter().enumerate().filter(|(_, node)| !node.stopped) {
        match &node.doing {
            Doing::Sleeping(until) if *until <= node.clock => actions.push(Action::Poll(index)),
            Doing::Draining => actions.push(Action::Drained(index)),
            Doing::Requesting(_, until) => {
                if node.answer.is_some() {
                    actions.push(Action::Take(index));
                }
                if *until <= node.clock {
                    actions.push(Action::GiveUp(index));
                }
            }
            _ => {}
        }
    }
    let prompt = |(_, message): &(usize, &Message)| !message.held;
    actions.extend(state.wire.iter().enumerate().filter(prompt).map(|(at, _)| Action::Serve(at)));
    let quiet = actions.len() == before;
    if !orders {
        actions.truncate(before + 1);
    }
    if quiet && state.real < horizon {
        actions.push(Action::Tick);
        if state.drift_in == 0 {
            actions.extend((0..state.nodes.len()).map(Action::TickBut));
        }
    }
    let held = |(_, message): &(usize, &Message)| message.held;
    actions.extend(state.wire.iter().enumerate().filter(held).map(|(at, _)| Action::ServeHeld(at)));
    actions.extend((0..state.nodes.len()).filter(|index| state.nodes[*index].stopped).map(Action::Continue));
    if state.faults > 0 {
        faults(state, quiet, actions);
    }
}

fn faults(state: &State, quiet: bool, actions: &mut Vec<Action>) {
    for (at, _) in state.wire.iter().enumerate().filter(|(_, message)| !message.held) {
        actions.extend([Action::Hold(at), Action::Duplicate(at)]);
    }
    for (index, node) in state.nodes.iter().enumerate() {
        if !node.stopped {
            actions.push(Action::Stop(index));
            actions.extend(node.answer.is_some().then_some(Action::LoseAnswer(index)));
        }
        // Between two ticks the order of the rest matters little: they come when all else is done.
        if quiet {
            actions.extend([Action::Crash(index), Action::Terminate(index)]);
            actions.extend(state.table.is_some().then_some(Action::Switchover(index)));
        }
    }
    if quiet && state.table.is_some() {
        actions.extend([Action::Delete, Action::Recreate, Action::Foreign, Action::Corrupt]);
        let paused = state.table.as_ref().is_some_and(|item| item.get(PAUSED) == Some(&Attribute::Bool(true)));
        actions.push(Action::SetPaused(!paused));
    }
}

/// What becomes of `state`; `None` where nothing changes.
pub fn after(state: &State, action: Action) -> Option<State> {
    let mut next = state.clone();
    match action {
        Action::Poll(index) => poll(&mut next, index),
        Action::Serve(at) | Action::ServeHeld(at) => serve(&mut next, at),
        Action::Take(index) => {
            let (id, outcome) = next.nodes[index].answer.take()?;
            take(&mut next, index, id, outcome);
        }
        Action::GiveUp(index) => {
            let Doing::Requesting(id, _) = next.nodes[index].doing else { return None };
            take(&mut next, index, id, Outcome::Unknown(String::new()));
        }
        Action::Drained(index) => {
            let now = next.nodes[index].now(next.real);
            next.nodes[index].lease.on_drained(now);
            next.nodes[index].doing = Doing::Sleeping(0);
        }
        Action::Tick => tick(&mut next, None),
        Action::TickBut(index) => tick(&mut next, Some(index)),
        Action::Continue(index) => next.nodes[index].stopped = false,
        fault => {
            next.faults -= 1;
            strike(&mut next, fault)?;
        }
    }
    next.note_epochs();
    Some(next)
}

fn tick(state: &mut State, but: Option<usize>) {
    state.real += 1;
    state.drift_in = if but.is_some() { DRIFT_EVERY } else { state.drift_in.saturating_sub(1) };
    for (index, node) in state.nodes.iter_mut().enumerate() {
        node.clock += u64::from(but != Some(index));
    }
}

/// One turn of the driver's loop.
fn poll(state: &mut State, index: usize) {
    let real = state.real;
    let node = &mut state.nodes[index];
    let nonce = format!("{index}.{}-{}", node.incarnation, node.nonces);
    let step = node.lease.poll(node.now(real), &nonce);
    node.lease.take_notices();
    match step {
        Step::Wait(until) => {
            let until = Node::ticks(until);
            // The longest rule: a foreign threshold and its margin.
            state.stuck |= until > node.clock + 20;
            node.doing = Doing::Sleeping(until.max(node.clock + 1));
        }
        Step::Drain(_) => node.doing = Doing::Draining,
        Step::Done => node.doing = Doing::Ended,
        Step::Request(request) => {
            node.nonces += u8::from(matches!(request.kind, flagship::lease::RequestKind::Write(_)));
            node.doing = Doing::Requesting(request.id, node.clock + 1);
            let from = (index, node.incarnation);
            state.wire.push(Message { from, id: request.id, kind: request.kind, held: false });
        }
    }
}

fn serve(state: &mut State, at: usize) {
    let message = state.wire.remove(at);
    let outcome = apply(&mut state.table, "l", &message.kind);
    let node = &mut state.nodes[message.from.0];
    let awaited = matches!(node.doing, Doing::Requesting(id, _) if id == message.id);
    if awaited && node.incarnation == message.from.1 && node.answer.is_none() {
        node.answer = Some((message.id, outcome));
    }
}

fn take(state: &mut State, index: usize, id: u64, outcome: Outcome) {
    let node = &mut state.nodes[index];
    node.answer = None;
    let now = node.now(state.real);
    node.lease.on_outcome(id, now, outcome);
    node.lease.take_notices();
    node.doing = Doing::Sleeping(0);
}

fn strike(state: &mut State, fault: Action) -> Option<()> {
    let real = state.real;
    match fault {
        Action::Stop(index) => state.nodes[index].stopped = true,
        Action::Hold(at) => state.wire[at].held = true,
        Action::Duplicate(at) => {
            let copy = Message { held: true, ..state.wire[at].clone() };
            state.wire.push(copy);
        }
        Action::LoseAnswer(index) => state.nodes[index].answer = None,
        Action::Crash(index) => {
            let node = &state.nodes[index];
            state.crashed_active |= node.open(real).is_some();
            state.nodes[index] = Node::new(index, node.incarnation + 1, node.clock);
        }
        Action::Terminate(index) => {
            state.stopped_active |= state.nodes[index].open(real).is_some();
            let node = &mut state.nodes[index];
            node.lease.stop();
            if let Doing::Sleeping(_) = node.doing {
                node.doing = Doing::Sleeping(0);
            }
        }
        Action::Delete => {
            state.deleted = true;
            state.table = None;
        }
        Action::Recreate => state.table = Some(made_anew()),
        Action::Foreign => {
            let owner = (LEASE_OWNER.to_owned(), Attribute::S("admiral".to_owned()));
            let time = (UPDATED_TIME.to_owned(), Attribute::N(real.to_string()));
            state.table = Some(RawItem::from([owner, time]));
        }
        Action::Corrupt => set(state, "epoch", Attribute::N("-5".to_owned()))?,
        Action::Switchover(index) => set(state, SWITCHOVER_TO, Attribute::S(format!("n{index}")))?,
        Action::SetPaused(paused) => set(state, PAUSED, Attribute::Bool(paused))?,
        _ => return None,
    }
    Some(())
}

fn set(state: &mut State, name: &str, value: Attribute) -> Option<()> {
    state.table.as_mut()?.insert(name.to_owned(), value);
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
