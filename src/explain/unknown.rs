//! An identity that no workload has: what may have been meant, and what such a workload would need.

use std::collections::BTreeSet;

use super::{Explanation, Finding, Subject};
use crate::index::{Index, Name, NearMiss};
use crate::mesh::{ClusterId, Kind, Origin, name};
use crate::plan::Planner;

/// Suggestions of one sort in an answer.
const MOST_SUGGESTED: usize = 5;

pub(super) fn note(planner: &Planner, subject: &Subject, answer: &mut Explanation) {
    let index = planner.index();
    if index.every_workload(&subject.lower).next().is_some() {
        // It is the env that is unknown.
        return;
    }
    answer.similar = similar(index, &subject.lower);
    for finding in near_misses(index, subject).into_iter().take(MOST_SUGGESTED) {
        answer.find(finding);
    }
    for (record, dependency) in &index.control().dependencies {
        if dependency.destinations.iter().any(|d| d.to_lowercase() == subject.lower) {
            let message = format!(
                "it says that {} calls {}, but no workload has that identity; correct spec.destinations, or label the \
                 workload's pod template",
                name::shown(&dependency.source),
                subject.shown()
            );
            let record = format!("Dependency {}/{}", record.namespace, record.name);
            answer.find(Finding::new(None, record, "DestinationNotFound", message));
        }
    }
    unreadable(index, answer);
    answer.find(unknown(index, subject, &answer.similar));
}

/// Workloads without the identity that have it in the wrong place, or a name like it.
fn near_misses(index: &Index, subject: &Subject) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (cluster, state) in index.clusters() {
        for ((kind, workload), why) in &state.near_misses {
            findings.extend(near_miss(index, subject, (cluster, *kind, workload), why));
        }
    }
    findings
}

fn near_miss(
    index: &Index,
    subject: &Subject,
    (cluster, kind, workload): (&ClusterId, Kind, &Name),
    why: &NearMiss,
) -> Option<Finding> {
    let key = &index.options().workload_identity_key;
    let message = match why {
        NearMiss::IdentityOnWorkload(identity) if identity.to_lowercase() == subject.lower => format!(
            "{key}: {} is on the workload itself, where it says nothing; put it under spec.template.metadata.labels",
            name::shown(identity)
        ),
        NearMiss::NoIdentity if is_named_like(workload, &subject.lower) => format!(
            "it is injected and has a name like it, but its pod template has neither a label nor an annotation {key}; add \
             {key}: {} under spec.template.metadata.labels",
            subject.shown()
        ),
        NearMiss::IdentityOnWorkload(_) | NearMiss::NoIdentity => return None,
    };
    let shown = format!("{kind} {}/{}", workload.namespace, workload.name);
    Some(Finding::new(Some(cluster), shown, "NoIdentity", message))
}

fn is_named_like(workload: &Name, identity: &str) -> bool {
    let last = identity.rsplit('.').next().unwrap_or(identity);
    [identity, last].into_iter().any(|wanted| !wanted.is_empty() && is_similar(&workload.name.to_lowercase(), wanted))
}

/// Workloads whose identity could not even be read.
fn unreadable(index: &Index, answer: &mut Explanation) {
    let workloads = index.invalid().filter(|(_, key, _)| matches!(key.kind, Kind::Deployment | Kind::Rollout));
    for (origin, key, error) in workloads.take(MOST_SUGGESTED) {
        let cluster = match &origin {
            Origin::Control => None,
            Origin::Cluster(cluster) => Some(cluster),
        };
        let message = format!("it cannot be read, so its identity is not known: {error}; correct the object");
        answer.find(Finding::new(cluster, key.to_string(), "InvalidObject", message));
    }
}

fn unknown(index: &Index, subject: &Subject, similar: &[String]) -> Finding {
    let key = &index.options().workload_identity_key;
    let near_misses = index.clusters().flat_map(|(_, state)| state.near_misses.values());
    let injected = near_misses.filter(|why| **why == NearMiss::NoIdentity).count();
    let unseen = index.clusters().filter(|(_, state)| !state.synced);
    let unseen: Vec<String> = unseen.map(|(cluster, _)| cluster.to_string()).collect();
    let mut message = format!(
        "no workload of {} clusters has the label (or annotation) {key}: {} on its pod template; add it there (those of \
         the workload itself do not count), or ask for the right spelling",
        index.clusters().count(),
        subject.shown()
    );
    if !similar.is_empty() {
        message += &format!("; alike: {}", similar.join(", "));
    }
    if injected > 0 {
        message += &format!("; injected workloads without any identity: {injected}");
    }
    if !unseen.is_empty() {
        message += &format!("; clusters that are not completely seen yet: {}", unseen.join(", "));
    }
    Finding::new(None, format!("identity {}", name::shown(&subject.identity)), "UnknownIdentity", message)
}

/// The identities nearest in spelling.
fn similar(index: &Index, wanted: &str) -> Vec<String> {
    let alike = index.identities().filter(|identity| is_similar(identity, wanted));
    let found: BTreeSet<(usize, &String)> = alike.map(|one| (strsim::osa_distance(one, wanted), one)).collect();
    let spelling = |lower: &str| index.every_workload(lower).next().map(|(w, _)| w.workload.identity.clone());
    found.into_iter().take(MOST_SUGGESTED).filter_map(|(_, lower)| spelling(lower)).collect()
}

/// Whether a person may have meant one by the other.
fn is_similar(one: &str, other: &str) -> bool {
    let (one_length, other_length) = (one.chars().count(), other.chars().count());
    let shorter = one_length.min(other_length);
    if shorter >= 3 && (one.contains(other) || other.contains(one)) {
        return true;
    }
    let slips = if shorter < 5 { 1 } else { 2 };
    one_length.abs_diff(other_length) <= slips && strsim::osa_distance(one, other) <= slips
}
