//! Which Services stand behind a workload (reconcile-spec 2.4, 2.5, 2.7).

use std::collections::BTreeMap;

use crate::desired::{HostRole, Local};
use crate::index::service::{Port, Protocol};
use crate::index::workload::WorkloadKind;
use crate::index::{Index, Name, WorkloadRef};
use crate::mesh::{Condition, Reason};

use super::{condition, rollout};

/// What a workload serves in its cluster; the default host is among it.
#[derive(Clone, Debug)]
pub struct Serving {
    /// That of the default host.
    pub protocol: Protocol,
    by_role: BTreeMap<HostRole, Vec<Local>>,
}

impl Serving {
    /// The default host alone, behind one Service.
    pub fn new(kind: WorkloadKind, (name, port): (&Name, Port)) -> Self {
        let by_role = BTreeMap::from([(HostRole::Default, vec![local(kind, name, port)])]);
        Self { protocol: port.protocol, by_role }
    }

    /// Puts `locals` behind the host of `role`.
    pub fn set(&mut self, role: HostRole, locals: Vec<Local>) {
        self.by_role.insert(role, locals);
    }

    /// The Services behind the host of `role`.
    pub fn locals(&self, role: HostRole) -> &[Local] {
        self.by_role.get(&role).map_or(&[], Vec::as_slice)
    }
}

/// A Service without a weight.
pub fn local(kind: WorkloadKind, name: &Name, port: Port) -> Local {
    let (namespace, service) = (name.namespace.clone(), name.name.clone());
    Local { kind, namespace, service, port: port.number, weight: None }
}

/// Of the workloads of one cluster and kind the oldest that serves anything; the others are reported.
pub fn choose<'a>(
    index: &Index,
    candidates: &[WorkloadRef<'a>],
    conditions: &mut Vec<Condition>,
) -> Option<(WorkloadRef<'a>, Serving)> {
    let mut outcomes: Vec<_> = candidates.iter().map(|workload| serving(index, workload)).collect();
    let at = outcomes.iter().position(|(serving, _)| serving.is_some()).unwrap_or(0);
    let chosen = *candidates.get(at)?;
    for (_, workload) in candidates.iter().enumerate().filter(|(i, _)| *i != at) {
        let message = format!(
            "{} of this cluster has the same identity and env and is preferred, being the older one or the only one \
             with a Service; give one of the two another identity or env, or delete it",
            chosen.subject()
        );
        conditions.push(condition(workload, Reason::DuplicateIdentity, message));
    }
    let (serving, found) = outcomes.swap_remove(at);
    conditions.extend(found);
    Some((chosen, serving?))
}

/// What a workload serves, and what is wrong with it.
fn serving(index: &Index, workload: &WorkloadRef<'_>) -> (Option<Serving>, Vec<Condition>) {
    if let Some(rollout) = index.rollout(workload) {
        return rollout::serving(index, workload, &rollout.strategy);
    }
    let services = index.services_of(workload);
    match usable(&services).next() {
        Some(service) => (Some(Serving::new(workload.kind, service)), Vec::new()),
        None => (None, vec![without_service(workload, &services)]),
    }
}

/// The Services that have the port that the mesh uses, the oldest first.
pub fn usable<'a>(services: &[(&'a Name, Option<Port>)]) -> impl DoubleEndedIterator<Item = (&'a Name, Port)> {
    services.iter().filter_map(|(name, port)| Some((*name, (*port)?)))
}

/// Why no Service stands behind the workload.
pub fn without_service(workload: &WorkloadRef<'_>, services: &[(&Name, Option<Port>)]) -> Condition {
    let (reason, message) = if services.is_empty() {
        let message = "no Service of its namespace has a selector that spec.selector.matchLabels satisfies; create \
                       one, or correct the selector";
        (Reason::NoMatchingService, message)
    } else {
        let message = "no Service that selects it has the first port of the annotation \
                       traffic.sidecar.istio.io/includeInboundPorts as its target; correct one of them";
        (Reason::NoMeshPort, message)
    };
    condition(workload, reason, message.to_owned())
}
