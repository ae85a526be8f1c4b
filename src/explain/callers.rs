//! Who calls an identity. Dependency records compare identities byte for byte; most surprises come from there.

use std::collections::BTreeSet;

use super::{CallerNote, Explanation, Finding, Role, Subject};
use crate::index::{Index, Name};
use crate::mesh::{ClusterId, name};
use crate::plan::Planner;

pub(super) fn note(planner: &Planner, subject: &Subject, answer: &mut Explanation) {
    let index = planner.index();
    answer.calls = index.servers_of(&subject.identity).cloned().collect();
    let is_known = !answer.workloads.is_empty();
    for (record, dependency) in &index.control().dependencies {
        let client = &dependency.source;
        for destination in dependency.destinations.iter().filter(|d| d.to_lowercase() == subject.lower) {
            if *destination == subject.identity {
                let (caller, finding) = caller(index, record, client);
                answer.callers.push(caller);
                finding.into_iter().for_each(|finding| answer.find(finding));
            } else if is_known {
                answer.find(spelt_otherwise(record, "spec.destinations", destination, &subject.identity));
            }
        }
        // As a client it may be spelt wrongly too.
        if is_known && *client != subject.identity && client.to_lowercase() == subject.lower {
            answer.find(spelt_otherwise(record, "spec.source", client, &subject.identity));
        }
    }
    let lacking = answer.hosts.iter().flat_map(|host| &host.clusters).any(|cluster| cluster.role == Role::None);
    if lacking && answer.callers.is_empty() {
        answer.find(nobody_calls(index, subject));
    }
    if !index.control().synced {
        let message = "the control cluster has not delivered its Dependency records yet, so nothing is planned; see that \
                       it is reachable and that the rights in infra/rbac are granted";
        answer.find(Finding::new(None, "control cluster", "NotSynced", message));
    }
}

fn caller(index: &Index, record: &Name, client: &str) -> (CallerNote, Option<Finding>) {
    let lower = client.to_lowercase();
    let workloads = index.workloads(&lower);
    let homes: BTreeSet<&ClusterId> = workloads.filter(|w| w.workload.identity == client).map(|w| w.cluster).collect();
    let finding = homes.is_empty().then(|| client_unknown(index, record, client));
    let clusters = homes.into_iter().map(ToString::to_string).collect();
    let record = format!("{}/{}", record.namespace, record.name);
    (CallerNote { client: client.to_owned(), record, clusters }, finding)
}

fn spelt_otherwise(record: &Name, field: &str, written: &str, meant: &str) -> Finding {
    let message = format!(
        "{field} says {}, the workloads say {}; identities are compared byte for byte, so the record has no effect here: \
         write {} in it",
        name::shown(written),
        name::shown(meant),
        name::shown(meant)
    );
    Finding::new(None, format!("Dependency {}/{}", record.namespace, record.name), "DependencyCaseMismatch", message)
}

fn client_unknown(index: &Index, record: &Name, client: &str) -> Finding {
    let why = match index.every_workload(&client.to_lowercase()).next() {
        None => "no workload has this identity".to_owned(),
        Some((workload, _)) if workload.workload.identity == client => {
            format!("{} in cluster {} does not count", workload.subject(), workload.cluster)
        }
        Some((workload, _)) => format!(
            "{} in cluster {} spells it {}",
            workload.subject(),
            workload.cluster,
            name::shown(&workload.workload.identity)
        ),
    };
    let message = format!(
        "its client {} runs nowhere: {why}; correct spec.source, or ask for an explanation of the client",
        name::shown(client)
    );
    Finding::new(None, format!("Dependency {}/{}", record.namespace, record.name), "ClientNotFound", message)
}

fn nobody_calls(index: &Index, subject: &Subject) -> Finding {
    let message = format!(
        "no Dependency record in namespace {} of the control cluster names it as a destination, so only the clusters that \
         run it have its host; add {} to spec.destinations of each client's record",
        index.options().dependency_namespace,
        subject.shown()
    );
    Finding::new(None, format!("identity {}", subject.identity), "NoDependency", message)
}
