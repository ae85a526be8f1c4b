//! Objects that several identities share: who asks for what, and the whole that comes of it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Planner;
use crate::desired::{self, Asked, Parts};
use crate::mesh::{ClusterId, Compact, ObjectKey};

/// What every identity asks for.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Object -> its parts -> who asks for them.
    asked: BTreeMap<(ClusterId, ObjectKey), Asked>,
    /// Identity -> the objects that it asks for parts of.
    askers: BTreeMap<String, BTreeSet<(ClusterId, ObjectKey)>>,
}

impl Ledger {
    /// Replaces what `identity` asks for; returns the objects that it asked or now asks for parts of.
    pub fn replace(&mut self, identity: &str, parts: Parts) -> BTreeSet<(ClusterId, ObjectKey)> {
        let mut touched = self.askers.remove(identity).unwrap_or_default();
        for at in &touched {
            let Some(asked) = self.asked.get_mut(at) else { continue };
            asked.retain(|_, by| {
                by.remove(identity);
                !by.is_empty()
            });
            if asked.is_empty() {
                self.asked.remove(at);
            }
        }
        if !parts.is_empty() {
            self.askers.insert(identity.to_owned(), parts.keys().cloned().collect());
        }
        for (at, parts) in parts {
            let asked = self.asked.entry(at.clone()).or_default();
            for part in parts {
                asked.entry(part).or_default().insert(identity.to_owned());
            }
            touched.insert(at);
        }
        touched
    }

    /// The objects of which `identity` asks for a part.
    pub fn asked_by(&self, identity: &str) -> impl Iterator<Item = &(ClusterId, ObjectKey)> {
        self.askers.get(identity).into_iter().flatten()
    }

    /// Every object of which somebody asks for a part.
    pub fn objects(&self) -> impl Iterator<Item = &(ClusterId, ObjectKey)> {
        self.asked.keys()
    }
}

impl Planner {
    /// Puts together what is desired of the shared objects among `keys`.
    pub(super) fn assemble(&mut self, keys: &BTreeSet<(ClusterId, ObjectKey)>) {
        let nothing = Asked::new();
        let options = self.options.clone();
        for at in keys.iter().filter(|(_, key)| desired::is_shared(key, &options)) {
            let (cluster, key) = at;
            let asked = self.parts.asked.get(at).unwrap_or(&nothing);
            let state = self.index.cluster(cluster).filter(|_| self.index.is_plannable(cluster));
            let whole = state.and_then(|state| {
                let observed = state.observed(key);
                desired::assemble(key, asked, observed.as_ref(), &self.index)
            });
            self.want(cluster, key, whole);
        }
    }

    /// Replaces what is desired of one object.
    pub(super) fn want(&mut self, cluster: &ClusterId, key: &ObjectKey, object: Option<Value>) {
        match object {
            Some(object) => {
                self.desired.entry(cluster.clone()).or_default().insert(key.clone(), Compact::new(&object));
            }
            None => {
                let Some(desired) = self.desired.get_mut(cluster) else { return };
                desired.remove(key);
                if desired.is_empty() {
                    self.desired.remove(cluster);
                }
            }
        }
    }
}
