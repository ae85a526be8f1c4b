//! What is known of one API server.

use std::collections::BTreeMap;

use super::NearMiss;
use super::client_connection_config::ClientConnectionConfig;
use super::config_map::ConfigMap;
use super::decode::DecodeError;
use super::dependency::Dependency;
use super::deployment::Deployment;
use super::destination_rule::DestinationRule;
use super::envoy_filter::EnvoyFilter;
use super::event::Event;
use super::global_traffic_policy::GlobalTrafficPolicy;
use super::job::Job;
use super::namespace::Namespace;
use super::node::Node;
use super::outlier_detection::OutlierDetection;
use super::rollout::Rollout;
use super::routing_policy::RoutingPolicy;
use super::service::{Gateway, Service};
use super::service_entry::ServiceEntry;
use super::sidecar::Sidecar;
use super::virtual_service::VirtualService;
use crate::mesh::{Compact, Kind, ObjectKey};

/// Namespace and name, ordered by namespace first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// Empty for cluster-scoped kinds.
    pub namespace: String,
    /// The object's name.
    pub name: String,
}

impl Name {
    /// A name from its parts.
    pub fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl From<&ObjectKey> for Name {
    fn from(key: &ObjectKey) -> Self {
        Self::new(&key.namespace, &key.name)
    }
}

/// The kept objects of one API server by kind, and what is derived from them.
#[derive(Debug, Default)]
pub struct State {
    /// Whether every watch has delivered its first list.
    pub synced: bool,
    /// Namespaces that are ignored.
    pub namespaces: BTreeMap<Name, Namespace>,
    /// Nodes that say where they are.
    pub nodes: BTreeMap<Name, Node>,
    /// Services.
    pub services: BTreeMap<Name, Service>,
    /// Deployments with an identity.
    pub deployments: BTreeMap<Name, Deployment>,
    /// Rollouts with an identity.
    pub rollouts: BTreeMap<Name, Rollout>,
    /// Jobs with an identity.
    pub jobs: BTreeMap<Name, Job>,
    /// Dependency records (control cluster only).
    pub dependencies: BTreeMap<Name, Dependency>,
    /// ConfigMaps of the sync namespace.
    pub config_maps: BTreeMap<Name, ConfigMap>,
    /// ServiceEntries of the sync namespace.
    pub service_entries: BTreeMap<Name, ServiceEntry>,
    /// DestinationRules of the sync namespace, and others if they are copied or routed by.
    pub destination_rules: BTreeMap<Name, DestinationRule>,
    /// RoutingPolicies that are not ignored.
    pub routing_policies: BTreeMap<Name, RoutingPolicy>,
    /// VirtualServices.
    pub virtual_services: BTreeMap<Name, VirtualService>,
    /// Sidecars to which hosts may be added.
    pub sidecars: BTreeMap<Name, Sidecar>,
    /// EnvoyFilters of Istio's root namespace.
    pub envoy_filters: BTreeMap<Name, EnvoyFilter>,
    /// Events that Flagship made.
    pub events: BTreeMap<Name, Event>,
    /// GlobalTrafficPolicies.
    pub traffic_policies: BTreeMap<Name, GlobalTrafficPolicy>,
    /// OutlierDetections.
    pub outlier_detections: BTreeMap<Name, OutlierDetection>,
    /// ClientConnectionConfigs.
    pub connection_configs: BTreeMap<Name, ClientConnectionConfig>,
    /// The uids of objects that may get an Event and are not kept whole, if Events are asked for.
    pub uids: BTreeMap<ObjectKey, String>,
    /// The status and version of objects that are told by status, if that is asked for.
    pub told: BTreeMap<ObjectKey, Compact>,
    /// Objects whose newest version could not be read.
    pub invalid: BTreeMap<ObjectKey, DecodeError>,
    /// Workloads that only lack an identity.
    pub near_misses: BTreeMap<(Kind, Name), NearMiss>,
    /// Derived from the nodes (reconcile-spec 2.6).
    pub region: Option<String>,
    /// The zone of all its nodes, if it is asked for and they are in one.
    pub zone: Option<String>,
    /// Derived from the gateway Services (reconcile-spec 3.2.4).
    pub gateway: Option<Gateway>,
}
