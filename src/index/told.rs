//! What a write of the status needs of objects that belong to people: their own part is not kept here.

use serde_json::{Map, Value, json};

use super::{Index, State};
use crate::mesh::{ClusterId, Compact, ObjectKey, Origin};

impl State {
    /// Remembers the status of an object, readable or not. True if that is news.
    fn note_status(&mut self, key: &ObjectKey, object: Option<&Value>) -> bool {
        let told = object.filter(|object| object.pointer("/metadata/resourceVersion").is_some()).map(told);
        match told {
            Some(told) => self.told.insert(key.clone(), told.clone()).as_ref() != Some(&told),
            None => self.told.remove(key).is_some(),
        }
    }
}

impl Index {
    /// Takes up the status of an object whose kind is told by status, if that is asked for.
    pub(super) fn note_status(&mut self, origin: &Origin, key: &ObjectKey, object: Option<&Value>) {
        let Origin::Cluster(cluster) = origin else { return };
        if !self.options.extension.policy_status || !key.kind.is_told_by_status() {
            return;
        }
        if self.clusters.get_mut(cluster).is_some_and(|state| state.note_status(key, object)) {
            self.newly_told.insert((cluster.clone(), key.clone()));
        }
    }

    /// The objects whose status, uid or version has changed since this was last asked, also of those that cannot be read.
    pub fn take_newly_told(&mut self) -> std::collections::BTreeSet<(ClusterId, ObjectKey)> {
        std::mem::take(&mut self.newly_told)
    }
}

fn told(object: &Value) -> Compact {
    let metadata = object.get("metadata");
    let field = |name: &str| Some((name.to_owned(), metadata?.get(name)?.clone()));
    let metadata: Map<_, _> =
        ["name", "namespace", "uid", "resourceVersion", "generation"].into_iter().filter_map(field).collect();
    Compact::new(&json!({ "metadata": metadata, "status": object.get("status").cloned().unwrap_or_default() }))
}
