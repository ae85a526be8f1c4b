//! One fault after another of one kind, and what came of each.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::desired;
use super::kinds::{Comes, Fault, Kind, NOTICED};
use super::scene::Scene;
use crate::process::figures::any_phase;
use crate::process::pair::{LEASE, MARGIN};
use crate::process::poll::ACTIVE;
use crate::process::world::World;

/// How long the other goes on alone before the fault ends.
const ALONE: Duration = Duration::from_secs(2);

/// How soon after healing exactly one is active where no lease has to be waited out; a new process has to start.
const SETTLES_WITHIN: Duration = Duration::from_secs(15);

/// Lines of the logs that are shown when something is wrong.
const LAST_LINES: usize = 60;

/// What was seen of one kind.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub rounds: usize,
    /// Fault to the other's first 200.
    pub failovers: Vec<Duration>,
    /// Fault to the last 200 of the old active, where its process lives.
    pub read_only: Vec<Duration>,
    /// Healing until exactly one is active.
    pub healings: Vec<Duration>,
    /// By the watches and by the audit logs.
    pub overlap_ms: [u64; 2],
    /// Creates and updates that were stored.
    pub writes: usize,
    /// Requests of any kind, and the deletes among them.
    pub requests: [usize; 2],
    /// Requests that came after one of a higher epoch and were refused.
    pub late_refused: usize,
    pub epochs: usize,
    /// Promises that were broken.
    pub violations: Vec<String>,
}

pub type SharedRow = Arc<Mutex<Row>>;

/// Plays `rounds` rounds of `kind` and fills `row` on the way.
pub async fn play(world: Arc<World>, kind: &'static Kind, rounds: usize, row: SharedRow) {
    let mut scene = Scene::set(&world, matches!(kind.fault, Fault::Clock(_))).await;
    scene.copy_item().await;
    for _ in 0..rounds {
        sleep(ALONE + any_phase()).await;
        let mut seen = Row { rounds: 1, ..Row::default() };
        round(&mut scene, kind, &mut seen).await;
        judge(&mut scene, kind, &mut seen).await;
        scene.copy_item().await;
        tell(&scene, &seen.violations);
        let mut row = row.lock().unwrap_or_else(PoisonError::into_inner);
        row.take(seen);
    }
    let lost = desired::changes_lost(&scene).await;
    if !lost.is_empty() {
        for seat in &scene.seats {
            println!("{}: {:#}", seat.name, seat.instance.json("/api/v1/plan").await);
        }
    }
    tell(&scene, &lost);
    row.lock().unwrap_or_else(PoisonError::into_inner).violations.extend(lost);
}

impl Row {
    /// One round more.
    pub fn take(&mut self, round: Self) {
        self.rounds += 1;
        self.failovers.extend(round.failovers);
        self.read_only.extend(round.read_only);
        self.healings.extend(round.healings);
        self.violations.extend(round.violations);
        (self.overlap_ms, self.writes) = (round.overlap_ms, round.writes);
        (self.requests, self.late_refused, self.epochs) = (round.requests, round.late_refused, round.epochs);
    }
}

/// What both judges say by now.
pub async fn judge(scene: &mut Scene, kind: &Kind, seen: &mut Row) {
    seen.violations.extend(scene.requests.complaints(&scene.recorder).await);
    seen.overlap_ms = [scene.recorder.overlap_ms(), scene.requests.overlap_ms()];
    seen.writes = scene.recorder.total();
    seen.requests = [scene.requests.total(), scene.requests.deletes()];
    seen.epochs = scene.recorder.epochs();
    let late = scene.recorder.late();
    if let Some(first) = late.first() {
        seen.violations.push(format!("{} writes after one of a higher epoch; the first: {first:?}", late.len()));
    }
    let (late, refused) = (scene.requests.late(), scene.requests.late_refused());
    seen.late_refused = refused;
    // A request between gate and socket leaves when the process wakes up: the residual window. It must be refused.
    let excused = if matches!(kind.fault, Fault::Sleeps) { refused } else { scene.late_refused };
    if late.len() > excused {
        let what = format!("{} requests were answered after one of a higher epoch had come", late.len());
        seen.violations.push(format!("{what}, {refused} of them refused; the last: {:?}", late.last()));
    }
    scene.late_refused = refused;
}

/// Prints what the two have to say about what was seen, if anything was.
pub fn tell(scene: &Scene, violations: &[String]) {
    if violations.is_empty() {
        return;
    }
    println!("{violations:#?}");
    for seat in &scene.seats {
        let log = seat.instance.log();
        let lines: Vec<&str> = log.lines().collect();
        println!("--- {}:\n{}", seat.name, lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"));
    }
}

/// One fault from beginning to end.
pub async fn round(scene: &mut Scene, kind: &Kind, seen: &mut Row) {
    let (epoch, kept) = (scene.active().instance.epoch().await, scene.keep(kind).await);
    let written = scene.recorder.total();
    let struck = Instant::now();
    scene.strike(kind).await;
    match kind.comes {
        Comes::Takeover(within, at_least) => {
            let took = takeover(scene, kind, struck, within, seen).await;
            sleep(ALONE.max(at_least.saturating_sub(took))).await;
        }
        Comes::Nothing(lasts) | Comes::Either(lasts, _) => sleep(lasts).await,
    }
    let new = 1 - scene.active;
    let mut healed = scene.heal(kind, kept).await;
    if matches!(kind.fault, Fault::ItemGone | Fault::ItemOlder | Fault::ItemForeign) {
        // Nobody heals it but the instances.
        healed = struck;
    }
    if matches!(kind.fault, Fault::TableGone { keeps_item: false }) {
        sleep(NOTICED).await;
    }
    let within = if let Comes::Either(_, within) = kind.comes { within } else { SETTLES_WITHIN };
    match scene.one_active(healed, within).await {
        Ok((active, since)) => {
            seen.healings.push(since - healed);
            check_who(scene, kind, active, epoch, seen).await;
            if active == new && !matches!(kind.comes, Comes::Takeover(..)) {
                let first = scene.seats[new].poller.first(ACTIVE, struck);
                seen.failovers.extend(first.map(|first| first.received - struck));
            }
            scene.active = active;
        }
        Err(violation) => {
            seen.violations.push(violation);
            let (active, _) = scene.one_active(Instant::now(), Duration::from_secs(60)).await.unwrap();
            scene.active = active;
        }
    }
    if !scene.load.is_running() || scene.recorder.total() == written {
        seen.violations.push("nothing was written: the judge has seen nothing".to_owned());
    }
}

/// Waits for the other to take over.
async fn takeover(scene: &Scene, kind: &Kind, struck: Instant, within: Duration, seen: &mut Row) -> Duration {
    let first = scene.other().poller.until(ACTIVE, struck, within + Duration::from_secs(30)).await;
    let took = first.received - struck;
    seen.failovers.push(took);
    if took > within {
        seen.violations.push(format!("the takeover took {took:?}, more than {within:?}"));
    }
    sleep(Duration::from_millis(500)).await;
    let Some(last) = scene.active().poller.last_active() else { return took };
    if last.sent > first.received {
        seen.violations.push(format!("two said that they are active for {:?}", last.sent - first.received));
    }
    if !matches!(kind.fault, Fault::Ends(_)) {
        seen.read_only.push(last.received.saturating_duration_since(struck));
        if last.sent > struck + LEASE - MARGIN {
            seen.violations.push(format!("it was active for {:?} without word from the table", last.sent - struck));
        }
    }
    took
}

/// Who is active in the end, and under which epoch.
async fn check_who(scene: &Scene, kind: &Kind, active: usize, before: u64, seen: &mut Row) {
    let after = scene.seats[active].instance.epoch().await;
    let complaint = match kind.comes {
        Comes::Takeover(..) if active == scene.active => Some("the old one is active after a takeover".to_owned()),
        Comes::Takeover(..) if after <= before => Some(format!("epoch {after} follows {before} after a takeover")),
        Comes::Nothing(_) if active != scene.active => Some("the active changed".to_owned()),
        Comes::Nothing(_) if after != before => Some(format!("epoch {before} became {after}")),
        Comes::Either(..) if after < before => Some(format!("the epoch went down from {before} to {after}")),
        _ => None,
    };
    seen.violations.extend(complaint);
    if let (Fault::Clock(_), super::kinds::On::Active) = (kind.fault, kind.on)
        && !scene.active().instance.log().contains("the wall clock jumped")
    {
        seen.violations.push("the active did not notice that its wall clock jumped: is it faked at all?".to_owned());
    }
}
