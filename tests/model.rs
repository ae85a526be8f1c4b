//! Exhaustive model checking of the production state machine: not of a description of it, but of [`flagship::lease::Lease`].
//!
//! Time is discrete and bounded; clocks lose ticks against each other up to the drift bound. What is prompt happens
//! before time goes on, in every order; each delay, loss, stop, crash or change of the item by others is a fault, and
//! every placement of a given number of faults is tried. `FLAGSHIP_MODEL_TICKS` and `FLAGSHIP_MODEL_FAULTS` set the
//! bounds (`just model` uses larger ones).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "model/actions.rs"]
mod actions;
#[path = "model/state.rs"]
mod state;

use stateright::{Checker, Model, Property};

use actions::Action;
use state::{Node, State};

/// The bounds of one check.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    nodes: usize,
    ticks: u8,
    faults: u8,
    /// All orders of what is prompt, not one.
    orders: bool,
}

impl Model for Bounds {
    type State = State;
    type Action = Action;

    /// The first instance holds the lease, or is about to: what comes before is a prompt claim.
    fn init_states(&self) -> Vec<State> {
        let mut item = actions::made_anew();
        item.insert("version".to_owned(), flagship::lease::Attribute::S("v".to_owned()));
        item.insert("epoch".to_owned(), flagship::lease::Attribute::N("7".to_owned()));
        vec![State {
            real: 0,
            nodes: (0..self.nodes).map(|index| Node::new(index, 1, 0)).collect(),
            table: Some(item),
            wire: Vec::new(),
            drift_in: 0,
            faults: self.faults,
            highest: (0, (usize::MAX, 0)),
            epoch_broken: false,
            stuck: false,
            crashed_active: false,
            stopped_active: false,
            deleted: false,
            takeovers: 0,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions::possible(state, self.ticks, self.orders, actions);
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        actions::after(state, action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("S1: at most one gate is open", |_, state: &State| state.open().count() <= 1),
            Property::always("S3: a gate opens above every epoch before", |_, state: &State| !state.epoch_broken),
            Property::always("no instance waits for ever", |_, state: &State| !state.stuck),
            Property::sometimes("L1: another after a crash", |_, state: &State| {
                state.crashed_active && state.takeovers > 0 && state.open().count() == 1
            }),
            Property::sometimes("L2: another after a stop", |_, state: &State| {
                state.stopped_active && state.takeovers > 0 && state.open().count() == 1
            }),
            Property::sometimes("L3: one again after the item was deleted", |_, state: &State| {
                state.deleted && state.takeovers > 0 && state.open().count() == 1
            }),
        ]
    }
}

fn check(bounds: Bounds) {
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let checker = bounds.checker().threads(threads).spawn_bfs().join();
    println!(
        "{bounds:?}: {} states, {} of them unique, depth {}",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    for (name, path) in checker.discoveries() {
        if name.starts_with('L') {
            println!("{name}: shown in {} steps", path.into_actions().len());
        } else {
            panic!("{name} does not hold:\n{:#?}", path.into_actions());
        }
    }
    checker.assert_properties();
}

fn setting(name: &str, default: u8) -> u8 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn two_instances() {
    let (ticks, faults) = (setting("FLAGSHIP_MODEL_TICKS", 12), setting("FLAGSHIP_MODEL_FAULTS", 1));
    check(Bounds { nodes: 2, ticks, faults, orders: setting("FLAGSHIP_MODEL_ORDERS", 0) > 0 });
}
