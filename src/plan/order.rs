//! Which clusters are written first when a host's preferred region changes (reconcile-spec 3.1.6): those of the
//! newly preferred region, so that it takes its own traffic before others send it theirs.

use serde_json::Value;

use super::Planner;
use crate::desired::preferred_region;
use crate::mesh::{ClusterId, Kind, ObjectKey};

impl Planner {
    /// The clusters whose pending write of the same object should come before that of `cluster`. A hint: whoever
    /// writes must not wait for a cluster that is in trouble.
    pub fn goes_before<'a>(
        &'a self,
        cluster: &'a ClusterId,
        key: &'a ObjectKey,
    ) -> impl Iterator<Item = &'a ClusterId> + use<'a> {
        let region = self.turning.get(&(cluster.clone(), key.clone())).map(String::as_str);
        let here = region.is_some() && self.index.region(cluster) == region;
        let others = self.changes.iter().filter(move |(of, changes)| {
            region.is_some() && !here && self.index.region(of) == region && changes.contains_key(key)
        });
        others.map(|(of, _)| of)
    }

    /// Notes the region that gets all traffic of a host by the update of its rule, and did not before.
    pub(super) fn note_preference(&mut self, cluster: &ClusterId, key: &ObjectKey, desired: &Value, observed: &Value) {
        if key.kind != Kind::DestinationRule || !self.options.policy.prevent_split_brain {
            return;
        }
        let region = preferred_region(desired).filter(|region| preferred_region(observed) != Some(*region));
        if let Some(region) = region {
            self.turning.insert((cluster.clone(), key.clone()), region.to_owned());
        }
    }
}
