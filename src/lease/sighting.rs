//! What an observer knows of the item, and from when on it may claim it (rules 2, 3 and 8).
//!
//! Invariant: the wait is counted from when *this* version was first received, on the observer's own clock, and
//! is never shorter than what the writer of that version promised itself, plus the margin.

use std::time::Duration;

use super::config::LeaseConfig;
use super::record::{Expect, Item, LeaseRecord, NOBODY_YET, RawItem, SKIP_LEASE};
use crate::instant::Instant;

/// The item as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sighting {
    /// What a claim compares.
    pub stamp: Expect,
    /// When the first answer with this stamp arrived.
    pub first_seen: Instant,
    /// Understood; `None` when there is no item.
    pub item: Option<Item>,
    /// It is native and older than an epoch seen before: restored from a copy.
    pub outdated: bool,
}

/// From when on an item may be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Free {
    /// From this instant.
    At(Instant),
    /// Not automatically.
    Never,
}

/// What an observer brings along to judge an item.
pub(super) struct Judge<'a> {
    pub config: &'a LeaseConfig,
    /// The longest lease duration that this instance knows of.
    pub longest: Duration,
    /// Names under which a switchover may address this instance.
    pub owner: &'a str,
    pub instance_id: &'a str,
}

impl Sighting {
    pub fn new(raw: Option<&RawItem>, received: Instant, highest_epoch: u64) -> Self {
        let item = raw.map(Item::parse);
        let outdated = matches!(&item, Some(Item::Native(record)) if record.epoch < highest_epoch);
        Self { stamp: raw.map_or(Expect::Absent, Item::stamp), first_seen: received, item, outdated }
    }

    /// Takes over a newer look at the item. The timer goes on if nobody wrote it meanwhile.
    pub fn refresh(&mut self, newer: Self) {
        let first_seen = if self.stamp == newer.stamp { self.first_seen } else { newer.first_seen };
        *self = Self { first_seen, ..newer };
    }

    /// Whether this may have come and gone unseen: no item, one put back, or one made anew (which nobody has held
    /// yet, but somebody may hold the one before it). Its stamp then says nothing about how long nobody held the
    /// lease, and it is marked with a new version before the wait for it begins (rule 3).
    pub fn may_return(&self) -> bool {
        match &self.item {
            None => true,
            Some(Item::Native(record)) if !record.is_released() => false,
            Some(Item::Native(record)) => self.outdated || record.epoch == 0,
            Some(Item::Foreign { .. } | Item::Unreadable { .. }) => false,
        }
    }

    /// From when on it may be claimed, or marked if it [may return](Self::may_return).
    pub fn free(&self, judge: &Judge<'_>) -> Free {
        let after = |lease: Duration| Free::At(self.first_seen + lease + judge.config.margin(lease));
        match &self.item {
            None => Free::At(self.first_seen),
            Some(Item::Foreign { owner }) if owner == SKIP_LEASE => Free::Never,
            Some(Item::Foreign { .. }) => after(judge.longest.max(judge.config.timings().foreign_threshold)),
            Some(Item::Unreadable { lease_duration, .. }) => {
                after(lease_duration.unwrap_or_default().max(judge.longest))
            }
            Some(Item::Native(record)) => {
                let addressed = record.switchover_to.as_deref();
                let to_me = addressed.is_some_and(|to| to == judge.owner || to == judge.instance_id);
                let mine_again = record.instance_id == judge.instance_id;
                // While paused, a lease that somebody was asked to give up goes where it was asked to go, or, if
                // nobody comes, back.
                let asked = to_me || addressed.is_some_and(|to| to == "*" || mine_again);
                if record.paused && !(asked && record.is_released()) {
                    return Free::Never;
                }
                if !record.is_released() {
                    return after(record.lease_duration.unwrap_or(judge.longest));
                }
                if self.outdated {
                    return Free::At(self.first_seen);
                }
                // Whoever was asked to take over goes first; the others wait as if it were held.
                match addressed {
                    None => Free::At(self.first_seen),
                    Some("*") if !mine_again => Free::At(self.first_seen),
                    Some(_) if to_me => Free::At(self.first_seen),
                    Some(_) => after(judge.longest),
                }
            }
        }
    }

    /// Why it may be claimed, for people.
    pub fn because(&self) -> String {
        match &self.item {
            None => "there is no lease item".to_owned(),
            Some(Item::Native(record)) if record.owner == NOBODY_YET => {
                "nobody held the lease for a whole lease duration".to_owned()
            }
            Some(Item::Foreign { owner }) => format!("the item of the foreign owner {owner:?} was not renewed in time"),
            Some(Item::Unreadable { .. }) => {
                "an unreadable item stayed unchanged for a whole lease duration".to_owned()
            }
            Some(Item::Native(record)) if record.is_released() => "it was released".to_owned(),
            Some(Item::Native(record)) => format!("{:?} did not renew epoch {} in time", record.owner, record.epoch),
        }
    }

    /// The record, if a Flagship wrote it.
    pub fn native(&self) -> Option<&LeaseRecord> {
        match &self.item {
            Some(Item::Native(record)) => Some(record),
            _ => None,
        }
    }

    /// Whose it is now, for people.
    pub fn whose(&self) -> String {
        match &self.item {
            None => "there is no lease item".to_owned(),
            Some(Item::Foreign { owner }) => format!("the item was written by {owner:?}, which is not a Flagship"),
            Some(Item::Unreadable { reason, .. }) => format!("the item became unreadable: {reason}"),
            Some(Item::Native(record)) if record.is_released() => format!("released, epoch {}", record.epoch),
            Some(Item::Native(record)) => format!("held by {:?} with epoch {}", record.owner, record.epoch),
        }
    }

    /// The state in a word or two, for status pages.
    pub fn label(&self) -> &'static str {
        match &self.item {
            None => "absent",
            Some(Item::Foreign { .. }) => "foreign",
            Some(Item::Unreadable { .. }) => "unreadable",
            Some(Item::Native(record)) if record.is_released() => "released",
            Some(Item::Native(_)) => "held by another",
        }
    }
}
