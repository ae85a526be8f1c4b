//! Many that start at once. Real processes are too heavy for a hundred of them, so a hundred checkers run in this
//! process, each with a store of its own on the real engine, and ten real processes beside.

use std::sync::Arc;
use std::time::Duration;

use flagship::clock::{Clock, SystemClock};
use flagship::store::init::lease_item;
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::checker::Checker;
use super::requests::Requests;
use super::table::Table;
use crate::process::epochs::Recorder;
use crate::process::figures::{report, rounds, setting};
use crate::process::instance::Instance;
use crate::process::load::Load;
use crate::process::poll::{ACTIVE, Poller};
use crate::process::world::{World, with_world_among_others};
use crate::{dynamodb, servers};

const CHECKERS: usize = 100;
const PROCESSES: usize = 10;
/// A lease that is waited out, and the start on a loaded machine.
const WITHIN: Duration = Duration::from_secs(60);
/// How long the others are looked at once one is active.
const AFTERWARDS: Duration = Duration::from_secs(3);

/// Rule 3 and S1: of a hundred that start at once on a released item one becomes active.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn hundred_with_an_item() {
    hundred("100 checkers, item present", true).await;
}

/// Rule 3, S1, S3: the same on an empty table, where absent is not free.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn hundred_without_an_item() {
    hundred("100 checkers, empty table", false).await;
}

async fn hundred(name: &str, with_item: bool) {
    let endpoint = servers::dynamodb_endpoint();
    let table = Table::named(&endpoint, &dynamodb::unique("starts"));
    table.make().await;
    let (mut last, mut took) = (0, Vec::new());
    for _ in 0..rounds() {
        if with_item {
            lease_item(&dynamodb::store(&endpoint, table.name(), "flagship").await).await.unwrap();
        } else {
            table.delete_item().await;
        }
        let started = Instant::now();
        let checkers: Vec<Checker> =
            (0..CHECKERS).map(|number| Checker::start(&endpoint, table.name(), number)).collect();
        let mut winner: Option<(usize, u64, Instant)> = None;
        while winner.is_none_or(|(_, _, since)| since.elapsed() < AFTERWARDS) {
            assert!(started.elapsed() < WITHIN, "nobody is active");
            let now = SystemClock.now();
            for (number, checker) in checkers.iter().enumerate() {
                let Some(epoch) = checker.epoch(now) else { continue };
                let (one, first, _) = *winner.get_or_insert((number, epoch, Instant::now()));
                assert_eq!((number, epoch), (one, first), "a second one is active");
            }
            sleep(Duration::from_millis(5)).await;
        }
        let (_, epoch, since) = winner.unwrap();
        assert!(epoch > last, "epoch {epoch} follows {last}");
        (last, took) = (epoch, [took, vec![since - started]].concat());
        for checker in &checkers {
            checker.shutdown.cancel();
        }
        for checker in checkers {
            checker.end().await;
        }
    }
    table.delete().await;
    report(&format!("{name}: one active each time, epochs rising"), took);
}

/// The same with FLAGSHIP_PROCESSES (10) whole processes under load: with an item and without one, in turn.
#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn processes() {
    with_world_among_others(|world| async move {
        let processes = setting("FLAGSHIP_PROCESSES", PROCESSES);
        let (table, recorder, mut requests) =
            (Table::of(&world), Recorder::start(&world).await, Requests::start(&world));
        let load = Load::start_every(&world, Duration::from_millis(400)).await;
        let mut took = [Vec::new(), Vec::new()];
        for round in 0..2 * rounds() {
            if round % 2 == 1 {
                table.delete_item().await;
            }
            took[round % 2].push(start(&world, processes).await);
            recorder.assert_never_down();
        }
        assert!(load.is_running());
        assert_eq!(requests.complaints(&recorder).await, [""; 0]);
        assert_eq!((recorder.overlap_ms(), requests.overlap_ms()), (0, 0));
        let epochs = recorder.epochs();
        assert_eq!(epochs, 2 * rounds(), "each start has an epoch of its own");
        let (writes, requests) = (recorder.total(), requests.total());
        println!("{processes} processes: {writes} writes, {requests} requests, overlap 0 and 0 ms, {epochs} epochs");
        let [with_item, without] = took;
        report(&format!("{processes} processes, item present: start to active"), with_item);
        report(&format!("{processes} processes, empty table: start to active"), without);
    })
    .await;
}

/// Starts so many; returns when the one was active. Then all end, and the item is released.
async fn start(world: &Arc<World>, processes: usize) -> Duration {
    let started = Instant::now();
    let launch = |number: usize| {
        let name = format!("n{number}");
        Instance::launch(world, &name, &world.secrets_of("east"), world.flagship(&world.dynamodb), &[])
    };
    let mut instances: Vec<Instance> = (0..processes).map(launch).collect();
    // Together they ask 500 times a second.
    let every = Duration::from_millis(2) * u32::try_from(processes).unwrap();
    let pollers: Vec<Poller> = instances.iter().map(|instance| Poller::start_every(&instance.url, every)).collect();
    let actives = || {
        let active = |at: &usize| pollers[*at].first(ACTIVE, started).is_some();
        (0..processes).filter(active).collect::<Vec<_>>()
    };
    while actives().is_empty() {
        assert!(started.elapsed() < WITHIN, "nobody is active");
        sleep(Duration::from_millis(20)).await;
    }
    let took = pollers[actives()[0]].first(ACTIVE, started).unwrap().received - started;
    sleep(AFTERWARDS).await;
    for instance in &instances {
        instance.ready(WITHIN).await;
    }
    let one = actives();
    assert_eq!(one.len(), 1, "more than one was active: {one:?}");
    drop(pollers);
    // The active last, so that nobody takes over.
    instances.swap(one[0], processes - 1);
    for mut instance in instances {
        instance.signal(Signal::TERM);
        instance.exit(WITHIN).await;
    }
    took
}
