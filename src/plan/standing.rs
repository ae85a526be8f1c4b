//! How single objects stand between wish and reality, for whoever asks about one identity.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use serde_json::Value;

use super::Planner;
use crate::desired::{Resolved, names};
use crate::mesh::{ClusterId, Compact, Kind, ObjectKey, Op, marks};

/// How an object stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is as desired.
    InPlace,
    /// It is to be created.
    ToCreate,
    /// It differs from what is desired.
    ToUpdate,
    /// Nothing desires it any more.
    ToDelete,
    /// Somebody else's object has its name.
    Foreign,
    /// It is ours, nothing desires it, and it stays all the same: its identity is suspended, or some cluster has
    /// not been seen yet.
    Kept,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InPlace => "in place",
            Self::ToCreate => "to be created",
            Self::ToUpdate => "to be updated",
            Self::ToDelete => "to be deleted",
            Self::Foreign => "somebody else's",
            Self::Kept => "kept",
        })
    }
}

impl Planner {
    /// The services of an identity (given in lower case), as of the last plan.
    pub fn resolved(&self, identity: &str) -> Option<&Resolved> {
        self.resolved.get(identity)
    }

    /// The address of a host, by the name of its ServiceEntry.
    pub fn address(&self, entry: &str) -> Option<IpAddr> {
        self.book.address(entry)
    }

    /// The identity, in lower case, and the env that have `host`.
    pub fn identity_of_host(&self, host: &str) -> Option<(String, String)> {
        let identity = self.claimants.get(&names::entry(host))?.first()?;
        let services = &self.resolved.get(identity)?.services;
        let service = services.iter().find(|service| service.host.eq_ignore_ascii_case(host))?;
        Some((identity.clone(), service.env.clone()))
    }

    /// The object that a cluster should hold under `key`.
    pub fn desired_object(&self, cluster: &ClusterId, key: &ObjectKey) -> Option<Value> {
        self.desired.get(cluster)?.get(key).map(Compact::value)
    }

    /// Every object that was made for an identity (given in lower case), or is left of it.
    pub fn objects_of(&self, identity: &str) -> BTreeSet<(ClusterId, ObjectKey)> {
        let mut keys: BTreeSet<_> = self.produced.get(identity).into_iter().flatten().cloned().collect();
        let tail = format!(".{identity}.{}-", self.options.hostname_suffix.to_lowercase());
        let is_of = |key: &ObjectKey| key.name.contains(&tail);
        for (cluster, changes) in &self.changes {
            let deletes = changes.iter().filter(|(key, op)| matches!(op, Op::Delete { .. }) && is_of(key));
            keys.extend(deletes.map(|(key, _)| (cluster.clone(), key.clone())));
        }
        // A Sidecar that nobody has is not made.
        let shared = self.parts.asked_by(identity);
        keys.extend(shared.filter(|(cluster, key)| self.desired_object(cluster, key).is_some()).cloned());
        // Only where objects stay that nothing desires is it worth a look at all of them.
        if self.index.suspensions().keeps(identity, None) || !self.index.is_complete() {
            for (cluster, state) in self.index.clusters() {
                for kind in [Kind::ServiceEntry, Kind::DestinationRule] {
                    let theirs = state.observed_of(kind).into_iter().filter(|(key, _)| is_of(key));
                    let ours = theirs.filter(|(_, object)| marks::is_owned(&object.value()));
                    keys.extend(ours.map(|(key, _)| (cluster.clone(), key)));
                }
            }
        }
        keys
    }

    /// How an object of [`Self::objects_of`] stands.
    pub fn standing(&self, cluster: &ClusterId, key: &ObjectKey) -> Standing {
        let full = (cluster.clone(), key.clone());
        if self.foreign.contains(&full) {
            return Standing::Foreign;
        }
        match self.pending(cluster, key) {
            Some(Op::Create { .. }) => Standing::ToCreate,
            Some(Op::Update { .. }) => Standing::ToUpdate,
            Some(Op::Delete { .. }) => Standing::ToDelete,
            None if self.desired_object(cluster, key).is_some() => Standing::InPlace,
            None => Standing::Kept,
        }
    }
}
