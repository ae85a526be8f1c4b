//! Every kind of fault.

use super::kinds::{CLOCK_KINDS, KINDS, PACKET_KINDS};
use super::record::play_all;

/// Promises S1-S3, L1-L3, M2: whatever fails, writes of two epochs never interleave, nothing is lost, and
/// afterwards exactly one is active.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn every_kind() {
    play_all(KINDS).await;
}

/// Rule 7 and S1: a wall clock that jumps takes the lease from nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "needs libfaketime: `just faults-wall-clock`"]
async fn wall_clock() {
    play_all(CLOCK_KINDS).await;
}

/// L3, S1: as the peer was measured, at the default timings.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
#[ignore = "needs root and iptables: `just faults-packets`"]
async fn packets() {
    play_all(PACKET_KINDS).await;
}
