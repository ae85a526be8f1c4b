//! Why a service is, or is not, where somebody looks for it: from the plan, over HTTP, by the program.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests are tests too"
)]

#[path = "explain/binary.rs"]
mod binary;
#[path = "explain/mesh.rs"]
mod mesh;
#[path = "explain/reasons.rs"]
mod reasons;
