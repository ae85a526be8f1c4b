//! The workloads of an identity: which of them count, through which Service each is reached, and what is amiss.

use std::collections::{BTreeMap, BTreeSet};

use super::{Explanation, Finding, Part, Subject, WorkloadNote};
use crate::index::service::Port;
use crate::index::workload::{Ignored, WorkloadKind};
use crate::index::{Index, Name, State, WorkloadRef};
use crate::mesh::{MeshOptions, marks, name};
use crate::plan::Planner;

pub(super) fn note(planner: &Planner, subject: &Subject, answer: &mut Explanation) {
    let index = planner.index();
    let mut others = BTreeSet::new();
    for (workload, ignored) in index.every_workload(&subject.lower) {
        let env = &workload.workload.env;
        if !subject.wants_env(env) {
            others.insert(env.as_str());
            continue;
        }
        let services: Vec<(&Name, Port)> =
            index.services_of(&workload).into_iter().filter_map(|(name, port)| Some((name, port?))).collect();
        let behind_host = services.iter().find(|(name, _)| is_behind_host(planner, subject, &workload, name));
        let part = match (ignored, behind_host) {
            (Some(_), _) => Part::Ignored,
            (None, Some(_)) => Part::Source,
            (None, None) => Part::ClientOnly,
        };
        let service = behind_host.or(services.first());
        answer.workloads.push(WorkloadNote {
            cluster: workload.cluster.to_string(),
            workload: workload.subject(),
            env: env.clone(),
            service: service.map(|(service, _)| format!("{}/{}", service.namespace, service.name)),
            port: service.map(|(_, port)| format!("{} {}", port.number, port.protocol.as_str())),
            part,
        });
        find(index, workload, ignored, answer);
    }
    if answer.workloads.is_empty() && !others.is_empty() {
        answer.find(unknown_env(subject, index.options(), &others));
    }
}

/// Whether a host of the workload's identity and env leads to this Service of its namespace.
fn is_behind_host(planner: &Planner, subject: &Subject, workload: &WorkloadRef<'_>, service: &Name) -> bool {
    let (identity, env) = (&workload.workload.identity, &workload.workload.env);
    let services = planner.resolved(&subject.lower).map(|resolved| resolved.services.as_slice()).unwrap_or_default();
    let same = services.iter().filter(|s| s.identity == *identity && s.env == *env);
    let mut locals = same.filter_map(|s| s.sources.get(workload.cluster)).flat_map(|source| &source.locals);
    locals.any(|local| local.namespace == service.namespace && local.service == service.name)
}

fn find(index: &Index, workload: WorkloadRef<'_>, ignored: Option<Ignored>, answer: &mut Explanation) {
    let options = index.options();
    let cluster = workload.cluster;
    let Some(state) = index.cluster(cluster) else { return };
    let about = |reason: &str, message: String| Finding::new(Some(cluster), workload.subject(), reason, message);
    if let Some(ignored) = ignored {
        let (reason, message) = why_ignored(ignored, workload, options);
        answer.find(about(reason, message));
    }
    if let Some((reason, message)) = why_suspended(index, workload) {
        answer.find(about(reason, message));
    }
    if !state.synced {
        let message = "not every watch of the cluster has delivered its first list, so nothing is planned for it and its \
                       workloads do not count yet; see that its API server is reachable and that the rights in \
                       infra/rbac are granted";
        answer.find(Finding::new(Some(cluster), format!("cluster {cluster}"), "NotSynced", message));
    }
    let may_serve = WorkloadKind::SERVING.contains(&workload.kind);
    if ignored.is_none() && may_serve && index.services_of(&workload).is_empty() {
        for (service, missing) in near_services(state, workload) {
            answer.find(about("SelectorMismatch", mismatch(&service, &missing)));
        }
    }
}

fn why_suspended(index: &Index, workload: WorkloadRef<'_>) -> Option<(&'static str, String)> {
    let (identity, env) = (&workload.workload.identity, &workload.workload.env);
    let suspension = index.suspensions().covering(identity, env)?;
    let stay = "so its objects stay as they are: none is made, changed or removed";
    Some(if suspension != index.suspensions().table() {
        ("ExcludedIdentity", format!("the identity is in --excluded_identity_list, {stay}; take it off the list"))
    } else if suspension.is_all() {
        ("SuspendedIdentity", format!("{} suspends all identities, {stay}; set `all` to false", suspension.source()))
    } else {
        let from = suspension.source();
        let (identity, env) = (name::shown(identity), name::shown(env));
        let remedy = format!("take {identity} (or its env {env}) out of `environmentsByIdentities`");
        ("SuspendedIdentity", format!("{from} suspends it, {stay}; {remedy}"))
    })
}

fn why_ignored(ignored: Ignored, workload: WorkloadRef<'_>, options: &MeshOptions) -> (&'static str, String) {
    let ignore = marks::IGNORE;
    match ignored {
        Ignored::NotInjected => (
            "NotInjected",
            format!(
                "its pod template lacks the annotation {}: \"true\", so it is taken for a workload outside the mesh; add \
                 the annotation under spec.template.metadata.annotations (labels, and those of the namespace, count with \
                 --istio-injection only)",
                options.deployment_annotation
            ),
        ),
        Ignored::Label => (
            "IgnoredByLabel",
            format!(
                "its pod template has the label {}: \"true\", which takes it out of the mesh; remove the label",
                options.admiral_ignore_label
            ),
        ),
        Ignored::Annotation => (
            "IgnoredByAnnotation",
            format!("it has the annotation {ignore}: \"true\", which takes it out of the mesh; remove the annotation"),
        ),
        Ignored::Namespace => (
            "IgnoredNamespace",
            format!(
                "its namespace {} has the annotation {ignore}: \"true\", which takes all its workloads out of the mesh; \
                 remove the annotation from the namespace",
                workload.name.namespace
            ),
        ),
    }
}

/// What a Service's selector asks for and a workload does not offer.
type Missing = Vec<(String, String)>;

/// Services that share a part of the workload's labels, or would select it if they were not ignored.
fn near_services(state: &State, workload: WorkloadRef<'_>) -> BTreeMap<String, Missing> {
    let labels = &workload.workload.match_labels;
    let mut near = BTreeMap::new();
    for (name, service) in state.services_in(&workload.name.namespace) {
        let pairs = service.selector.iter().map(|(key, value)| (key.clone(), value.clone()));
        let (shared, missing): (Missing, Missing) = pairs.partition(|(key, value)| labels.get(key) == Some(value));
        if !shared.is_empty() {
            near.insert(format!("{}/{}", name.namespace, name.name), missing);
        }
    }
    near
}

fn mismatch(service: &str, missing: &Missing) -> String {
    if missing.is_empty() {
        let ignore = marks::IGNORE;
        return format!(
            "Service {service} selects it, but has the annotation or label {ignore}: \"true\"; remove that"
        );
    }
    let pairs: Vec<String> = missing.iter().map(|(key, value)| name::shown(&format!("{key}={value}"))).collect();
    format!(
        "Service {service} selects {} too, which the workload does not have in spec.selector.matchLabels (labels of the \
         pod template alone do not count); add it there, or take it out of the Service's selector",
        pairs.join(", ")
    )
}

fn unknown_env(subject: &Subject, options: &MeshOptions, others: &BTreeSet<&str>) -> Finding {
    let known: Vec<&str> = others.iter().copied().collect();
    let message = format!(
        "the identity has the env {}, not {}; ask for one of them, or set another: an env is the annotation or label {} of \
         the pod template, else its label env, else what follows the last '-' of the namespace, else default",
        known.join(", "),
        name::shown(subject.env.as_deref().unwrap_or_default()),
        options.env_key
    );
    Finding::new(None, format!("identity {}", subject.identity), "UnknownEnv", message)
}
