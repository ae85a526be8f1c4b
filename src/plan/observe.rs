//! What the address book learns from observed objects.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Planner;
use crate::desired::{MeshService, names, released};
use crate::index::observed;
use crate::mesh::{ClusterId, Condition, Kind, ObjectKey, Reason, marks};

impl Planner {
    /// Tells the address book of Admiral's own record (reconcile-spec 3.3).
    pub(super) fn read_record(&mut self, key: &ObjectKey) {
        if key.kind != Kind::ConfigMap || key.name != self.options.address_configmap {
            return;
        }
        let parsed =
            self.index.control().observed(key).map_or(Ok(BTreeMap::new()), |map| released::parse_admiral(&map));
        self.unreadable_record = match parsed {
            Ok(entries) => {
                self.book.record(entries);
                None
            }
            Err(cause) => {
                let message = format!("{cause}; correct it (until then what was read before stays in force)");
                Some(Condition::new(None, key.to_string(), Reason::InvalidObject, message))
            }
        };
        // The book is settled by the next plan, even if nothing else happens.
        self.dirty.book = true;
    }

    /// Tells the address book of an observed object.
    pub(super) fn read_observed(&mut self, cluster: &ClusterId, key: &ObjectKey) {
        self.read_original(cluster, key);
        let Some(object) = self.index.cluster(cluster).map(|state| state.observed(key)) else { return };
        match key.kind {
            Kind::ServiceEntry => {
                let address = object.as_ref().and_then(observed::address);
                let is_ours = object.as_ref().is_some_and(marks::is_owned);
                self.book.observe(cluster, &key.name, address, is_ours);
                // Its endpoints are part of what is desired while some cluster is unknown. If it has none but those it
                // should have, as after each write of ours, they change nothing.
                if !self.index.is_complete() && !self.has_desired_endpoints(cluster, key, object.as_ref()) {
                    self.dirty.identities.extend(self.claimants.get(&key.name).into_iter().flatten().cloned());
                }
            }
            // What was in force, or which region was first, may be read from it.
            Kind::DestinationRule if key.namespace == self.options.sync_namespace => {
                for entry in names::entries_of_rule(&key.name) {
                    let claimants = self.claimants.get(&entry).into_iter().flatten();
                    let reads =
                        |service: &MeshService| service.policy.locality.is_observed() && service.entry_name() == entry;
                    let reading = claimants.filter(|identity| {
                        self.resolved.get(*identity).is_some_and(|resolved| resolved.services.iter().any(reads))
                    });
                    self.dirty.identities.extend(reading.cloned());
                }
            }
            Kind::ConfigMap if *key == released::key(&self.options) => {
                let owned = object.filter(marks::is_owned);
                let entries = owned.map(|map| released::parse(&map)).unwrap_or_default();
                self.book.remember_released(cluster, entries);
            }
            _ => {}
        }
    }

    fn has_desired_endpoints(&self, cluster: &ClusterId, key: &ObjectKey, entry: Option<&Value>) -> bool {
        let (Some(entry), Some(desired)) = (entry, self.desired_object(cluster, key)) else { return false };
        observed::endpoints(entry) == observed::endpoints(&desired)
    }
}
