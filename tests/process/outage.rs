//! An outage of the lease table that is shorter than the lease.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::pair::Pair;
use super::poll::{ACTIVE, PASSIVE};
use super::proxy::Way;
use super::world::with_world;

/// A slow, resetting or closing way to the table moves nothing as long as a renewal succeeds in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_outage() {
    with_world(|world| async move {
        let pair = Pair::start(&world).await;
        let (begun, epoch) = (Instant::now(), pair.active().instance.epoch().await);
        let seconds = Duration::from_secs;
        for (way, span) in
            [(Way::Delay(Duration::from_millis(200)), 5), (Way::Reset, 4), (Way::Pass, 3), (Way::Drop, 4)]
        {
            pair.active().proxy.set(way);
            sleep(seconds(span)).await;
        }
        pair.active().proxy.set(Way::Pass);
        sleep(seconds(4)).await;
        for (seat, always) in [(pair.active(), ACTIVE), (pair.standby(), PASSIVE)] {
            let samples = seat.poller.between(begun, Instant::now());
            let other = samples.iter().find(|sample| sample.answer.is_some() && sample.answer != always);
            assert!(other.is_none(), "{} changed: {other:?}", seat.instance.name);
            assert!(samples.len() > 200, "only {} samples", samples.len());
        }
        assert_eq!(pair.active().instance.epoch().await, epoch);
        let failures = pair.active().instance.status().await["checker"]["storeFailures"].as_u64();
        assert!(failures > Some(0), "the outage was not felt");
    })
    .await;
}
