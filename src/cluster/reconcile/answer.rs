//! Answers to questions: what people and the API see of the mesh.

use std::collections::{BTreeMap, BTreeSet};

use super::Reconciler;
use crate::cluster::query::{ClusterSummary, ConditionView, MeshSummary, PendingChange, Query};
use crate::explain::{self, Explanation, Finding, Question};
use crate::lease::Eligibility;
use crate::mesh::{ClusterId, Kind, Origin};

impl Reconciler {
    /// Answers one question. Whoever asked may have gone away meanwhile.
    pub(super) fn answer(&self, query: Query) {
        match query {
            Query::Summary(reply) => drop(reply.send(self.summary())),
            Query::ServiceEntries(cluster, reply) => {
                let entries = self.planner.observed(&ClusterId::new(&cluster), Kind::ServiceEntry);
                drop(reply.send(entries));
            }
            Query::Hosts(reply) => {
                let named = |clusters: std::collections::BTreeSet<ClusterId>| {
                    clusters.iter().map(ToString::to_string).collect::<Vec<_>>()
                };
                let hosts = self.planner.hosts().into_iter().map(|(host, clusters)| (host, named(clusters)));
                drop(reply.send(hosts.collect()));
            }
            Query::TrafficPolicy(identity, env, reply) => {
                drop(reply.send(self.planner.traffic_policy(&identity, &env)));
            }
            Query::Plan(limit, reply) => drop(reply.send(self.pending(limit))),
            Query::Explain(question, reply) => drop(reply.send(self.explain(&question))),
        }
    }

    /// The plan's explanation, with what happens at the clusters.
    fn explain(&self, question: &Question) -> Explanation {
        let mut explanation = explain::explain(&self.planner, question);
        let objects: BTreeSet<_> = explanation.objects().map(|o| (o.cluster.clone(), o.object.clone())).collect();
        let writes = self.failed_writes().filter(|v| objects.contains(&(v.cluster.clone(), v.subject.clone())));
        for ConditionView { cluster, subject, reason, message } in self.troubles().chain(writes).collect::<Vec<_>>() {
            explanation.find(Finding { cluster, subject, reason, message });
        }
        explanation
    }

    fn summary(&self) -> MeshSummary {
        let counts = self.wiring.gate.counts();
        let owned = |counts: BTreeMap<&'static str, u64>| {
            counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
        };
        MeshSummary {
            synced: self.sync.eligibility(self.wiring.clock.now()) != Eligibility::No,
            clusters: self.clusters(),
            writes: owned(counts.written),
            write_failures: owned(counts.failed),
            conditions: self.conditions(),
        }
    }

    fn clusters(&self) -> Vec<ClusterSummary> {
        let views = self.planner.clusters().into_iter();
        views
            .map(|view| {
                let member = self.members.get(&view.id);
                let origin = Origin::Cluster(view.id.clone());
                let watch_error = self.watch_errors.iter().find(|((of, _), _)| *of == origin).map(|(_, e)| e.clone());
                let write_error = member.map(|member| member.queue.last_error().to_owned());
                ClusterSummary {
                    name: view.id.to_string(),
                    kind: member.map_or("", |member| member.target.kind()).to_owned(),
                    synced: view.synced,
                    region: view.region.unwrap_or_default(),
                    gateway: view.gateway.map(|(address, port)| format!("{address}:{port}")).unwrap_or_default(),
                    workloads: view.workloads,
                    desired_objects: view.desired,
                    pending_changes: view.pending,
                    last_error: watch_error.or(write_error).unwrap_or_default(),
                }
            })
            .collect()
    }

    fn conditions(&self) -> Vec<ConditionView> {
        let planned = self.planner.conditions().into_iter().map(|condition| {
            let cluster = condition.cluster.map(|cluster| cluster.to_string()).unwrap_or_default();
            view(cluster, condition.subject, &condition.reason.to_string(), condition.message)
        });
        self.troubles().chain(self.failed_writes()).chain(planned).collect()
    }

    /// Clusters that were refused, and watches that fail.
    fn troubles(&self) -> impl Iterator<Item = ConditionView> {
        let refused = self
            .refused
            .iter()
            .map(|(subject, message)| view(String::new(), subject.clone(), "Refused", message.clone()));
        // One finding for what fails alike: an unreachable cluster is one problem, not one for each kind.
        let mut failing = BTreeMap::<(&Origin, &str), Vec<String>>::new();
        for ((origin, kind), error) in &self.watch_errors {
            failing.entry((origin, without_kind(*kind, error))).or_default().push(super::what(*kind));
        }
        let watches = failing.into_iter().map(|((origin, error), kinds)| {
            let cluster = if *origin == Origin::Control { String::new() } else { origin.to_string() };
            view(cluster, format!("watches of {origin}"), "WatchFailed", format!("{}: {error}", kinds.join(", ")))
        });
        refused.chain(watches)
    }

    fn failed_writes(&self) -> impl Iterator<Item = ConditionView> {
        self.members.iter().flat_map(|(cluster, member)| {
            member.queue.troubles().map(move |(key, trouble)| {
                view(cluster.to_string(), key.to_string(), "WriteFailed", trouble.last_error.clone())
            })
        })
    }

    fn pending(&self, limit: usize) -> Vec<PendingChange> {
        let changes = self.members.iter().flat_map(|(cluster, member)| {
            self.planner.pending_in(cluster).map(move |(key, op)| {
                let trouble = member.queue.trouble(key).cloned().unwrap_or_default();
                PendingChange {
                    cluster: cluster.to_string(),
                    verb: op.verb().to_owned(),
                    object: key.to_string(),
                    failures: trouble.failures,
                    last_error: trouble.last_error,
                }
            })
        });
        changes.take(limit).collect()
    }
}

fn view(cluster: String, subject: String, reason: &str, message: String) -> ConditionView {
    ConditionView { cluster, subject, reason: reason.to_owned(), message }
}

/// The error without the name of the kind in front, so that one problem reads alike for all kinds.
fn without_kind(kind: Option<Kind>, error: &str) -> &str {
    match (kind, error.split_once(": ")) {
        (Some(kind), Some((head, tail))) if head.starts_with(kind.plural()) => tail,
        _ => error,
    }
}
