//! Exhaustive model checking of the production state machine: not of a description of it, but of [`flagship::lease::Lease`].
//!
//! Time is discrete and without end: states that differ in nothing but when they are, or in which instance is which,
//! are one (`model/canonical.rs`), so that a check with a number of faults comes to its end. Clocks lose ticks against
//! each other up to the drift bound. What is prompt happens before time goes on; each delay, loss, stop, crash or
//! change of the item by others is a fault, and every placement of a given number of faults is tried, each with what
//! undoes it at any later time or never.
//!
//! `just model` runs the wide bounds.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "model/actions.rs"]
mod actions;
#[path = "model/canonical.rs"]
mod canonical;
#[path = "model/faults.rs"]
mod faults;
#[path = "model/state.rs"]
mod state;

use std::sync::Arc;

use stateright::{Checker, HasDiscoveries, Model, Property};

use actions::Action;
use state::{Node, Process, Since, State};

/// With nothing in the way, exactly one is active after so many ticks: an item is waited out, marked and waited out
/// again, and polls, requests and drift come on top.
const LEADER_WITHIN: u8 = 40;

/// The bounds of one check.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    nodes: usize,
    faults: u8,
    /// Ticks; 0 for no end.
    ticks: u32,
    /// All orders of what is prompt, not one.
    orders: bool,
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    /// The item was released by somebody before.
    fn init_states(&self) -> Vec<State> {
        let node =
            |index| Node { process: Arc::new(Process::new(index, 1, 0)), stopped: false, armed: false, busy_until: 0 };
        vec![State {
            real: 0,
            clocks: vec![0; self.nodes],
            nodes: (0..self.nodes).map(node).collect(),
            table: Some(Arc::new(faults::released())),
            wire: Vec::new(),
            drift_in: 0,
            faults: self.faults,
            outage: false,
            highest: (0, (usize::MAX, 0)),
            epoch_broken: false,
            stuck: false,
            leaderless: 0,
            prompt_steps: 0,
            since: None,
            shown: None,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions::possible(state, self.ticks, self.orders, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        actions::after(state, action, self.orders)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("S1: writes of at most one", |_, state: &State| state.writers() <= 1),
            Property::always("S2: no gate is open for longer than a permit", |_, state: &State| state.permits_end()),
            Property::always("S3: a gate opens above every epoch before", |_, state: &State| !state.epoch_broken),
            Property::always("L: one is active in time", |_, state: &State| state.leaderless <= LEADER_WITHIN),
            Property::always("no deadlock: no instance waits for ever, and time goes on", |_, state: &State| {
                !state.stuck && state.prompt_steps < 60
            }),
            Property::sometimes("L1: another after a crash", |_, state: &State| state.shown == Some(Since::Crash)),
            Property::sometimes("L2: another after a stop", |_, state: &State| state.shown == Some(Since::Stop)),
            Property::sometimes("L2: another after a switchover", |_, state: &State| {
                state.shown == Some(Since::Switchover)
            }),
            Property::sometimes("L3: one again after an outage of the table", |_, state: &State| {
                state.shown == Some(Since::Outage)
            }),
            Property::sometimes("L3: one again after the item was deleted", |_, state: &State| {
                state.shown == Some(Since::Deletion)
            }),
            Property::sometimes("rule 3: a holder goes on above an epoch that it sees", |_, state: &State| {
                state.shown == Some(Since::Seen)
            }),
            Property::sometimes(
                "the residual: a write leaves late after a stop behind the last check",
                |_, state: &State| state.shown == Some(Since::Residual),
            ),
        ]
    }
}

fn check(bounds: Bounds) {
    #[allow(clippy::disallowed_methods, reason = "how long the check takes is told, and decides nothing")]
    let began = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let checker = bounds.checker().threads(threads).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    println!(
        "{bounds:?}: {} states, {} of them unique, depth {}, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        began.elapsed().as_secs_f64()
    );
    let mut broken = Vec::new();
    for (name, path) in checker.discoveries() {
        let steps = path.clone().into_actions().len();
        if name.starts_with('S') || name.starts_with("L:") || name.starts_with("no deadlock") {
            broken.push(format!("{name} does not hold, after {steps} steps:\n{:?}", path.into_actions()));
        } else {
            println!("  {name}: shown in {steps} steps");
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    checker.assert_properties();
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Every placement of one fault.
#[test]
fn two_instances() {
    check(Bounds { nodes: 2, faults: 1, ticks: 0, orders: false });
}

/// With bounds of one's own; `just model` names some that take minutes.
#[test]
#[ignore = "takes minutes with its defaults"]
fn wide() {
    check(Bounds {
        nodes: setting("FLAGSHIP_MODEL_NODES", 2),
        faults: setting("FLAGSHIP_MODEL_FAULTS", 2),
        ticks: setting("FLAGSHIP_MODEL_TICKS", 0),
        orders: setting("FLAGSHIP_MODEL_ORDERS", 0_u8) > 0,
    });
}

/// States that differ in their time and in who is who have the same list; any other difference shows.
#[test]
fn only_what_matters_tells_states_apart() {
    let bounds = Bounds { nodes: 2, faults: 1, ticks: 0, orders: false };
    let early = bounds.init_states().remove(0);
    let mut late = early.clone();
    (late.real, late.clocks) = (1_000, vec![730, 412]);
    for index in 0..2 {
        // The instances change places, too.
        late.nodes[index].process = Arc::new(Process::new(1 - index, 3, late.clocks[index]));
    }
    let mut pair = (early, late);
    for step in 0..200 {
        assert!(pair.0 == pair.1, "step {step}");
        let mut actions = Vec::new();
        bounds.actions(&pair.0, &mut actions);
        let action = actions[step % 3 % actions.len()];
        pair = (bounds.next_state(&pair.0, action).unwrap(), bounds.next_state(&pair.1, action).unwrap());
        let mut other = pair.0.clone();
        other.clocks[0] += 1;
        assert!(pair.0 != other, "a clock that is ahead, step {step}");
        let mut other = pair.0.clone();
        other.nodes[0].stopped ^= true;
        assert!(pair.0 != other, "a process that is stopped, step {step}");
    }
}
