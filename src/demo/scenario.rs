//! The play: a pair starts, the active is killed, the next one is paused, and nobody writes out of turn.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::DemoError;
use super::instance::Seen;
use super::manifests::{CLIENT, host, workload};
use super::objects::Objects;
use super::report::Report;
use super::stage::Stage;

/// How often the demo looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Promise L1 with the default timings: lease 10 s, margin 0.2 s, poll 1 s, write 1.5 s; rounded up.
const TAKEOVER_WITHIN: Duration = Duration::from_secs(13);

/// After that the demo no longer waits for a takeover.
const GIVE_UP: Duration = Duration::from_secs(25);

/// How long a start, or a change of the folders, may take to show.
const START_WITHIN: Duration = Duration::from_secs(20);
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// How long a condition must hold that forbids something.
const QUIET_FOR: Duration = Duration::from_secs(2);

/// Plays it all. Judgements go to the report; an error ends the play.
pub async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), DemoError> {
    stage.init_lease().await?;
    report.say("lease item made: released, epoch 0 (its very first claim waits out one lease, 10 s)");
    let mut play = Play { stage, report, last: [Seen::Silent, Seen::Silent], two_active: 0, looks: 0 };
    let first = play.pair_starts().await?;
    play.workload_arrives("greeting", &["west", "east"], "first objects").await?;
    play.workload_added("payments", "east", first).await?;
    let second = play.active_is_killed(first).await?;
    play.workload_added("orders", "west", second).await?;
    play.standby_returns(first).await?;
    play.active_is_paused(second).await?;
    let (looks, two_active) = (play.looks, play.two_active);
    let seen = format!("{two_active} of {looks} looks");
    report.judge("one writer", "never two active at a time", &seen, Duration::ZERO, two_active == 0);
    Ok(())
}

struct Play<'a> {
    stage: &'a mut Stage,
    report: &'a mut Report,
    last: [Seen; 2],
    two_active: u32,
    looks: u32,
}

impl Play<'_> {
    async fn pair_starts(&mut self) -> Result<usize, DemoError> {
        let began = Instant::now();
        for index in [0, 1] {
            self.stage.start(index)?;
        }
        let paired =
            |seen: &[Seen; 2]| seen.iter().filter(|s| s.is_active()).count() == 1 && seen.iter().any(Seen::is_standby);
        let done = self.wait(START_WITHIN, paired).await;
        let active = self.active();
        let names = self.stage.instances.each_ref().map(|instance| instance.name);
        let seen = active.map_or("no pair".to_owned(), |i| format!("{} active, {} passive", names[i], names[1 - i]));
        self.need_step("pair starts", "one 200, one 502", seen, began, done.is_some())?;
        active.ok_or(DemoError::Stopped)
    }

    async fn workload_added(&mut self, identity: &str, cluster: &str, writer: usize) -> Result<(), DemoError> {
        self.report.say(&format!("workload {identity} is deployed to {cluster}"));
        self.stage.write(cluster, identity, &workload(identity))?;
        self.workload_arrives(identity, &[cluster], &format!("{identity} added")).await?;
        self.judge_epochs(identity, self.last[writer].epoch());
        Ok(())
    }

    async fn workload_arrives(&mut self, identity: &str, sources: &[&str], step: &str) -> Result<(), DemoError> {
        let began = Instant::now();
        let wanted: BTreeSet<String> = sources.iter().chain(&[CLIENT]).map(|&c| c.to_owned()).collect();
        let host = host(identity);
        let mut found = BTreeSet::new();
        while began.elapsed() < WRITTEN_WITHIN && !found.is_superset(&wanted) {
            self.look().await;
            found = self.stage.objects().clusters_with(&host);
        }
        let list = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(", ");
        let expected = format!("{host} in {}", list(&wanted));
        let seen = if found.is_empty() { "nowhere".to_owned() } else { format!("in {}", list(&found)) };
        self.need_step(step, &expected, seen, began, found == wanted)
    }

    async fn active_is_killed(&mut self, active: usize) -> Result<usize, DemoError> {
        self.settle().await;
        let before = self.stage.objects();
        let name = self.stage.instances[active].name;
        self.report.say(&format!("kill -9 {name}"));
        let began = Instant::now();
        self.stage.instances[active].kill();
        let next = self.takeover("active killed", 1 - active, began).await?;
        self.look_for(QUIET_FOR).await;
        self.judge_unchanged(&before);
        Ok(next)
    }

    async fn standby_returns(&mut self, index: usize) -> Result<(), DemoError> {
        let began = Instant::now();
        let name = self.stage.instances[index].name;
        self.report.say(&format!("{name} is started again"));
        self.stage.start(index)?;
        let done = self.wait(START_WITHIN, |seen| seen[index].is_standby()).await;
        let seen = self.last[index].describe();
        self.need_step("standby returns", "502 and synced", seen, began, done.is_some())
    }

    async fn active_is_paused(&mut self, active: usize) -> Result<(), DemoError> {
        self.settle().await;
        let before = self.stage.objects();
        let name = self.stage.instances[active].name;
        self.report.say(&format!("kill -STOP {name}"));
        let began = Instant::now();
        self.stage.instances[active].pause()?;
        let next = self.takeover("active paused", 1 - active, began).await?;
        self.judge_unchanged(&before);
        // Both see this one at the same time, and the sleeper wakes up with the belief of 13 s ago.
        self.stage.write("east", "billing", &workload("billing"))?;
        self.wakes_up(active).await?;
        self.workload_arrives("billing", &["east"], "billing added").await?;
        self.look_for(QUIET_FOR).await;
        self.judge_epochs("billing", self.last[next].epoch());
        self.judge_unchanged(&before);
        Ok(())
    }

    /// The first answer counts most: it was asked for while the process slept.
    async fn wakes_up(&mut self, sleeper: usize) -> Result<(), DemoError> {
        let began = Instant::now();
        let instance = &self.stage.instances[sleeper];
        let asked = instance.look_within(&self.stage.client, Duration::from_secs(5));
        let woken = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            instance.resume()
        };
        let (first, woken) = tokio::join!(asked, woken);
        woken?;
        self.report.say(&format!("kill -CONT {}; its first answer: {}", instance.name, first.describe()));
        let mut active = u32::from(first.is_active());
        let mut answers = u32::from(first != Seen::Silent);
        while began.elapsed() < QUIET_FOR {
            let seen = &self.look().await[sleeper];
            active += u32::from(seen.is_active());
            answers += u32::from(*seen != Seen::Silent);
        }
        let seen = format!("active in {active} of {answers} answers");
        self.report_step("sleeper wakes", "read-only from the first answer", seen, began, active == 0 && answers > 0);
        Ok(())
    }

    async fn takeover(&mut self, step: &str, heir: usize, began: Instant) -> Result<usize, DemoError> {
        let epoch = self.last.iter().map(Seen::epoch).max().unwrap_or(0);
        let left = GIVE_UP.saturating_sub(began.elapsed());
        let done = self.wait(left, |seen| seen[heir].is_active()).await;
        let took = began.elapsed();
        let name = self.stage.instances[heir].name;
        let seen = match done {
            Some(()) => {
                format!("{name} 502 -> 200 after {:.1} s, epoch {}", took.as_secs_f64(), self.last[heir].epoch())
            }
            None => format!("{name} {}", self.last[heir].describe()),
        };
        let expected = format!("other active within {} s, higher epoch", TAKEOVER_WITHIN.as_secs());
        let held = done.is_some() && took <= TAKEOVER_WITHIN && self.last[heir].epoch() > epoch;
        self.report_step(step, &expected, seen, began, held);
        if done.is_some() { Ok(heir) } else { Err(DemoError::Stopped) }
    }

    fn judge_unchanged(&mut self, before: &Objects) {
        let (began, after) = (Instant::now(), self.stage.objects());
        let (old, new) = (before.addresses(), after.addresses());
        let moved: Vec<_> =
            old.iter().filter(|(host, kept)| new.get(*host) != Some(*kept)).map(|(h, _)| h.as_str()).collect();
        let seen = format!("{} of {} moved {}", moved.len(), old.len(), moved.join(" "));
        let held = moved.is_empty() && !old.is_empty();
        self.report_step("addresses", "no host's address moves", seen.trim_end().to_owned(), began, held);
        let touched = before.touched_in(&after);
        let seen = format!("{} of {} written {}", touched.len(), before.len(), touched.join(" "));
        let held = touched.is_empty() && before.len() > 0;
        self.report_step("objects", "what was right is not written again", seen.trim_end().to_owned(), began, held);
    }

    fn judge_epochs(&mut self, identity: &str, epoch: u64) {
        let epochs = self.stage.objects().epochs_of(&host(identity));
        let shown = |e: &Option<u64>| e.map_or("none".to_owned(), |e| e.to_string());
        let seen = format!("epoch {}", epochs.iter().map(shown).collect::<Vec<_>>().join(", "));
        let expected = format!("written under epoch {epoch}");
        let held = epochs == [Some(epoch)].into();
        self.report_step(&format!("{identity} epoch"), &expected, seen, Instant::now(), held);
    }

    fn report_step(&mut self, name: &str, expected: &str, seen: String, began: Instant, held: bool) -> bool {
        self.report.judge(name, expected, &seen, began.elapsed(), held)
    }

    /// For steps without which the next ones make no sense.
    fn need_step(
        &mut self,
        name: &str,
        expected: &str,
        seen: String,
        began: Instant,
        held: bool,
    ) -> Result<(), DemoError> {
        if self.report_step(name, expected, seen, began, held) { Ok(()) } else { Err(DemoError::Stopped) }
    }

    fn active(&self) -> Option<usize> {
        self.last.iter().position(Seen::is_active)
    }

    /// Looks until `condition` holds.
    async fn wait(&mut self, within: Duration, condition: impl Fn(&[Seen; 2]) -> bool) -> Option<()> {
        let began = Instant::now();
        while began.elapsed() < within {
            if condition(self.look().await) {
                return Some(());
            }
        }
        None
    }

    async fn look_for(&mut self, span: Duration) {
        let began = Instant::now();
        while began.elapsed() < span {
            self.look().await;
        }
    }

    /// Waits until no object was written for a while, so that a later write is a finding.
    async fn settle(&mut self) {
        let began = Instant::now();
        let mut last = self.stage.objects();
        while began.elapsed() < WRITTEN_WITHIN {
            self.look_for(Duration::from_millis(700)).await;
            let now = self.stage.objects();
            if now == last {
                return;
            }
            last = now;
        }
    }

    /// Looks once at both, and tells what changed.
    async fn look(&mut self) -> &[Seen; 2] {
        tokio::time::sleep(LOOK_EVERY).await;
        let seen = self.stage.look().await;
        self.looks += 1;
        self.two_active += u32::from(seen.iter().all(Seen::is_active));
        for (index, instance) in self.stage.instances.iter().enumerate() {
            if seen[index] != self.last[index] {
                self.report.say(&format!("  {}: {}", instance.name, seen[index].describe()));
            }
        }
        self.last = seen;
        &self.last
    }
}
