//! What Deployments, Rollouts and Jobs have in common: identity, env, and what finds their Services
//! (reconcile-spec 2.3, 2.4).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::{Index, Name, NearMiss, Touched};
use crate::mesh::{Kind, MeshOptions, Origin, marks};

/// A workload with an identity; those without are not kept, silently (reconcile-spec N1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// As written.
    pub identity: String,
    /// As written.
    pub env: String,
    /// Whether the host keeps upper and lower case (reconcile-spec N3).
    pub case_sensitive: bool,
    /// What takes it out of the mesh, if anything does.
    pub ignored: Option<Ignored>,
    /// Whether its namespace decides if it is in the mesh (`--istio-injection`).
    pub by_namespace: bool,
    /// `spec.selector.matchLabels`.
    pub match_labels: BTreeMap<String, String>,
    /// The port that the mesh uses; see [`InboundPort`].
    pub inbound_port: InboundPort,
    /// Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
    /// Whether one of its own labels asks for further hosts (reconcile-spec 3.6.2).
    pub has_further_hosts: bool,
}

/// What runs the pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// `apps/v1` Deployment.
    Deployment,
    /// Argo's Rollout.
    Rollout,
    /// `batch/v1` Job: a client that serves nothing (reconcile-spec 2.8).
    Job,
}

impl WorkloadKind {
    /// The kinds that may serve a host.
    pub const SERVING: [Self; 2] = [Self::Deployment, Self::Rollout];

    /// The kind of the object.
    pub fn kind(self) -> Kind {
        match self {
            Self::Deployment => Kind::Deployment,
            Self::Rollout => Kind::Rollout,
            Self::Job => Kind::Job,
        }
    }

    /// The value of the label `type` of its endpoints (reconcile-spec 3.2.3).
    pub fn endpoint_type(self) -> &'static str {
        match self {
            Self::Deployment => "deployment",
            Self::Rollout => "rollout",
            Self::Job => "job",
        }
    }
}

/// What takes a workload out of the mesh (reconcile-spec N7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// A label of the pod template.
    Label,
    /// An annotation of the workload itself.
    Annotation,
    /// An annotation of its namespace.
    Namespace,
    /// Nothing puts its pods into the mesh.
    NotInjected,
}

/// Whether a workload's pods are in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Membership {
    /// They say so.
    Yes,
    /// They say no, or say nothing where that means no.
    No,
    /// As their namespace says (`--istio-injection`).
    ByNamespace,
}

impl Membership {
    /// Admiral's rule is the annotation (reconcile-spec N7). With `--istio-injection` Istio's own rules hold: the
    /// label goes before the annotation, a pod may be ambient, and else its namespace decides.
    fn of(labels: &BTreeMap<&str, &str>, annotations: &BTreeMap<&str, &str>, options: &MeshOptions) -> Self {
        let key = options.deployment_annotation.as_str();
        let says = |value: &str| if value == "true" { Self::Yes } else { Self::No };
        if !options.extension.istio_injection {
            return annotations.get(key).map_or(Self::No, |value| says(value));
        }
        match (labels.get(key).or_else(|| annotations.get(key)), labels.get(marks::DATAPLANE_MODE)) {
            (_, Some(&marks::AMBIENT)) => Self::Yes,
            (Some(value), _) => says(value),
            (None, Some(_)) => Self::No,
            (None, None) => Self::ByNamespace,
        }
    }
}

/// What the annotation on inbound ports asks for (reconcile-spec 2.5 P1, P2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundPort {
    /// No annotation: the Service's first port.
    First,
    /// The first number of the annotation.
    Target(u16),
    /// An annotation without a number, such as `*`: no port at all.
    None,
}

impl Workload {
    /// What is kept of an object with a pod template and a selector; `None` if it has no identity.
    ///
    /// # Errors
    /// When a field that is used has a wrong type.
    pub fn decode(root: &At<'_>, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let annotations = root.field("spec.template.metadata.annotations")?.strings()?;
        let labels = root.field("spec.template.metadata.labels")?.strings()?;
        let own_labels = root.field("metadata.labels")?.strings()?;
        let filters = &options.routing.additional_label_filters;
        let own_annotations = root.field("metadata.annotations")?.strings()?;
        let match_labels = root.field("spec.selector.matchLabels")?.strings()?;
        let created_s = root.field("metadata.creationTimestamp")?.time()?;
        let namespace = root.field("metadata.namespace")?.text()?.unwrap_or_default();

        let identity_key = options.workload_identity_key.as_str();
        let Some(identity) = filled(&labels, identity_key).or_else(|| filled(&annotations, identity_key)) else {
            return Ok(None);
        };
        let env = filled(&annotations, &options.env_key)
            .or_else(|| filled(&labels, &options.env_key))
            .or_else(|| filled(&labels, "env"))
            .or_else(|| namespace.rsplit_once('-').map(|(_, env)| env))
            .unwrap_or("default");
        let membership = Membership::of(&labels, &annotations, options);
        let ignored = if labels.get(options.admiral_ignore_label.as_str()) == Some(&"true") {
            Some(Ignored::Label)
        } else if own_annotations.get(marks::IGNORE) == Some(&"true") {
            Some(Ignored::Annotation)
        } else if membership == Membership::No {
            Some(Ignored::NotInjected)
        } else {
            None
        };
        Ok(Some(Self {
            identity: identity.to_owned(),
            env: env.to_owned(),
            case_sensitive: annotations.get(marks::CASE_SENSITIVE) == Some(&"true"),
            ignored,
            by_namespace: membership == Membership::ByNamespace,
            match_labels: match_labels.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            inbound_port: inbound_port(annotations.get(marks::INBOUND_PORTS).copied().unwrap_or_default()),
            created_s,
            has_further_hosts: filters.contains("*") || filters.iter().any(|key| own_labels.contains_key(key.as_str())),
        }))
    }
}

/// Why an object with a pod template that is not kept is almost one that is.
pub fn near_miss(object: &Value, options: &MeshOptions) -> Option<NearMiss> {
    let root = At::root(object);
    let map = |path: &str| root.field(path).and_then(|at| at.strings()).unwrap_or_default();
    let own = ["metadata.labels", "metadata.annotations"].map(map);
    if let Some(identity) = own.iter().find_map(|map| filled(map, &options.workload_identity_key)) {
        return Some(NearMiss::IdentityOnWorkload(identity.to_owned()));
    }
    let injected = map("spec.template.metadata.annotations").get(options.deployment_annotation.as_str()).copied();
    (injected == Some("true")).then_some(NearMiss::NoIdentity)
}

/// Keeps the index of identities, and says whom the change concerns: the identity, and what it calls if its
/// presence as a client changed, or what its servers take over from it.
pub fn touched(
    index: &mut Index,
    origin: &Origin,
    (kind, name): (WorkloadKind, &Name),
    old: Option<&Workload>,
    new: Option<&Workload>,
) -> Touched {
    let Origin::Cluster(cluster) = origin else { return Touched::none() };
    if let Some(old) = old {
        index.forget_workload(&old.identity, cluster, kind, name);
    }
    if let Some(new) = new {
        index.remember_workload(&new.identity, cluster, kind, name);
    }
    let identities: BTreeSet<_> = [old, new].into_iter().flatten().map(|w| w.identity.clone()).collect();
    // As a client, only presence under an identity counts, and what its servers take over from it.
    let presence = |w: Option<&Workload>| {
        let counts = w.filter(|w| w.ignored.is_none());
        counts.map(|w| (w.identity.clone(), w.by_namespace, w.has_further_hosts))
    };
    if presence(old) == presence(new) {
        return Touched::identities(&identities);
    }
    index.touched_with_servers(&identities.into_iter().collect::<Vec<_>>())
}

fn filled<'a>(map: &BTreeMap<&str, &'a str>, key: &str) -> Option<&'a str> {
    map.get(key).copied().filter(|value| !value.is_empty())
}

fn inbound_port(annotation: &str) -> InboundPort {
    if annotation.is_empty() {
        return InboundPort::First;
    }
    annotation.split(',').find_map(|part| part.trim().parse().ok()).map_or(InboundPort::None, InboundPort::Target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn decode(namespace: &str, labels: Value, annotations: Value) -> Option<Workload> {
        let object = json!({"metadata": {"name": "d", "namespace": namespace},
            "spec": {"template": {"metadata": {"labels": labels, "annotations": annotations}}}});
        Workload::decode(&At::root(&object), &MeshOptions::default()).unwrap()
    }

    #[test]
    fn env_comes_from_the_first_source_that_has_one() {
        let env = |ns, labels, annotations| decode(ns, labels, annotations).unwrap().env;
        let all = json!({"identity": "i", "env": "c", "admiral.io/env": "b"});
        assert_eq!(env("team-qa", all.clone(), json!({"admiral.io/env": "a"})), "a");
        assert_eq!(env("team-qa", all, json!({})), "b");
        assert_eq!(env("team-qa", json!({"identity": "i", "env": "c"}), json!({"admiral.io/env": ""})), "c");
        assert_eq!(env("my-team-qa", json!({"identity": "i"}), json!({})), "qa");
        assert_eq!(env("plain", json!({"identity": "i"}), json!({})), "default");
    }

    #[test]
    fn identity_label_wins_over_annotation_and_none_is_silent() {
        assert_eq!(decode("n", json!({"identity": "l"}), json!({"identity": "a"})).unwrap().identity, "l");
        assert_eq!(decode("n", json!({"identity": ""}), json!({"identity": "a"})).unwrap().identity, "a");
        assert_eq!(decode("n", json!({}), json!({})), None);
    }

    #[test]
    fn ports_of_the_annotation() {
        assert_eq!(inbound_port(""), InboundPort::First);
        assert_eq!(inbound_port("*"), InboundPort::None);
        assert_eq!(inbound_port("x, 8080,9090"), InboundPort::Target(8080));
        assert_eq!(inbound_port("99999,80"), InboundPort::Target(80));
    }
}
