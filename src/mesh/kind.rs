//! The kinds that Flagship watches or writes: the one table of their groups, versions and plurals.

use std::fmt;

use super::MeshSettings;

/// A watched or written kind. A new one is a variant here and a row in `Kind::row`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// `v1` Namespace.
    Namespace,
    /// `v1` Node.
    Node,
    /// `v1` Service.
    Service,
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` ConfigMap, in the sync namespace only.
    ConfigMap,
    /// `admiral.io/v1alpha1` Dependency, in the control cluster.
    Dependency,
    /// `networking.istio.io` ServiceEntry, in the sync namespace.
    ServiceEntry,
    /// `networking.istio.io` DestinationRule, in the sync namespace.
    DestinationRule,
    /// `argoproj.io/v1alpha1` Rollout.
    Rollout,
    /// `batch/v1` Job.
    Job,
    /// `admiral.io/v1alpha1` GlobalTrafficPolicy.
    GlobalTrafficPolicy,
    /// `admiral.io/v1alpha1` OutlierDetection.
    OutlierDetection,
    /// `admiral.io/v1alpha1` ClientConnectionConfig.
    ClientConnectionConfig,
    /// `admiral.io/v1alpha1` RoutingPolicy.
    RoutingPolicy,
    /// `networking.istio.io` VirtualService.
    VirtualService,
    /// `networking.istio.io` Sidecar.
    Sidecar,
    /// `networking.istio.io` EnvoyFilter, in Istio's root namespace.
    EnvoyFilter,
    /// `v1` Event, those that Flagship made.
    Event,
}

/// In which clusters a kind is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchScope {
    /// The control cluster only.
    Control,
    /// Every cluster of the mesh.
    EachCluster,
    /// Both.
    Everywhere,
}

/// In which namespaces of a cluster a kind is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamespaceScope {
    /// The kind has no namespace.
    ClusterScoped,
    /// All namespaces.
    All,
    /// The sync namespace (`--sync-namespace`).
    Sync,
    /// The Dependency namespace (`--dependency-namespace`).
    Dependency,
    /// Istio's root namespace (`--istio-namespace`).
    Istio,
}

/// One row of the table.
struct Row {
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    watch: WatchScope,
    namespaces: NamespaceScope,
}

impl Kind {
    /// Every kind, in the order in which they are watched.
    pub const ALL: [Self; 18] = [
        Self::Namespace,
        Self::Node,
        Self::Service,
        Self::Deployment,
        Self::ConfigMap,
        Self::Dependency,
        Self::ServiceEntry,
        Self::DestinationRule,
        Self::Rollout,
        Self::Job,
        Self::GlobalTrafficPolicy,
        Self::OutlierDetection,
        Self::ClientConnectionConfig,
        Self::RoutingPolicy,
        Self::VirtualService,
        Self::Sidecar,
        Self::EnvoyFilter,
        Self::Event,
    ];

    /// The kind that `api_version` and `kind` of a manifest name, in any served version; `None` if Flagship
    /// has no use for it.
    pub fn of(api_version: &str, kind: &str) -> Option<Self> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        Self::ALL.into_iter().find(|k| k.row().group == group && k.row().kind == kind)
    }

    /// API group; empty for the core group.
    pub fn group(self) -> &'static str {
        self.row().group
    }

    /// The version that Flagship reads and writes.
    pub fn version(self) -> &'static str {
        self.row().version
    }

    /// `group/version`, as in a manifest's `apiVersion`.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// The name as in a manifest's `kind`.
    pub fn name(self) -> &'static str {
        self.row().kind
    }

    /// Plural, as in URLs.
    pub fn plural(self) -> &'static str {
        self.row().plural
    }

    /// In which clusters it is watched.
    pub fn watch_scope(self) -> WatchScope {
        self.row().watch
    }

    /// In which namespaces it is watched.
    pub fn namespace_scope(self) -> NamespaceScope {
        self.row().namespaces
    }

    /// Whether it is watched at all with these settings.
    pub fn is_watched(self, settings: &MeshSettings) -> bool {
        let routing = &settings.routing;
        match self {
            Self::Namespace
            | Self::Node
            | Self::Service
            | Self::Deployment
            | Self::ConfigMap
            | Self::Dependency
            | Self::ServiceEntry
            | Self::DestinationRule
            | Self::GlobalTrafficPolicy
            | Self::OutlierDetection => true,
            Self::Rollout => settings.workload.argo_rollouts,
            Self::Job => settings.workload.client_discovery,
            // Where Rollouts keep the weights of their canaries.
            Self::VirtualService => settings.workload.argo_rollouts || routing.uses_virtual_services(),
            Self::ClientConnectionConfig => settings.policy.client_connection_config,
            Self::RoutingPolicy | Self::EnvoyFilter => routing.routing_policy,
            Self::Sidecar => routing.sidecar_update,
            Self::Event => settings.extension.kubernetes_events,
        }
    }

    /// The one namespace in which it is watched; `None` for all, or for a kind without namespace.
    pub fn watched_namespace(self, settings: &MeshSettings) -> Option<&str> {
        let routing = &settings.routing;
        // Customers' own are elsewhere, and so are those beside the gateways.
        let is_everywhere = self == Self::DestinationRule && (routing.copy_customer_routing || routing.ingress_routing);
        match self.namespace_scope() {
            NamespaceScope::ClusterScoped | NamespaceScope::All => None,
            _ if is_everywhere => None,
            NamespaceScope::Sync => Some(&settings.sync_namespace),
            NamespaceScope::Dependency => Some(&settings.dependency_namespace),
            NamespaceScope::Istio => Some(&routing.istio_namespace),
        }
    }

    /// Whether a cluster may lack the kind and be in order: it comes by a CRD of a product that not everybody
    /// has. Absent is then the same as empty.
    pub fn is_optional(self) -> bool {
        match self {
            Self::Rollout
            | Self::GlobalTrafficPolicy
            | Self::OutlierDetection
            | Self::ClientConnectionConfig
            | Self::RoutingPolicy => true,
            Self::Namespace
            | Self::Node
            | Self::Service
            | Self::Deployment
            | Self::ConfigMap
            | Self::Dependency
            | Self::ServiceEntry
            | Self::DestinationRule
            | Self::Job
            | Self::VirtualService
            | Self::Sidecar
            | Self::EnvoyFilter
            | Self::Event => false,
        }
    }

    /// Whether only the status of such objects is ours to write: the rest belongs to people.
    pub fn is_told_by_status(self) -> bool {
        matches!(
            self,
            Self::GlobalTrafficPolicy | Self::OutlierDetection | Self::ClientConnectionConfig | Self::RoutingPolicy
        )
    }

    /// The label that selects what is watched of the kind; `None` for all of it.
    pub fn watched_label(self) -> Option<&'static str> {
        // Everybody's Events would be more than all the rest together.
        (self == Self::Event).then_some(super::marks::MANAGED)
    }

    const fn row(self) -> Row {
        use NamespaceScope::{All, ClusterScoped, Dependency, Istio, Sync};
        use WatchScope::{Control, EachCluster, Everywhere};
        // networking.istio.io: v1beta1 is served by every Istio since 1.5, v1 only since 1.22.
        match self {
            Self::Namespace => row("", "v1", "Namespace", "namespaces", EachCluster, ClusterScoped),
            Self::Node => row("", "v1", "Node", "nodes", EachCluster, ClusterScoped),
            Self::Service => row("", "v1", "Service", "services", EachCluster, All),
            Self::Deployment => row("apps", "v1", "Deployment", "deployments", EachCluster, All),
            Self::ConfigMap => row("", "v1", "ConfigMap", "configmaps", Everywhere, Sync),
            Self::Dependency => row("admiral.io", "v1alpha1", "Dependency", "dependencies", Control, Dependency),
            Self::ServiceEntry => {
                row("networking.istio.io", "v1beta1", "ServiceEntry", "serviceentries", EachCluster, Sync)
            }
            Self::DestinationRule => {
                row("networking.istio.io", "v1beta1", "DestinationRule", "destinationrules", EachCluster, Sync)
            }
            Self::Rollout => row("argoproj.io", "v1alpha1", "Rollout", "rollouts", EachCluster, All),
            Self::Job => row("batch", "v1", "Job", "jobs", EachCluster, All),
            Self::GlobalTrafficPolicy => {
                row("admiral.io", "v1alpha1", "GlobalTrafficPolicy", "globaltrafficpolicies", EachCluster, All)
            }
            Self::OutlierDetection => {
                row("admiral.io", "v1alpha1", "OutlierDetection", "outlierdetections", EachCluster, All)
            }
            Self::ClientConnectionConfig => {
                row("admiral.io", "v1alpha1", "ClientConnectionConfig", "clientconnectionconfigs", EachCluster, All)
            }
            Self::RoutingPolicy => row("admiral.io", "v1alpha1", "RoutingPolicy", "routingpolicies", EachCluster, All),
            Self::VirtualService => {
                row("networking.istio.io", "v1beta1", "VirtualService", "virtualservices", EachCluster, All)
            }
            Self::Sidecar => row("networking.istio.io", "v1beta1", "Sidecar", "sidecars", EachCluster, All),
            Self::EnvoyFilter => {
                row("networking.istio.io", "v1alpha3", "EnvoyFilter", "envoyfilters", EachCluster, Istio)
            }
            Self::Event => row("", "v1", "Event", "events", EachCluster, All),
        }
    }
}

const fn row(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    watch: WatchScope,
    namespaces: NamespaceScope,
) -> Row {
    Row { group, version, kind, plural, watch, namespaces }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
