//! What one identity asks for: whole objects, and its parts of objects that it shares with others. A registry of
//! the generators that see all services of an identity at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{MeshService, Objects, additional, envoy_filter, ingress, sidecar};
use crate::index::Index;
use crate::mesh::{ClusterId, Condition, Kind, ObjectKey};

/// Parts of shared objects, by cluster and key: egress hosts of a Sidecar, subject names of a namespace's rule.
pub type Parts = BTreeMap<(ClusterId, ObjectKey), BTreeSet<String>>;

/// What an identity asks for.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Objects that are its own.
    pub objects: Objects,
    /// What it needs of objects that are not.
    pub parts: Parts,
    /// What a person should know.
    pub conditions: Vec<Condition>,
}

/// What a generator of this registry makes objects from.
#[derive(Debug)]
pub struct Identity<'a> {
    /// Everything that is known.
    pub index: &'a Index,
    /// In lower case.
    pub name: &'a str,
    /// Its services whose hosts belong to it; perhaps none.
    pub services: &'a [&'a MeshService],
}

/// Adds to what is wanted already, ServiceEntries among it.
type Generator = fn(&Identity<'_>, &mut Wanted);

/// Every generator; a new one is a file and a row here.
const GENERATORS: [Generator; 4] = [additional::generate, envoy_filter::generate, sidecar::generate, ingress::generate];

/// What `identity` asks for, given the `objects` of its hosts.
pub fn wanted(identity: &Identity<'_>, objects: Objects) -> Wanted {
    let mut wanted = Wanted { objects, ..Wanted::default() };
    for generator in GENERATORS {
        generator(identity, &mut wanted);
    }
    wanted
}

impl Wanted {
    /// The clusters that are to have the ServiceEntry of `service`.
    pub(super) fn clusters_with(&self, identity: &Identity<'_>, service: &MeshService) -> Vec<ClusterId> {
        let entry = ObjectKey::new(Kind::ServiceEntry, &identity.index.options().sync_namespace, service.entry_name());
        let clusters = service.sources.keys().chain(service.dependents.iter());
        clusters.filter(|cluster| self.objects.contains_key(&((*cluster).clone(), entry.clone()))).cloned().collect()
    }

    /// Asks for a part of a shared object.
    pub(super) fn ask(&mut self, cluster: &ClusterId, key: ObjectKey, part: String) {
        self.parts.entry((cluster.clone(), key)).or_default().insert(part);
    }
}
