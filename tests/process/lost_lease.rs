//! What an active does that loses the lease without knowing: its network hangs, or it is itself put to sleep.

use std::sync::Arc;
use std::time::Duration;

use flagship::clock::{Clock, SystemClock};
use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::audit::{self, Attempt};
use super::epochs::Recorder;
use super::figures::{any_phase, report, rounds};
use super::load::Load;
use super::pair::{LEASE, MARGIN, POLL, Pair, SLACK};
use super::poll::{ACTIVE, PASSIVE};
use super::proxy::Way;
use super::world::{World, with_world};

/// Fewer writes than this of an epoch, and the judge has seen too little.
const ENOUGH_WRITES: usize = 20;
/// Longer than a lease.
const PAUSE: Duration = Duration::from_secs(14);
/// How long the other goes on alone before the fault ends.
const ALONE: Duration = Duration::from_secs(2);
/// How long the former active is looked at after the fault.
const AFTERWARDS: Duration = Duration::from_secs(4);

/// A pair under load, and the judge of its writes.
struct Scene {
    world: Arc<World>,
    audit_from: Vec<u64>,
    /// Who was active, in order.
    turns: Vec<String>,
    pair: Pair,
    load: Load,
    recorder: Recorder,
}

impl Scene {
    async fn set(world: &Arc<World>) -> Self {
        let recorder = Recorder::start(world).await;
        let load = Load::start(world).await;
        let (audit_from, pair) = (audit::ends(world), Pair::start(world).await);
        let turns = vec![pair.active().instance.name.clone()];
        Self { world: Arc::clone(world), audit_from, turns, pair, load, recorder }
    }

    /// The standby has become the active.
    fn turn(&mut self) {
        self.turns.push(self.pair.standby().instance.name.clone());
    }

    /// Requests of a former active that reached an API server after those of the next, granted or not.
    fn out_of_turn(&self) -> Vec<Attempt> {
        audit::out_of_turn(&self.world, &self.audit_from, &self.turns)
    }

    /// Both epochs have written plenty, or the absence of late writes would say nothing.
    fn assert_plenty_was_written(&self, epochs: [u64; 2]) {
        assert!(self.load.is_running(), "the load has ended");
        for epoch in epochs {
            let count = self.recorder.count(epoch);
            assert!(count >= ENOUGH_WRITES, "only {count} writes of epoch {epoch}");
        }
    }

    /// The former active, fault over, is passive and writes nothing.
    async fn assert_keeps_quiet(&self, since: Instant, writes_before: u64) {
        let former = self.pair.active();
        let samples = former.poller.between(since, Instant::now());
        assert!(samples.iter().any(|sample| sample.answer == PASSIVE), "it never answered: {samples:?}");
        let active = samples.iter().find(|sample| sample.answer == ACTIVE);
        assert!(active.is_none(), "it said that it is active after the fault: {active:?}");
        assert_eq!(former.instance.writes().await, writes_before, "it wrote without the lease");
    }

    /// The former active becomes active again, under a higher epoch than the other, and only then writes.
    async fn assert_comes_back(&self, other: usize) {
        let (former, other) = (&self.pair.seats[1 - other], &self.pair.seats[other]);
        let (epoch, writes) = (other.instance.epoch().await, former.instance.writes().await);
        let told = Instant::now();
        other.instance.signal(Signal::TERM);
        former.poller.until(ACTIVE, told, POLL + SLACK).await;
        sleep(Duration::from_secs(1)).await;
        assert!(former.instance.epoch().await > epoch, "it came back without a new epoch");
        assert!(former.instance.writes().await > writes, "it came back and writes nothing");
    }
}

/// Promises S1, S2, L3: a hanging connection makes the active read-only by itself, before the other begins; they
/// never both say that they are active, and their writes never interleave.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hang() {
    with_world(|world| async move {
        let mut scene = Scene::set(&world).await;
        let (mut read_only, mut takeovers) = (Vec::new(), Vec::new());
        for _ in 0..rounds() {
            sleep(ALONE + any_phase()).await;
            let old = scene.pair.active().instance.epoch().await;
            let cut = Instant::now();
            scene.pair.active().proxy.set(Way::Hang);
            takeovers.push(scene.pair.takeover(cut, LEASE + MARGIN + POLL + SLACK).await);
            scene.turn();
            sleep(ALONE).await;
            let last = scene.pair.active().poller.last_active().unwrap().sent - cut;
            assert!(last <= LEASE - MARGIN, "it was active for {last:?} without word from the table");
            read_only.push(last);
            let writes = scene.pair.active().instance.writes().await;
            let healed = Instant::now();
            scene.pair.active().proxy.set(Way::Pass);
            sleep(AFTERWARDS).await;
            scene.assert_keeps_quiet(healed, writes).await;
            scene.recorder.assert_never_down();
            let late = scene.out_of_turn();
            assert!(late.is_empty(), "{} requests out of turn: {:#?}", late.len(), late.iter().take(5));
            let new = scene.pair.standby().instance.epoch().await;
            assert!(new > old, "epoch {new} follows {old}");
            scene.assert_plenty_was_written([old, new]);
            scene.pair.swap();
        }
        scene.assert_comes_back(scene.pair.active).await;
        scene.recorder.assert_never_down();
        println!("{} changes of workloads", scene.load.changes());
        report("hang: cut to read-only", read_only);
        report("hang: cut to the other active", takeovers);
    })
    .await;
}

/// Promises S1, S2: an active that is put to sleep for longer than its lease wakes up read-only, though the table
/// is silent then. A packet that was under way between gate and socket may still leave: what comes late is counted,
/// and nothing comes a second after it woke up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pause() {
    with_world(|world| async move {
        let mut scene = Scene::set(&world).await;
        let (mut takeovers, mut late_writes, mut late_requests) = (Vec::new(), 0, 0);
        for _ in 0..rounds() {
            sleep(ALONE + any_phase()).await;
            let old = scene.pair.active().instance.epoch().await;
            let writes = scene.pair.active().instance.writes().await;
            // In the midst of many writes.
            Load::burst(&world);
            sleep(any_phase() / 13).await;
            let stopped = Instant::now();
            scene.pair.active().instance.signal(Signal::STOP);
            // Nobody tells it when it wakes up: only its deadline makes it read-only.
            scene.pair.active().proxy.set(Way::Hang);
            takeovers.push(scene.pair.takeover(stopped, LEASE + MARGIN + POLL + SLACK).await);
            scene.turn();
            sleep(PAUSE.saturating_sub(stopped.elapsed())).await;
            let (woken, woken_unix_ms) = (Instant::now(), SystemClock.wall().unix_ms());
            scene.pair.active().instance.signal(Signal::CONT);
            sleep(ALONE).await;
            scene.pair.active().proxy.set(Way::Pass);
            sleep(AFTERWARDS).await;

            let woke = scene.pair.active().poller.until(PASSIVE, woken, Duration::ZERO).await;
            println!("  502 came {:?} after SIGCONT", woke.received - woken);
            let counted = scene.pair.active().instance.writes().await - writes;
            let stored = scene.recorder.after(stopped, old);
            println!(
                "  {stored} writes of the old epoch were stored after SIGSTOP; it counts {counted} around the pause"
            );
            let late = scene.recorder.late();
            late_writes = late.len();
            let too_late: Vec<_> = late.iter().filter(|one| one.seen > woken + Duration::from_secs(1)).collect();
            assert!(too_late.is_empty(), "late by more than a second: {too_late:#?}");
            let late = scene.out_of_turn();
            late_requests = late.len();
            let limit_unix_ms = i64::try_from(woken_unix_ms).unwrap() + 1000;
            let too_late: Vec<_> = late.iter().filter(|one| one.unix_ms > limit_unix_ms).collect();
            assert!(too_late.is_empty(), "requested more than a second after SIGCONT: {too_late:#?}");
            let active =
                scene.pair.active().poller.between(woken, Instant::now()).into_iter().find(|s| s.answer == ACTIVE);
            assert!(active.is_none(), "it woke up active: {active:?}");
            let new = scene.pair.standby().instance.epoch().await;
            assert!(new > old, "epoch {new} follows {old}");
            scene.assert_plenty_was_written([old, new]);
            scene.pair.swap();
        }
        scene.assert_comes_back(scene.pair.active).await;
        println!("{} changes of workloads", scene.load.changes());
        println!("late writes: {late_writes}; late requests, refused ones included: {late_requests}");
        report("pause: SIGSTOP to the other active", takeovers);
    })
    .await;
}
