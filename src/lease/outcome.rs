//! How the state machine takes answers in: what was seen, what turned out to be ours, what is lost.

use super::message::{Notice, Outcome, Purpose};
use super::protocol::{Lease, Now};
use super::record::{Item, LeaseRecord, RawItem};
use super::role::{Holding, InFlight, Role};
use super::sent::SentWrite;
use super::sighting::Sighting;
use crate::instant::Instant;

/// How often a release is tried before the lease is left to run out.
const RELEASE_TRIES: u32 = 3;

impl Lease {
    /// How a request ended, received at `now`. The outcome of a request that is not under way is ignored.
    pub fn on_outcome(&mut self, id: u64, now: Now, outcome: Outcome) {
        self.watch_wall_clock(now);
        let Some(request) = self.in_flight.take_if(|request| request.id == id) else { return };
        match outcome {
            Outcome::Unknown(_) => self.on_unknown(now, &request),
            Outcome::Read(item) | Outcome::ConditionFailed(item) => self.on_item(now, item.as_ref()),
            Outcome::Applied(item) => {
                if let Some(sent) = request.sent {
                    self.on_applied(now, sent, &item, &request.because);
                }
            }
        }
        if self.stopping {
            self.begin_release();
        }
    }

    fn on_unknown(&mut self, now: Now, request: &InFlight) {
        self.next_at = now.boot + self.config.retry_delay();
        match &mut self.role {
            Role::Observer(_) if request.sent.is_some() => {
                self.must_read = true;
                self.next_at = now.boot;
            }
            Role::Observer(_) => self.next_at = now.boot + self.config.timings().poll_interval,
            Role::Releasing { tries, holding, .. } => {
                *tries += 1;
                if *tries >= RELEASE_TRIES {
                    let epoch = holding.epoch;
                    self.end_release(epoch, false, None);
                }
            }
            Role::Holder(_) | Role::Stopped => {}
        }
    }

    /// Somebody's item, or none, was there when the request was served.
    fn on_item(&mut self, now: Now, raw: Option<&RawItem>) {
        let sighting = Sighting::new(raw, now.boot, self.highest_epoch);
        self.must_read = false;
        let ours = sighting.native().and_then(|record| self.find_sent(record));
        self.learn(&sighting);
        match ours {
            Some(write) => self.adopt(now, &write, sighting),
            None => self.on_others_item(sighting),
        }
    }

    /// An unacknowledged write of ours that this record proves to have succeeded (rule 4).
    ///
    /// The epochs are compared too: a copy of the item restored after somebody else held a higher one is not ours.
    fn find_sent(&self, record: &LeaseRecord) -> Option<SentWrite> {
        let write = self.sent.find(&record.version)?;
        (write.epoch == record.epoch && write.epoch >= self.highest_epoch).then(|| write.clone())
    }

    fn adopt(&mut self, now: Now, write: &SentWrite, sighting: Sighting) {
        self.sent.clear();
        let deadline = write.sent_at + self.config.permit_duration();
        match (&mut self.role, write.purpose) {
            (Role::Releasing { holding, .. }, Purpose::Release) => {
                let epoch = holding.epoch;
                self.end_release(epoch, true, Some(sighting));
            }
            (Role::Releasing { holding, .. }, _) => holding.version.clone_from(&write.version),
            (Role::Holder(holding), _) => {
                holding.version.clone_from(&write.version);
                holding.extend(write, deadline, now.boot, &mut self.notices);
            }
            (Role::Observer(_), Purpose::Claim | Purpose::Renew) => {
                self.become_holder(write, deadline, "a claim of ours without an answer had succeeded".to_owned());
            }
            (Role::Observer(_), Purpose::Release | Purpose::Mark) => self.on_others_item(sighting),
            (Role::Stopped, _) => {}
        }
        // Whether adopted or to be released: the next word to the table is due at once.
        if matches!(self.role, Role::Holder(_) | Role::Releasing { .. }) {
            self.next_at = now.boot;
        }
    }

    fn on_others_item(&mut self, sighting: Sighting) {
        let because = sighting.whose();
        match &mut self.role {
            Role::Observer(known) => {
                let moved_on = known.as_ref().is_none_or(|known| known.stamp != sighting.stamp);
                let is_news = known.as_ref().is_none_or(|known| known.whose() != because);
                match known {
                    Some(known) => known.refresh(sighting),
                    None => *known = Some(sighting),
                }
                if moved_on {
                    self.sent.clear();
                }
                if is_news {
                    self.announce_sighting();
                }
            }
            Role::Holder(holding) => {
                self.notices.push(Notice::Lost { epoch: holding.epoch, because });
                self.sent.clear();
                self.role = Role::Observer(Some(sighting));
                self.announce_sighting();
            }
            Role::Releasing { holding, .. } => {
                let epoch = holding.epoch;
                self.notices.push(Notice::Lost { epoch, because });
                self.end_release(epoch, false, Some(sighting));
            }
            Role::Stopped => {}
        }
    }

    fn on_applied(&mut self, now: Now, sent: SentWrite, item: &RawItem, because: &str) {
        self.sent.clear();
        let deadline = sent.sent_at + self.config.permit_duration();
        match (&mut self.role, sent.purpose) {
            (Role::Observer(_), Purpose::Claim) => self.become_holder(&sent, deadline, because.to_owned()),
            (Role::Observer(_), Purpose::Mark) => {
                self.on_others_item(Sighting::new(Some(item), now.boot, self.highest_epoch));
            }
            (Role::Holder(holding), Purpose::Renew) => {
                self.highest_epoch = self.highest_epoch.max(sent.epoch);
                holding.version.clone_from(&sent.version);
                holding.extend(&sent, deadline, now.boot, &mut self.notices);
                self.next_at = match holding.suspended_since {
                    Some(_) => now.boot,
                    None => sent.sent_at + self.config.timings().renew_interval,
                };
                self.heed_switchover(item);
            }
            (Role::Releasing { holding, .. }, Purpose::Release) => {
                let epoch = holding.epoch;
                let sighting = Sighting::new(Some(item), now.boot, self.highest_epoch);
                self.end_release(epoch, true, Some(sighting));
            }
            (Role::Releasing { holding, .. }, _) => holding.version = sent.version,
            (Role::Observer(_) | Role::Holder(_) | Role::Stopped, _) => {}
        }
    }

    /// The holder gives way to whom the item asks for.
    fn heed_switchover(&mut self, item: &RawItem) {
        let Item::Native(record) = Item::parse(item) else { return };
        let to_me = |to: &str| to == self.me.owner || to == self.me.instance_id;
        match (&mut self.role, record.switchover_to.as_deref()) {
            (Role::Holder(holding), Some(to)) if to_me(to) => holding.forget_switchover = true,
            (Role::Holder(_), Some(_)) => self.begin_release(),
            (Role::Holder(holding), None) => holding.forget_switchover = false,
            _ => {}
        }
    }

    fn become_holder(&mut self, write: &SentWrite, deadline: Instant, because: String) {
        self.highest_epoch = self.highest_epoch.max(write.epoch);
        self.next_at = write.sent_at + self.config.timings().renew_interval;
        self.notices.push(Notice::Acquired { epoch: write.epoch, because });
        self.role = Role::Holder(Holding {
            version: write.version.clone(),
            epoch: write.epoch,
            deadline,
            acquired_unix_ms: write.acquired_unix_ms,
            suspended_since: None,
            expiry_announced: false,
            forget_switchover: false,
        });
    }

    /// From holder to releasing: [`Lease::permit`] is `None` from here on.
    pub(super) fn begin_release(&mut self) {
        match std::mem::replace(&mut self.role, Role::Stopped) {
            Role::Holder(holding) => self.role = Role::Releasing { holding, drained: false, tries: 0 },
            Role::Observer(_) if self.stopping && self.in_flight.is_none() => {}
            other => self.role = other,
        }
    }

    fn end_release(&mut self, epoch: u64, confirmed: bool, sighting: Option<Sighting>) {
        self.notices.push(Notice::Released { epoch, confirmed });
        self.must_read = sighting.is_none();
        self.role = if self.stopping { Role::Stopped } else { Role::Observer(sighting) };
    }

    fn learn(&mut self, sighting: &Sighting) {
        if let Some(record) = sighting.native() {
            self.highest_epoch = self.highest_epoch.max(record.epoch);
            self.longest = self.longest.max(record.lease_duration.unwrap_or_default());
        }
    }

    fn announce_sighting(&mut self) {
        let Role::Observer(Some(sighting)) = &self.role else { return };
        self.notices.push(match &sighting.item {
            Some(Item::Foreign { owner }) => Notice::ForeignWriter(owner.clone()),
            Some(Item::Unreadable { reason, .. }) => Notice::Unreadable(reason.clone()),
            _ => Notice::Observed(sighting.whose()),
        });
    }
}
