//! Faults on real processes: kind by kind, under continuous changes of workloads, judged by what the API servers
//! recorded. Prints a table; run with `--nocapture` to see it.
//!
//! FLAGSHIP_ROUNDS (1), FLAGSHIP_SIDE_BY_SIDE (6 worlds), FLAGSHIP_KINDS (parts of the names that are wanted: a,b),
//! FLAGSHIP_PROCESSES (10, of those that start at once).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/dynamodb.rs"]
mod dynamodb;
#[path = "support/servers.rs"]
mod servers;

/// The harness of tests/process.rs.
#[allow(dead_code, reason = "a part of it is for the tests there")]
#[path = "process"]
mod process {
    pub mod audit;
    pub mod epochs;
    pub mod figures;
    pub mod instance;
    pub mod kube_api;
    pub mod load;
    pub mod pair;
    pub mod poll;
    pub mod proxy;
    pub mod workload;
    pub mod world;
}

mod faults {
    pub mod checker;
    pub mod desired;
    pub mod firewall;
    pub mod injector;
    pub mod kinds;
    pub mod record;
    pub mod requests;
    pub mod round;
    pub mod scene;
    pub mod seat;
    pub mod table;
    pub mod wall_clock;

    mod all;
    mod judges;
    mod long_run;
    mod starts;
}
