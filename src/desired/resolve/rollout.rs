//! Which Services stand behind a Rollout, by its strategy (reconcile-spec 2.7).

use crate::desired::{HostRole, Local};
use crate::index::http_route::HttpRoute;
use crate::index::rollout::{RouteRef, Strategy};
use crate::index::service::Port;
use crate::index::workload::WorkloadKind;
use crate::index::{Index, Name, WorkloadRef};
use crate::mesh::{Condition, Reason, name};

use super::condition;
use super::serving::{Serving, local, usable, without_service};

/// What a Rollout serves, and what is wrong with it.
pub fn serving(index: &Index, workload: &WorkloadRef<'_>, strategy: &Strategy) -> (Option<Serving>, Vec<Condition>) {
    let mut search = Search { index, workload, services: index.services_of(workload), conditions: Vec::new() };
    let serving = match strategy {
        Strategy::BlueGreen { active, preview } => search.blue_green(active.as_deref(), preview.as_deref()),
        Strategy::Canary => search.canary(),
        Strategy::IstioCanary { stable, canary, route } => {
            search.istio_canary(stable.as_deref(), canary.as_deref(), route.as_ref())
        }
        Strategy::Other(shown) => {
            let message = format!(
                "spec.strategy is {shown}, which gives the Rollout no place in the mesh; use blueGreen or canary"
            );
            search.report(Reason::UnknownStrategy, message);
            None
        }
    };
    (serving, search.conditions)
}

struct Search<'a> {
    index: &'a Index,
    workload: &'a WorkloadRef<'a>,
    /// Those that select the pods, the oldest first.
    services: Vec<(&'a Name, Option<Port>)>,
    conditions: Vec<Condition>,
}

impl<'a> Search<'a> {
    /// R1: the active Service, and the preview one behind a host of its own.
    fn blue_green(&mut self, active: Option<&str>, preview: Option<&str>) -> Option<Serving> {
        let service = match active {
            Some(active) => self.named("spec.strategy.blueGreen.activeService", active),
            None => self.newest("active-service").or_else(|| {
                let message = "spec.strategy.blueGreen.activeService is absent, and no Service that selects the \
                               Rollout has a name with active-service; name the Service there";
                self.report(Reason::UnknownService, message.to_owned());
                None
            }),
        }?;
        let mut serving = Serving::new(WorkloadKind::Rollout, service);
        if let Some(preview) = preview {
            let service = self.named("spec.strategy.blueGreen.previewService", preview);
            serving.set(HostRole::Preview, service.into_iter().map(own).collect());
        }
        Some(serving)
    }

    /// R4: nobody but the Services' names says which of them takes all traffic.
    fn canary(&mut self) -> Option<Serving> {
        let found = ["root-service", "stable-service", ""].into_iter().find_map(|part| self.newest(part));
        if found.is_none() {
            self.conditions.push(without_service(self.workload, &self.services));
        }
        found.map(|service| Serving::new(WorkloadKind::Rollout, service))
    }

    /// R2 and R3: the stable Service and, with a weight, the canary one; that also behind a host of its own.
    fn istio_canary(
        &mut self,
        stable: Option<&str>,
        canary: Option<&str>,
        route: Option<&RouteRef>,
    ) -> Option<Serving> {
        let service = match stable {
            Some(stable) => self.named("spec.strategy.canary.stableService", stable),
            None => self.newest("").or_else(|| {
                self.conditions.push(without_service(self.workload, &self.services));
                None
            }),
        };
        let canary = canary.and_then(|canary| self.named("spec.strategy.canary.canaryService", canary));
        let service = service?;
        let mut serving = Serving::new(WorkloadKind::Rollout, service);
        let Some(canary) = canary else { return Some(serving) };
        serving.set(HostRole::Canary, vec![own(canary)]);
        if stable.is_some()
            && let Some(route) = route.and_then(|route| self.route(route))
        {
            // A weight of 0 is none, and the stable Service starts with 1.
            let share = |(name, _): (&Name, Port)| Some(route.weight_of(name)).filter(|weight| *weight > 0);
            if let Some(weight) = share(canary) {
                let stable = Local { weight: share(service).or(Some(1)), ..own(service) };
                serving.set(HostRole::Default, vec![stable, Local { weight: Some(weight), ..own(canary) }]);
            }
        }
        Some(serving)
    }

    /// The http route that holds the weights; if there is none, that is reported.
    fn route(&mut self, wanted: &RouteRef) -> Option<&'a HttpRoute> {
        const FIELD: &str = "spec.strategy.canary.trafficRouting.istio.virtualService";
        let (vs, namespace) = (name::shown(&wanted.virtual_service), &self.workload.name.namespace);
        let routes = self.index.http_routes(self.workload, &wanted.virtual_service);
        let problem = match (routes, &wanted.route) {
            (None, _) => format!("name is {vs}: there is no such VirtualService in namespace {namespace}; create it"),
            (Some([only]), None) => return Some(only),
            (Some(routes), None) => {
                format!("routes is empty, but VirtualService {vs} has {} http routes; name the one", routes.len())
            }
            (Some(routes), Some(route)) => match routes.iter().find(|candidate| candidate.name == *route) {
                Some(found) => return Some(found),
                None => {
                    let names: Vec<_> = routes.iter().map(|route| name::shown(&route.name)).collect();
                    let (route, names) = (name::shown(route), names.join(", "));
                    format!(
                        "routes[0] is {route}, but the http routes of VirtualService {vs} are [{names}]; correct it"
                    )
                }
            },
        };
        let message = format!("{FIELD}.{problem} (until then all traffic goes to the stable Service)");
        self.report(Reason::UnknownRoute, message);
        None
    }

    /// The Service of this name, if it can serve; else it is reported under `field`.
    fn named(&mut self, field: &str, service: &str) -> Option<(&'a Name, Port)> {
        let found = self.services.iter().find(|(name, _)| name.name == service).copied();
        if let Some((name, Some(port))) = found {
            return Some((name, port));
        }
        let namespace = &self.workload.name.namespace;
        let cause = if found.is_some() {
            "it has not the first port of the annotation traffic.sidecar.istio.io/includeInboundPorts as a target; \
             correct one of them"
                .to_owned()
        } else if self.index.has_service(self.workload, service) {
            "its selector is not satisfied by spec.selector.matchLabels, or it is ignored; correct the selector"
                .to_owned()
        } else {
            format!("there is no such Service in namespace {namespace}; create it, or correct the name")
        };
        self.report(Reason::UnknownService, format!("{field} is {}: {cause}", name::shown(service)));
        None
    }

    /// The newest usable Service whose name ends with `part`, else the newest whose name contains it.
    fn newest(&self, part: &str) -> Option<(&'a Name, Port)> {
        let newest = |fits: &dyn Fn(&str) -> bool| usable(&self.services).rev().find(|(name, _)| fits(&name.name));
        newest(&|name| name.ends_with(part)).or_else(|| newest(&|name| name.contains(part)))
    }

    fn report(&mut self, reason: Reason, message: String) {
        self.conditions.push(condition(self.workload, reason, message));
    }
}

fn own((name, port): (&Name, Port)) -> Local {
    local(WorkloadKind::Rollout, name, port)
}
