//! The http routes of VirtualServices: only where they lead and with which weights, for the Rollouts that
//! shift their traffic there (reconcile-spec R2).

use super::Name;
use super::decode::{At, DecodeError};

/// One http route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRoute {
    /// Empty if it has none.
    pub name: String,
    /// Host and weight of each destination, as written.
    pub destinations: Vec<(String, u32)>,
}

impl HttpRoute {
    /// The routes of a VirtualService.
    ///
    /// # Errors
    /// When a field that is used has a wrong type.
    pub fn all_of(virtual_service: &At<'_>) -> Result<Vec<Self>, DecodeError> {
        virtual_service.field("spec.http")?.items()?.iter().map(Self::decode).collect()
    }

    /// The weight of a Service, which a destination may name in short or in full; 0 if none does.
    pub fn weight_of(&self, service: &Name) -> u32 {
        let names_it = |host: &str| {
            let rest = host.strip_prefix(service.name.as_str());
            let within = rest.and_then(|rest| rest.strip_prefix('.')?.strip_prefix(service.namespace.as_str()));
            rest == Some("") || within.is_some_and(|rest| ["", ".svc", ".svc.cluster.local"].contains(&rest))
        };
        self.destinations.iter().filter(|(host, _)| names_it(host)).map(|(_, weight)| *weight).max().unwrap_or_default()
    }

    fn decode(at: &At<'_>) -> Result<Self, DecodeError> {
        let mut destinations = Vec::new();
        for destination in at.field("route")?.items()? {
            let host = destination.field("destination.host")?.text()?.unwrap_or_default().to_owned();
            destinations.push((host, destination.field("weight")?.count()?.unwrap_or_default()));
        }
        Ok(Self { name: at.field("name")?.text()?.unwrap_or_default().to_owned(), destinations })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_destination_names_a_service_in_short_or_in_full() {
        let hosts = ["stable", "stable.ns", "stable.ns.svc", "stable.ns.svc.cluster.local"];
        let others = ["stable.other", "stables", "stable.nsx", "stable.ns.svc.example.com", "x.stable"];
        for (host, weight) in hosts.map(|host| (host, 7)).into_iter().chain(others.map(|host| (host, 0))) {
            let object = json!({"spec": {"http": [{"route": [{"destination": {"host": host}, "weight": 7}]}]}});
            let routes = HttpRoute::all_of(&At::root(&object)).unwrap();
            assert_eq!(routes[0].weight_of(&Name::new("ns", "stable")), weight, "{host}");
        }
    }

    #[test]
    fn bad_weights_name_their_field() {
        let object = json!({"spec": {"http": [{"route": [{"destination": {"host": "a"}, "weight": -1}]}]}});
        let error = HttpRoute::all_of(&At::root(&object)).unwrap_err();
        assert_eq!(error.to_string(), "spec.http[0].route[0].weight is -1, but must be a number from 0");
    }
}
