//! Services: what selects workloads, the port of the mesh (reconcile-spec 2.4, 2.5), the gateway (3.2.4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::port::ports;
pub use super::port::{Port, Protocol};
use super::workload::{InboundPort, Workload};
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks};

/// A selector key of Argo's that says nothing about the workload (reconcile-spec S1).
const ROLLOUT_HASH: &str = "rollouts-pod-template-hash";

/// What is kept of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
    /// Whether it takes itself out of the mesh.
    pub ignored: bool,
    /// Without Argo's hash.
    pub selector: BTreeMap<String, String>,
    /// In their order.
    pub ports: Vec<Port>,
    /// `None` if it is no gateway Service, else the address that it offers.
    pub gateway: Option<Option<Gateway>>,
    /// Whether it is the gateway that goes first in some clusters (reconcile-spec 3.2.5).
    pub is_nlb: bool,
}

/// Where other clusters reach a cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gateway {
    /// Host name or IP.
    pub address: String,
    /// 15443, or a node port.
    pub port: u16,
}

impl Service {
    /// Whether it selects `workload`: every pair of the selector is in `matchLabels` (reconcile-spec S1).
    pub fn selects(&self, workload: &Workload) -> bool {
        !self.selector.is_empty() && self.selector.iter().all(|(k, v)| workload.match_labels.get(k) == Some(v))
    }

    /// The port that the mesh uses for a workload (reconcile-spec P1, P2).
    pub fn mesh_port(&self, wanted: InboundPort) -> Option<Port> {
        match wanted {
            InboundPort::First => self.ports.first().copied(),
            InboundPort::Target(target) => self.ports.iter().copied().find(|port| port.target == target),
            InboundPort::None => None,
        }
    }
}

impl Watched for Service {
    const KIND: Kind = Kind::Service;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        let annotations = root.field("metadata.annotations")?.strings()?;
        let labels = root.field("metadata.labels")?.strings()?;
        let selector = root.field("spec.selector")?.strings()?;
        let namespace = root.field("metadata.namespace")?.text()?.unwrap_or_default();
        let is_app = |app: &str| namespace == options.gateway_namespace && labels.get("app") == Some(&app);
        let is_nlb = !is_app(&options.gateway_app)
            && is_app(&options.entry.nlb_gateway_app)
            && !options.entry.nlb_clusters.is_empty();
        let is_gateway = is_nlb || is_app(&options.gateway_app);
        Ok(Some(Self {
            created_s: root.field("metadata.creationTimestamp")?.time()?,
            ignored: [annotations, labels].iter().any(|map| map.get(marks::IGNORE) == Some(&"true")),
            selector: selector
                .into_iter()
                .filter(|(key, _)| *key != ROLLOUT_HASH)
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
            ports: ports(&root, options)?,
            gateway: if is_gateway { Some(gateway(&root, options)?) } else { None },
            is_nlb,
        }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.services
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        let either: Vec<_> = [old, new].into_iter().flatten().collect();
        let prefers_nlb =
            matches!(origin, Origin::Cluster(id) if index.options.entry.nlb_clusters.contains(id.as_str()));
        let Some(state) = index.state_mut(origin) else { return Touched::none() };
        let selected = state.workloads_in(&name.namespace).map(|(_, _, workload)| workload);
        let selected = selected.filter(|workload| either.iter().any(|service| service.selects(workload)));
        let naming = state.rollouts_in(&name.namespace).filter(|(_, rollout)| rollout.names_service(&name.name));
        let mut identities: BTreeSet<String> =
            selected.chain(naming.map(|(_, rollout)| &rollout.workload)).map(|w| w.identity.clone()).collect();
        if either.iter().any(|service| service.gateway.is_some()) {
            let gateway = newest_gateway(&state.services, prefers_nlb);
            if gateway != state.gateway {
                state.gateway = gateway;
                identities.extend(state.workloads().map(|(_, _, workload)| workload.identity.clone()));
            }
        }
        Touched::identities(identities)
    }
}

fn gateway(root: &At<'_>, options: &MeshOptions) -> Result<Option<Gateway>, DecodeError> {
    let mut ip = None;
    for ingress in root.field("status.loadBalancer.ingress")?.items()? {
        if let Some(host) = ingress.field("hostname")?.text()?.filter(|host| !host.is_empty()) {
            let dot = if options.enable_absolute_fqdn && !host.ends_with('.') { "." } else { "" };
            return Ok(Some(Gateway { address: format!("{host}{dot}"), port: marks::GATEWAY_PORT }));
        }
        ip = ip.or(ingress.field("ip")?.text()?.filter(|ip| !ip.is_empty()));
    }
    if let Some(ip) = ip {
        return Ok(Some(Gateway { address: ip.to_owned(), port: marks::GATEWAY_PORT }));
    }
    let mut node_port = None;
    for port in root.field("spec.ports")?.items()? {
        if port.field("port")?.port()? == Some(marks::GATEWAY_PORT) {
            node_port = port.field("nodePort")?.port()?;
        }
    }
    let externals = root.field("spec.externalIPs")?.items()?;
    let Some(address) = externals.first().map(At::text).transpose()?.flatten() else { return Ok(None) };
    Ok(Some(Gateway { address: address.to_owned(), port: node_port.unwrap_or(marks::GATEWAY_PORT) }))
}

/// The address of the newest gateway Service, even if that one has none (reconcile-spec 3.2.4); where it is
/// preferred, that of the newest NLB's if it has one (3.2.5).
fn newest_gateway(services: &BTreeMap<Name, Service>, prefers_nlb: bool) -> Option<Gateway> {
    let newest = |is_nlb: bool| {
        let gateways = services.values().filter(|service| !service.ignored && service.is_nlb == is_nlb);
        let gateways = gateways.filter_map(|service| Some((service.created_s, service.gateway.as_ref()?)));
        // Of equals the lexically first, hence the reversal.
        gateways.rev().max_by_key(|(created_s, _)| *created_s).and_then(|(_, gateway)| gateway.clone())
    };
    let nlb = if prefers_nlb { newest(true) } else { None };
    nlb.or_else(|| newest(false))
}
