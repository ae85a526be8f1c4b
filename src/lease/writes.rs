//! The writes of the protocol: which attributes each sets, and on which condition.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::LeaseConfig;
use super::identity::Identity;
use super::message::{Purpose, Write};
use super::record::{
    ACQUIRED_TIME, Attribute, ENDPOINT, EPOCH, Expect, INSTANCE_ID, LEASE_DURATION_MS, LEASE_OWNER, NOBODY_YET, NOTES,
    REGION, SWITCHOVER_TO, UPDATED_TIME, VERSION,
};
use crate::instant::WallTime;

/// What every write of ours needs to know.
pub(super) struct Author<'a> {
    pub config: &'a LeaseConfig,
    pub me: &'a Identity,
    pub wall: WallTime,
    pub nonce: &'a str,
    pub epoch: u64,
}

impl Author<'_> {
    /// Become the holder of what `expect` describes. A switchover request is thereby served.
    pub fn claim(&self, expect: Expect) -> Write {
        let mut set = self.stamped(&self.me.owner);
        set.insert(ACQUIRED_TIME, number(self.wall.unix_ms()));
        set.insert(ENDPOINT, Attribute::S(self.me.endpoint.clone()));
        set.insert(REGION, Attribute::S(self.me.region.clone()));
        set.insert(NOTES, Attribute::S("held by Flagship".to_owned()));
        Write { purpose: Purpose::Claim, expect, set, remove: vec![SWITCHOVER_TO] }
    }

    /// Hold the lease for nobody: whoever finds this version waits until it has stood for `longest`.
    pub fn mark(&self, expect: Expect, longest: Duration) -> Write {
        let mut set = self.stamped(NOBODY_YET);
        set.insert(LEASE_DURATION_MS, number(millis(longest)));
        set.insert(NOTES, Attribute::S("marked by Flagship; free once it has stood for a lease duration".to_owned()));
        Write { purpose: Purpose::Mark, expect, set, remove: Vec::new() }
    }

    /// Stay the holder (rule 1). `forget_switchover` drops a request that names the holder itself.
    pub fn renew(&self, version: &str, forget_switchover: bool) -> Write {
        let remove = if forget_switchover { vec![SWITCHOVER_TO] } else { Vec::new() };
        Write { purpose: Purpose::Renew, expect: self.mine(version), set: self.stamped(&self.me.owner), remove }
    }

    /// Stop being the holder; the epoch stays (rule 5).
    pub fn release(&self, version: &str) -> Write {
        Write { purpose: Purpose::Release, expect: self.mine(version), set: self.stamped(""), remove: Vec::new() }
    }

    fn mine(&self, version: &str) -> Expect {
        Expect::Version { version: version.to_owned(), instance_id: Some(self.me.instance_id.clone()) }
    }

    fn stamped(&self, owner: &str) -> BTreeMap<&'static str, Attribute> {
        BTreeMap::from([
            (LEASE_OWNER, Attribute::S(owner.to_owned())),
            (INSTANCE_ID, Attribute::S(self.me.instance_id.clone())),
            (VERSION, Attribute::S(self.nonce.to_owned())),
            (EPOCH, number(self.epoch)),
            (LEASE_DURATION_MS, number(millis(self.config.timings().lease_duration))),
            (UPDATED_TIME, number(self.wall.unix_s())),
        ])
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn number(value: u64) -> Attribute {
    Attribute::N(value.to_string())
}
