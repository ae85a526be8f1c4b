//! The further ports of a host, with `--all-ports`.
//!
//! Invariant: a port is offered only if every Service behind the host has it. The port that the mesh uses is
//! number 80, as without the option.

use std::collections::{BTreeMap, BTreeSet};

use super::{MeshService, Resolved};
use crate::index::service::{Port, Protocol};
use crate::index::{Index, Name};
use crate::mesh::{Condition, Reason};

/// The number of the port that the mesh uses (reconcile-spec P4).
const FIRST: u16 = 80;

/// Gives every service its further ports, and reports those that cannot be offered.
pub fn expand(index: &Index, resolved: &mut Resolved) {
    if !index.options().extension.all_ports {
        return;
    }
    for service in &mut resolved.services {
        let behind = behind(index, service);
        let all: BTreeSet<(u16, Protocol)> =
            behind.values().flatten().map(|port| (port.number, port.protocol)).collect();
        let is_common = |(number, protocol): &(u16, Protocol)| {
            *number != FIRST
                && behind.values().all(|ports| ports.iter().any(|p| (p.number, p.protocol) == (*number, *protocol)))
        };
        let (offered, left_out): (Vec<_>, Vec<_>) = all.into_iter().partition(is_common);
        service.further_ports =
            offered.into_iter().map(|(number, protocol)| Port { number, target: number, protocol }).collect();
        resolved.conditions.extend(left_out.into_iter().map(|(number, protocol)| {
            let cause = match number {
                FIRST => "80 is the number of the first port".to_owned(),
                _ => "not every Service behind the host has it, with the same protocol".to_owned(),
            };
            let message = format!(
                "port {number} ({}) is not offered: {cause}; give the Services the same ports, and number 80 to none \
                 but the first",
                protocol.as_str()
            );
            Condition::new(None, format!("host {}", service.host), Reason::PortConflict, message)
        }));
    }
}

/// Every Service behind the host with its ports, but for the one that the mesh uses.
fn behind(index: &Index, service: &MeshService) -> BTreeMap<String, Vec<Port>> {
    let mut behind = BTreeMap::new();
    for (cluster, source) in service.sources.iter() {
        let Some(state) = index.cluster(cluster) else { continue };
        for local in &source.locals {
            let found = state.services.get(&Name::new(&local.namespace, &local.service));
            let ports = found.into_iter().flat_map(|found| &found.ports).filter(|port| port.number != local.port);
            behind.insert(format!("{cluster}/{}", local.host()), ports.copied().collect());
        }
    }
    behind
}
