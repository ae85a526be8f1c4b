//! What can happen in a state. What is prompt happens before the clock ticks; every delay is a fault, and all ways
//! to place a number of faults are tried.

use std::sync::Arc;

use flagship::lease::record::{Attribute, PAUSED, SWITCHOVER_TO};
use flagship::lease::{Outcome, RequestKind, Step};
use flagship::store::memory::apply;

use super::faults;
use super::state::{DRIFT_EVERY, Doing, Message, Process, Since, State};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    // Prompt.
    Poll(usize),
    Serve(usize),
    Take(usize),
    GiveUp(usize),
    // Time.
    Tick,
    /// All clocks tick but this one.
    TickBut(usize),
    // Free, at any time after the fault that it belongs to.
    Continue(usize),
    Restart(usize),
    ServeHeld(usize),
    EndOutage,
    /// The last write under way has ended; prompt once it must have.
    Drained(usize),
    // Faults.
    Stop(usize),
    Hold(usize),
    Duplicate(usize),
    LoseAnswer(usize),
    Crash(usize),
    Terminate(usize),
    Outage,
    Delete,
    Recreate,
    Foreign,
    Corrupt,
    Switchover(usize),
    SetPaused(bool),
    /// An instance sees a higher epoch in a cluster than any that was written.
    SeesEpoch(usize),
}

/// All that can happen next.
///
/// Prompt steps of one tick commute but for races at the table, whose other orders a held request or a stop bring
/// about: unless `orders` is set, only the first of them is tried, and before it only what it does not commute with.
pub fn possible(state: &State, horizon: u32, orders: bool, actions: &mut Vec<Action>) {
    let before = actions.len();
    for (index, node) in state.nodes.iter().enumerate().filter(|(_, node)| !node.stopped) {
        let clock = state.clocks[index];
        match &node.process.doing {
            Doing::Sleeping(until) if *until <= clock => actions.push(Action::Poll(index)),
            Doing::Draining(by) if *by.min(&node.busy_until) <= clock => actions.push(Action::Drained(index)),
            Doing::Requesting(..) if node.process.answer.is_some() => actions.push(Action::Take(index)),
            Doing::Requesting(_, until) if *until <= clock => actions.push(Action::GiveUp(index)),
            _ => {}
        }
    }
    let prompt = |(_, message): &(usize, &Arc<Message>)| !message.held;
    actions.extend(state.wire.iter().enumerate().filter(prompt).map(|(at, _)| Action::Serve(at)));
    let next = actions.get(before).copied().filter(|_| !orders);
    if next.is_some() {
        actions.truncate(before + 1);
    }
    if actions.len() == before && (horizon == 0 || state.real < horizon) {
        actions.push(Action::Tick);
        if state.drift_in == 0 {
            actions.extend((0..state.nodes.len()).map(Action::TickBut));
        }
    }
    let mut others = Vec::new();
    free(state, &mut others);
    if state.faults > 0 {
        faults::possible(state, &mut others);
    }
    others.retain(|other| next.is_none_or(|next| must_be_tried_before(state, next, *other)));
    actions.append(&mut others);
}

/// Whether it makes a difference that `other` happens before the prompt step `next` and not after it. Steps that touch
/// nothing in common lead to the same state in both orders, and one order is enough.
fn must_be_tried_before(state: &State, next: Action, other: Action) -> bool {
    let (actor, served) = match next {
        Action::Poll(index) | Action::Take(index) | Action::GiveUp(index) | Action::Drained(index) => {
            (Some(index), None)
        }
        Action::Serve(at) => (None, Some(at)),
        _ => return true,
    };
    match other {
        // What is ready in the same tick as others may be the first.
        Action::Continue(_) | Action::Restart(_) => state.prompt_steps == 0,
        // A stop or crash of the sender does not hinder a request that has left.
        Action::Stop(index)
        | Action::Crash(index)
        | Action::Terminate(index)
        | Action::LoseAnswer(index)
        | Action::SeesEpoch(index) => actor == Some(index),
        Action::Drained(index) => actor == Some(index),
        Action::Hold(at) | Action::Duplicate(at) => served == Some(at),
        // The table, and the answer to who may be about to give up.
        Action::ServeHeld(at) => served.is_some() || actor == Some(state.wire[at].from.0),
        _ => served.is_some(),
    }
}

fn free(state: &State, actions: &mut Vec<Action>) {
    let held = |(_, message): &(usize, &Arc<Message>)| message.held;
    actions.extend(state.wire.iter().enumerate().filter(held).map(|(at, _)| Action::ServeHeld(at)));
    actions.extend(state.outage.then_some(Action::EndOutage));
    for (index, node) in state.nodes.iter().enumerate() {
        match node.process.doing {
            _ if node.stopped => actions.push(Action::Continue(index)),
            Doing::Down | Doing::Ended => actions.push(Action::Restart(index)),
            Doing::Draining(by) if by.min(node.busy_until) > state.clocks[index] => {
                actions.push(Action::Drained(index));
            }
            _ => {}
        }
    }
}

/// What becomes of `state`; `None` where nothing changes.
///
/// With no fault left and nothing held up, what is prompt is carried through to the end: nothing can come between.
pub fn after(state: &State, action: Action, orders: bool) -> Option<State> {
    let mut next = step(state, action)?;
    let mut choices = Vec::new();
    while next.faults == 0 && !orders && next.shown.is_none() && next.is_sound() {
        choices.clear();
        possible(&next, 0, true, &mut choices);
        let is_prompt = |choice: &Action| {
            matches!(choice, Action::Poll(_) | Action::Serve(_) | Action::Take(_) | Action::GiveUp(_))
        };
        if choices.is_empty() || !choices.iter().all(is_prompt) {
            break;
        }
        next = step(&next, choices[0])?;
    }
    Some(next)
}

fn step(state: &State, action: Action) -> Option<State> {
    let mut next = state.clone();
    next.shown = None;
    let mut disturbed = true;
    match action {
        Action::Poll(_) | Action::Serve(_) | Action::Take(_) | Action::GiveUp(_) | Action::Drained(_) => {
            next.prompt_steps = next.prompt_steps.saturating_add(1);
            prompt(&mut next, action)?;
            disturbed = false;
        }
        Action::Tick => tick(&mut next, None),
        Action::TickBut(index) => tick(&mut next, Some(index)),
        Action::Continue(index) => go_on(&mut next, index),
        Action::Restart(index) => {
            let incarnation = next.nodes[index].process.incarnation + 1;
            next.nodes[index].process = Arc::new(Process::new(index, incarnation, next.clocks[index]));
        }
        Action::ServeHeld(at) => serve(&mut next, at),
        Action::EndOutage => {
            next.outage = false;
            let nobody = next.open().count() == 0;
            next.since = nobody.then_some(Since::Outage);
        }
        fault => {
            next.faults -= 1;
            faults::strike(&mut next, fault)?;
        }
    }
    let is_tick = matches!(action, Action::Tick | Action::TickBut(_));
    next.note_epochs();
    next.note_writes();
    next.forget();
    if (disturbed && !is_tick) || next.is_excused() || next.open().count() == 1 {
        next.leaderless = 0;
    } else if is_tick {
        next.leaderless = next.leaderless.saturating_add(1).min(60);
    }
    Some(next)
}

fn prompt(state: &mut State, action: Action) -> Option<()> {
    match action {
        Action::Poll(index) => poll(state, index),
        Action::Serve(at) => serve(state, at),
        Action::Take(index) => {
            let (id, outcome) = state.process(index).answer.take()?;
            take(state, index, id, outcome);
        }
        Action::GiveUp(index) => {
            let Doing::Requesting(id, _) = state.nodes[index].process.doing else { return None };
            take(state, index, id, Outcome::Unknown(String::new()));
        }
        Action::Drained(index) => {
            // Whatever was under way has ended, or the permit has.
            let clock = state.clocks[index];
            let Doing::Draining(by) = state.nodes[index].process.doing else { return None };
            if clock < by {
                state.nodes[index].busy_until = clock;
            }
            let now = state.now(index);
            let process = state.process(index);
            process.lease.on_drained(now);
            process.doing = Doing::Sleeping(clock);
        }
        _ => return None,
    }
    Some(())
}

fn tick(state: &mut State, but: Option<usize>) {
    state.real += 1;
    state.prompt_steps = 0;
    // In the first of so many ticks one clock, or none, stands still.
    state.drift_in = state.drift_in.checked_sub(1).unwrap_or(DRIFT_EVERY - 1);
    for (index, clock) in state.clocks.iter_mut().enumerate() {
        *clock += u64::from(but != Some(index));
    }
}

/// One turn of the driver's loop.
fn poll(state: &mut State, index: usize) {
    let (now, clock) = (state.now(index), state.clocks[index]);
    let process = state.process(index);
    let nonce = format!("%{index}.{}-{}", process.incarnation, process.nonces);
    let step = process.lease.poll(now, &nonce);
    process.lease.take_notices();
    match step {
        Step::Wait(until) => {
            let until = State::ticks(until);
            process.doing = Doing::Sleeping(until.max(clock + 1));
            // The longest rule: a foreign threshold and its margin.
            state.stuck |= until > clock + 20;
        }
        Step::Drain(by) => process.doing = Doing::Draining(State::ticks(by)),
        Step::Done => process.doing = Doing::Ended,
        Step::Request(request) => {
            process.nonces += u32::from(matches!(request.kind, RequestKind::Write(_)));
            process.last_id = request.id;
            process.doing = Doing::Requesting(request.id, clock + 1);
            let from = (index, process.incarnation);
            state.send(Message { from, id: request.id, kind: request.kind, held: false });
        }
    }
}

fn serve(state: &mut State, at: usize) {
    let message = state.wire.remove(at);
    if state.outage && !message.held {
        return;
    }
    let mut table = state.table.take().map(|item| (*item).clone());
    let outcome = apply(&mut table, "l", &message.kind);
    state.table = table.map(Arc::new);
    if state.awaits(&message) {
        state.process(message.from.0).answer = Some((message.id, outcome));
    }
}

fn take(state: &mut State, index: usize, id: u64, outcome: Outcome) {
    let (now, clock) = (state.now(index), state.clocks[index]);
    let was_active = state.permit(index).is_some();
    let process = state.process(index);
    process.answer = None;
    process.lease.on_outcome(id, now, outcome);
    process.lease.take_notices();
    process.doing = Doing::Sleeping(clock);
    let addressed = state.table.as_ref().is_some_and(|item| item.contains_key(SWITCHOVER_TO));
    if was_active && addressed && state.permit(index).is_none() {
        state.since = Some(Since::Switchover);
    }
}

/// A write that had passed the gate's last check when the process was stopped leaves now.
fn go_on(state: &mut State, index: usize) {
    let node = &mut state.nodes[index];
    node.stopped = false;
    if std::mem::take(&mut node.armed) && state.highest.1 != (index, state.nodes[index].process.incarnation) {
        state.shown = Some(Since::Residual);
    }
}

impl State {
    pub fn send(&mut self, message: Message) {
        let key = |message: &Message| (message.from, message.id, message.held);
        let at = self.wire.partition_point(|other| key(other) <= key(&message));
        self.wire.insert(at, Arc::new(message));
    }

    /// Takes away requests that can change nothing any more: nobody waits for the answer, and it is a read, or a write
    /// conditioned on a version that is not there and that no request can bring back.
    pub fn forget(&mut self) {
        let (wire, table) = (std::mem::take(&mut self.wire), self.table.clone());
        let shown = |version: &str| {
            // The item that Terraform makes has the same one each time.
            version == "initial"
                || table.as_ref().is_some_and(|item| is_version(item.get("version"), version))
                || wire.iter().any(|other| match &other.kind {
                    RequestKind::Write(write) => is_version(write.set.get("version"), version),
                    RequestKind::Read => false,
                })
        };
        let matters = |message: &Message| match &message.kind {
            _ if self.awaits(message) || !message.held => true,
            RequestKind::Read => false,
            RequestKind::Write(write) => match &write.expect {
                flagship::lease::Expect::Version { version, .. } => shown(version),
                _ => true,
            },
        };
        self.wire = wire.iter().filter(|message| matters(message)).cloned().collect();
    }

    /// Whether every property that must always hold does.
    pub fn is_sound(&self) -> bool {
        self.writers() <= 1 && self.permits_end() && !self.epoch_broken && !self.stuck && self.prompt_steps < 60
    }

    /// S2: no permit reaches further than one that is granted now.
    pub fn permits_end(&self) -> bool {
        let lasts = super::state::config().permit_duration();
        let ends = |index| self.permit(index).is_none_or(|permit| permit.deadline <= self.now(index).boot + lasts);
        (0..self.nodes.len()).all(ends)
    }

    pub fn is_paused(&self) -> bool {
        self.table.as_ref().is_some_and(|item| item.get(PAUSED) == Some(&Attribute::Bool(true)))
    }
}

fn is_version(found: Option<&Attribute>, version: &str) -> bool {
    matches!(found, Some(Attribute::S(found)) if found == version)
}
