//! What an operator sees: real `flagship run` processes, a real DynamoDB engine, real API servers, and faults that
//! happen to them. Figures are printed; run with `--nocapture` to see them.
//!
//! Longer runs for the record: FLAGSHIP_ROUNDS (1), FLAGSHIP_WORKLOADS (100), FLAGSHIP_QUIET_S (5), FLAGSHIP_RAW (0; 1
//! measures the raw write rate of the API servers too).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/contract.rs"]
mod contract;
#[path = "support/dynamodb.rs"]
mod dynamodb;
#[path = "support/servers.rs"]
mod servers;

/// The harness first, the tests below.
#[allow(dead_code, reason = "a part of it is for tests/faults.rs")]
mod process {
    pub mod audit;
    pub mod counts;
    pub mod epochs;
    pub mod figures;
    pub mod instance;
    pub mod kube_api;
    pub mod load;
    pub mod pair;
    pub mod poll;
    pub mod proxy;
    pub mod raw;
    pub mod workload;
    pub mod world;

    mod bad_input;
    mod events;
    mod failover;
    mod foreign_epoch;
    mod lost_lease;
    mod outage;
    mod refusal;
    mod status;
    mod steady;
}
