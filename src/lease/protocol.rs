//! The state machine: observer, holder, releasing.
//!
//! It is driven from outside: [`Lease::poll`] says what to do next, [`Lease::on_outcome`] takes the answer, and
//! [`Lease::permit`] is what the gate may rely on at any time in between. Rule numbers are those of the design.

use std::time::Duration;

use super::config::LeaseConfig;
use super::identity::Identity;
use super::message::{Notice, Request, RequestKind, Step, Write};
use super::permit::Permit;
use super::record::{Item, LeaseRecord, SEEN_EPOCH_LIMIT};
use super::role::{InFlight, Role};
use super::sent::{SentLog, SentWrite};
use super::sighting::{Free, Judge, Sighting};
use super::writes::Author;
use crate::instant::{Instant, WallTime};

/// Both clocks, read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Now {
    /// The boot clock.
    pub boot: Instant,
    /// The wall clock.
    pub wall: WallTime,
}

/// Whether this instance should take over (promise L4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Eligibility {
    /// It has not seen the clusters: it does not claim.
    No,
    /// It sees only a part of them: it waits two polls longer, so that one that sees all goes first.
    Reluctant,
    /// It sees all.
    Yes,
}

/// One instance's side of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    pub(super) config: LeaseConfig,
    pub(super) me: Identity,
    pub(super) role: Role,
    pub(super) sent: SentLog,
    pub(super) in_flight: Option<InFlight>,
    pub(super) next_id: u64,
    /// No request before this instant, except a claim.
    pub(super) next_at: Instant,
    /// No claim before this instant: lost races are paced.
    pub(super) next_claim_at: Instant,
    /// An outcome was unknown: look before claiming again.
    pub(super) must_read: bool,
    pub(super) highest_epoch: u64,
    pub(super) longest: Duration,
    pub(super) eligibility: Eligibility,
    pub(super) stopping: bool,
    pub(super) last: Option<Now>,
    pub(super) notices: Vec<Notice>,
}

impl Lease {
    /// Starts as an observer that has seen nothing.
    pub fn new(config: LeaseConfig, me: Identity) -> Self {
        let longest = config.timings().lease_duration;
        Self {
            config,
            me,
            role: Role::Observer(None),
            sent: SentLog::default(),
            in_flight: None,
            next_id: 0,
            next_at: Instant::default(),
            next_claim_at: Instant::default(),
            must_read: true,
            highest_epoch: 0,
            longest,
            eligibility: Eligibility::No,
            stopping: false,
            last: None,
            notices: Vec::new(),
        }
    }

    /// What the gate may rely on. It may lie in the past: whoever reads it compares the deadline.
    pub fn permit(&self) -> Option<Permit> {
        match &self.role {
            Role::Holder(holding) if holding.suspended_since.is_none() => {
                Some(Permit { epoch: holding.epoch, deadline: holding.deadline })
            }
            _ => None,
        }
    }

    /// The permit under which writes that are under way may still end while the lease is being given up (rule 5).
    pub fn finishing(&self) -> Option<Permit> {
        match &self.role {
            Role::Releasing { holding, drained: false, .. } if holding.suspended_since.is_none() => {
                Some(Permit { epoch: holding.epoch, deadline: holding.deadline })
            }
            _ => None,
        }
    }

    /// The highest epoch that this instance knows of.
    pub fn highest_epoch(&self) -> u64 {
        self.highest_epoch
    }

    /// An epoch seen elsewhere, such as on an object in a cluster: a claim, or a holder's next renewal, will lie
    /// above it (S3).
    pub fn raise_epoch_floor(&mut self, seen: u64) {
        if seen < SEEN_EPOCH_LIMIT {
            self.highest_epoch = self.highest_epoch.max(seen);
        }
    }

    /// Whether this instance may claim.
    pub fn set_eligibility(&mut self, eligibility: Eligibility) {
        self.eligibility = eligibility;
    }

    /// Gives the lease up for good, or stops observing. The permit ends before this returns.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.begin_release();
    }

    /// What happened since the last call, oldest first.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// The item as last seen, in a word or two.
    pub fn label(&self) -> &'static str {
        match &self.role {
            Role::Observer(None) => "unknown",
            Role::Observer(Some(sighting)) => sighting.label(),
            Role::Holder(_) => "holding",
            Role::Releasing { .. } => "releasing",
            Role::Stopped => "stopped",
        }
    }

    /// The record as an observer last saw it.
    pub fn observed_record(&self) -> Option<&LeaseRecord> {
        match &self.role {
            Role::Observer(Some(Sighting { item: Some(Item::Native(record)), .. })) => Some(record),
            _ => None,
        }
    }

    /// Unix ms at which this instance acquired the lease that it holds.
    pub fn acquired_unix_ms(&self) -> Option<u64> {
        match &self.role {
            Role::Holder(holding) => Some(holding.acquired_unix_ms),
            _ => None,
        }
    }

    /// What to do next. `nonce` must never have been used before; it is used up if a write comes back.
    pub fn poll(&mut self, now: Now, nonce: &str) -> Step {
        self.watch_wall_clock(now);
        if self.in_flight.is_some() {
            return Step::Wait(now.boot + self.config.timings().request_timeout);
        }
        match &mut self.role {
            Role::Stopped => Step::Done,
            Role::Observer(_) => self.poll_observer(now, nonce),
            Role::Holder(holding) => {
                if now.boot >= holding.deadline && !holding.expiry_announced {
                    holding.expiry_announced = true;
                    self.notices.push(Notice::PermitExpired { epoch: holding.epoch });
                }
                if now.boot < self.next_at {
                    let next_news =
                        if holding.expiry_announced { self.next_at } else { self.next_at.min(holding.deadline) };
                    return Step::Wait(next_news);
                }
                let (version, epoch) = (holding.version.clone(), holding.next_epoch(self.highest_epoch));
                let (acquired, forget) = (holding.acquired_unix_ms, holding.forget_switchover);
                let write = self.author(now, nonce, epoch).renew(&version, forget);
                self.send_write(now, nonce, epoch, acquired, write, String::new())
            }
            Role::Releasing { holding, drained: false, .. } => Step::Drain(holding.deadline),
            Role::Releasing { holding, .. } => {
                if now.boot < self.next_at {
                    return Step::Wait(self.next_at);
                }
                let (version, epoch, acquired) = (holding.version.clone(), holding.epoch, holding.acquired_unix_ms);
                let write = self.author(now, nonce, epoch).release(&version);
                self.send_write(now, nonce, epoch, acquired, write, String::new())
            }
        }
    }

    /// No write to a cluster is in flight any more, or the permit's deadline has passed (rule 5).
    pub fn on_drained(&mut self, now: Now) {
        if let Role::Releasing { drained, .. } = &mut self.role {
            *drained = true;
            self.next_at = now.boot;
        }
    }

    fn poll_observer(&mut self, now: Now, nonce: &str) -> Step {
        let Role::Observer(sighting) = &self.role else { return Step::Done };
        let free = sighting.as_ref().filter(|_| !self.must_read).and_then(|seen| Some((self.claim_at(seen)?, seen)));
        if let Some((at, seen)) = free
            && now.boot >= at
        {
            let (stamp, because) = (seen.stamp.clone(), seen.because());
            let (epoch, write) = if seen.may_return() {
                let epoch = seen.native().map_or(0, |record| record.epoch);
                (epoch, self.author(now, nonce, epoch).mark(stamp, self.longest))
            } else {
                let epoch = self.next_epoch(seen, now.wall);
                (epoch, self.author(now, nonce, epoch).claim(stamp))
            };
            self.next_claim_at = now.boot + self.config.timings().poll_interval;
            return self.send_write(now, nonce, epoch, now.wall.unix_ms(), write, because);
        }
        if now.boot < self.next_at {
            return Step::Wait(free.map_or(self.next_at, |(at, _)| at.min(self.next_at)));
        }
        self.send(now, RequestKind::Read, None, String::new())
    }

    /// When this instance may claim what it sees; `None` if not without further news.
    fn claim_at(&self, seen: &Sighting) -> Option<Instant> {
        let extra = match self.eligibility {
            Eligibility::No => return None,
            // Observers learn of a version within one poll of each other.
            Eligibility::Reluctant => 2 * self.config.timings().poll_interval,
            Eligibility::Yes => Duration::ZERO,
        };
        let judge = Judge {
            config: &self.config,
            longest: self.longest,
            owner: &self.me.owner,
            instance_id: &self.me.instance_id,
        };
        match seen.free(&judge) {
            Free::At(at) => Some((at + extra).max(self.next_claim_at)),
            Free::Never => None,
        }
    }

    /// Above every epoch seen. Where the item knows of none (absent, overwritten, or newly made with epoch 0) it
    /// starts at the wall clock's Unix seconds: above every epoch that there can have been before (rule 3).
    fn next_epoch(&self, seen: &Sighting, wall: WallTime) -> u64 {
        let above = self.highest_epoch + 1;
        match &seen.item {
            Some(Item::Native(record)) if record.epoch > 0 => above,
            _ => above.max(wall.unix_s()),
        }
    }

    fn author<'a>(&'a self, now: Now, nonce: &'a str, epoch: u64) -> Author<'a> {
        Author { config: &self.config, me: &self.me, wall: now.wall, nonce, epoch }
    }

    fn send_write(&mut self, now: Now, nonce: &str, epoch: u64, acquired: u64, write: Write, because: String) -> Step {
        let sent = SentWrite {
            version: nonce.to_owned(),
            epoch,
            purpose: write.purpose,
            sent_at: now.boot,
            acquired_unix_ms: acquired,
        };
        self.send(now, RequestKind::Write(write), Some(sent), because)
    }

    fn send(&mut self, now: Now, kind: RequestKind, sent: Option<SentWrite>, because: String) -> Step {
        self.next_id += 1;
        self.next_at = now.boot + self.config.timings().poll_interval;
        // Entered before it leaves: from here on it may take effect at any time.
        if let Some(write) = &sent {
            self.sent.push(write.clone());
        }
        self.in_flight = Some(InFlight { id: self.next_id, sent, because });
        Step::Request(Request { id: self.next_id, kind })
    }

    /// Rule 7: whoever moved the wall clock may also have stopped this machine without its boot clock noticing.
    pub(super) fn watch_wall_clock(&mut self, now: Now) {
        let Some(last) = self.last.replace(now) else { return };
        let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
        let boot_ms = signed(u64::try_from((now.boot - last.boot).as_millis()).unwrap_or(u64::MAX));
        let wall_ms = signed(now.wall.unix_ms()).saturating_sub(signed(last.wall.unix_ms()));
        let by_ms = wall_ms.saturating_sub(boot_ms);
        let margin = self.config.margin(self.config.timings().lease_duration);
        if u128::from(by_ms.unsigned_abs()) <= margin.as_millis() {
            return;
        }
        if let Role::Holder(holding) = &mut self.role {
            holding.suspended_since = Some(now.boot);
            self.next_at = now.boot;
            self.notices.push(Notice::WallClockJumped { by_ms });
        }
    }
}
