//! How fast a standby takes over.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::figures::{any_phase, report, rounds};
use super::pair::{LEASE, MARGIN, POLL, Pair, SLACK};
use super::world::with_world;

/// How long an instance that is told to stop may take when nothing is stuck.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// Promise L1: after a crash of the active the standby is active within lease + margin + poll + one write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crash() {
    with_world(|world| async move {
        let mut pair = Pair::start(&world).await;
        let mut figures = Vec::new();
        for round in 0..rounds() {
            if round > 0 {
                pair.replace_standby().await;
            }
            sleep(any_phase()).await;
            let killed = Instant::now();
            pair.active().instance.signal(Signal::KILL);
            figures.push(pair.takeover(killed, LEASE + MARGIN + POLL + SLACK).await);
            pair.swap();
        }
        report("crash failover", figures);
    })
    .await;
}

/// Promise L2: after SIGTERM the standby is active within one poll + one write, and the process ends well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn graceful() {
    with_world(|world| async move {
        let mut pair = Pair::start(&world).await;
        let (mut figures, mut exits) = (Vec::new(), Vec::new());
        for round in 0..rounds() {
            if round > 0 {
                pair.replace_standby().await;
            }
            sleep(any_phase()).await;
            let told = Instant::now();
            pair.active().instance.signal(Signal::TERM);
            figures.push(pair.takeover(told, POLL + SLACK).await);
            let at = pair.active;
            let status = pair.seats[at].instance.exit(ENDS_WITHIN).await;
            exits.push(told.elapsed());
            assert!(status.success(), "after SIGTERM it ended with {status}");
            pair.swap();
        }
        report("graceful failover", figures);
        report("signal to exit, at most", exits);
    })
    .await;
}
