//! The whole of an instance in virtual time: the production driver, mode, gate and transport lock, on a runtime of its
//! own whose paused clock is the machine's.
//!
//! Every machine has a tokio runtime, and its timers follow the machine's own boot clock: one that is slow by a
//! hundredth really sleeps that much longer, and so do its time-outs. The world runs each up to the next event of all
//! (`world.rs`), in real time, and hands over what arrives. Timers are as exact as tokio's: a millisecond.

#[path = "whole/clock.rs"]
pub mod clock;
#[path = "whole/cluster.rs"]
pub mod cluster;
#[path = "whole/instance.rs"]
pub mod instance;
#[path = "whole/network.rs"]
pub mod network;
#[path = "whole/store.rs"]
pub mod store;
#[path = "whole/strikes.rs"]
pub mod strikes;
#[path = "whole/world.rs"]
pub mod world;
#[path = "whole/writers.rs"]
pub mod writers;
