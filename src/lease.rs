//! The lease protocol: who may write, decided by conditional writes to one item. Pure.
//!
//! Invariants (design promises S1 and S3, under a linearizable table and bounded clock-rate drift):
//! a permit ends, on the holder's clock, before any observer takes the lease for expired, on its own; and the
//! epoch of every change of holder is higher than all epochs that this instance has seen.
//!
//! What it does not know: the network, the database, time (it is handed in), randomness (nonces are handed in),
//! the clusters. What it does not promise: that a process paused between the gate and the packet writes nothing;
//! only the fence inside a cluster can refuse that.

pub mod config;
pub mod message;
mod outcome;
pub mod permit;
pub mod protocol;
pub mod record;
mod role;
mod sent;
mod sighting;
mod writes;

pub use config::{ConfigError, LeaseConfig, Timings};
pub use message::{Notice, Outcome, Purpose, Request, RequestKind, Step, Write};
pub use permit::Permit;
pub use protocol::{Eligibility, Identity, Lease, Now};
pub use record::{Attribute, Expect, Item, LeaseRecord, RawItem};
