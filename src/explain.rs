//! Why the objects of an identity are where they are, and why others are absent: an answer as data.
//!
//! Invariant: it is made from the plan alone and changes nothing; equal knowledge gives an equal answer. Every
//! finding names what it is about and what to do.

mod callers;
mod hosts;
mod rules;
mod unknown;
mod workloads;

use serde::{Deserialize, Serialize};

use crate::mesh::{ClusterId, Condition, name};
use crate::plan::{Planner, Standing};

/// Findings in one answer; the rest is counted.
const MOST_FINDINGS: usize = 100;

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// An identity in any spelling, or one of its hosts.
    pub identity: String,
    /// One environment; all of them if there is none.
    pub env: Option<String>,
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Explanation {
    /// As its workloads spell it, or as it was asked for if there are none.
    pub identity: String,
    /// The environment that was asked for.
    pub env: Option<String>,
    /// Whether it has a host at all.
    pub in_mesh: bool,
    /// The answer in one line.
    pub summary: String,
    /// Its workloads, those that do not count too.
    pub workloads: Vec<WorkloadNote>,
    /// Its hosts, one for each env.
    pub hosts: Vec<HostNote>,
    /// Objects that belong to the identity and to none of its present hosts.
    pub others: Vec<ObjectNote>,
    /// Who calls it, by Dependency records.
    pub callers: Vec<CallerNote>,
    /// What it calls.
    pub calls: Vec<String>,
    /// What keeps it from being everywhere it could be, and what to do.
    pub findings: Vec<Finding>,
    /// Identities that are spelt alike.
    pub similar: Vec<String>,
}

/// One workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkloadNote {
    /// Where it runs.
    pub cluster: String,
    /// Kind, namespace and name.
    pub workload: String,
    /// Its env.
    pub env: String,
    /// The Service through which it is reached.
    pub service: Option<String>,
    /// That Service's port and protocol.
    pub port: Option<String>,
    /// What it is to the mesh.
    pub part: Part,
}

/// What a workload is to the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Its host leads to it.
    Source,
    /// It counts as a client, but no host leads to it.
    ClientOnly,
    /// It does not count at all.
    #[default]
    Ignored,
}

/// One host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostNote {
    /// The host.
    pub host: String,
    /// Its env.
    pub env: String,
    /// Its address, if it has one.
    pub address: Option<String>,
    /// Every known cluster, with what it holds of this host.
    pub clusters: Vec<ClusterNote>,
}

/// What one cluster holds of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterNote {
    /// Its name.
    pub cluster: String,
    /// What it is to the host.
    pub role: Role,
    /// Why it is that, and why there are objects or none.
    pub rule: String,
    /// What it holds, or will.
    pub objects: Vec<ObjectNote>,
}

/// What a cluster is to a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It runs the service.
    Source,
    /// It runs a client of the service.
    Dependent,
    /// Neither.
    #[default]
    None,
}

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectNote {
    /// Where it is.
    pub cluster: String,
    /// Kind, namespace and name.
    pub object: String,
    /// How it stands between wish and reality.
    pub state: String,
    /// The rule that asks for it.
    pub rule: String,
    /// Of a ServiceEntry: address, port and locality of its endpoints.
    pub endpoints: Vec<String>,
}

/// Somebody who calls the service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CallerNote {
    /// The client's identity.
    pub client: String,
    /// The record that says so.
    pub record: String,
    /// Where the client runs.
    pub clusters: Vec<String>,
}

/// Something that keeps an object away, with the remedy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Finding {
    /// The cluster that it concerns, empty for the mesh.
    pub cluster: String,
    /// What it concerns.
    pub subject: String,
    /// A CamelCase word for the rule.
    pub reason: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Finding {
    fn new(cluster: Option<&ClusterId>, subject: impl Into<String>, reason: &str, message: impl Into<String>) -> Self {
        Self {
            cluster: cluster.map(ToString::to_string).unwrap_or_default(),
            subject: subject.into(),
            reason: reason.to_owned(),
            message: message.into(),
        }
    }
}

impl From<Condition> for Finding {
    fn from(condition: Condition) -> Self {
        let Condition { cluster, subject, reason, message } = condition;
        Self::new(cluster.as_ref(), subject, &reason.to_string(), message)
    }
}

/// Answers `question` from what `planner` knows. Its plan should be up to date.
pub fn explain(planner: &Planner, question: &Question) -> Explanation {
    let subject = Subject::of(planner, question);
    let mut answer =
        Explanation { identity: subject.identity.clone(), env: subject.env.clone(), ..Explanation::default() };
    workloads::note(planner, &subject, &mut answer);
    if answer.workloads.is_empty() {
        unknown::note(planner, &subject, &mut answer);
    }
    hosts::note(planner, &subject, &mut answer);
    callers::note(planner, &subject, &mut answer);
    for condition in planner.conditions_of(&subject.lower) {
        answer.find(condition.into());
    }
    answer.in_mesh = !answer.hosts.is_empty();
    answer.summary = summary(planner, &answer);
    answer
}

impl Explanation {
    /// Adds a finding, unless it is there already.
    pub fn find(&mut self, finding: Finding) {
        if self.findings.contains(&finding) || self.findings.len() > MOST_FINDINGS {
            return;
        }
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else {
            let message = format!("there are more findings than these {MOST_FINDINGS}; deal with them and ask again");
            self.findings.push(Finding::new(None, "this list", "Truncated", message));
        }
    }

    /// Every object in the answer.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectNote> {
        let of_hosts = self.hosts.iter().flat_map(|host| &host.clusters).flat_map(|cluster| &cluster.objects);
        of_hosts.chain(&self.others)
    }
}

/// What a question is about, once it was looked up.
struct Subject {
    /// The identity in lower case, by which the index keeps it.
    lower: String,
    /// As the oldest workload spells it, or as it was asked for.
    identity: String,
    env: Option<String>,
}

impl Subject {
    fn of(planner: &Planner, question: &Question) -> Self {
        let asked = question.identity.trim();
        let env = question.env.as_deref().map(str::trim).filter(|env| !env.is_empty());
        let index = planner.index();
        let mut lower = asked.to_lowercase();
        let mut env = env.map(str::to_owned);
        let is_known = index.every_workload(&lower).next().is_some();
        if !is_known && let Some((identity, of_host)) = planner.identity_of_host(&lower) {
            lower = identity;
            env = env.or(Some(of_host));
        }
        let spelling = planner.resolved(&lower).and_then(|resolved| resolved.services.first());
        let spelling = spelling.map(|service| service.identity.clone());
        let of_workload =
            || index.every_workload(&lower).next().map(|(workload, _)| workload.workload.identity.clone());
        let identity = spelling.or_else(of_workload).unwrap_or_else(|| asked.to_owned());
        Self { lower, identity, env }
    }

    fn wants_env(&self, env: &str) -> bool {
        self.env.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(env))
    }

    /// For messages; what was asked may be long.
    fn shown(&self) -> String {
        name::shown(&self.identity)
    }
}

fn summary(planner: &Planner, answer: &Explanation) -> String {
    let identity = name::shown(&answer.identity);
    let Some(first) = answer.hosts.first() else {
        let why = answer.findings.first().map_or("no workload has it", |finding| finding.message.as_str());
        return format!("{identity} is not in the mesh: {why}");
    };
    let holding = |cluster: &&ClusterNote| !cluster.objects.is_empty();
    let with: std::collections::BTreeSet<_> =
        answer.hosts.iter().flat_map(|host| host.clusters.iter().filter(holding)).map(|note| &note.cluster).collect();
    let hosts = match answer.hosts.len() {
        1 => first.host.clone(),
        count => format!("{count} hosts"),
    };
    let in_place = Standing::InPlace.to_string();
    let open = answer.objects().filter(|object| object.state != in_place).count();
    let state = match open {
        0 => "everything is in place".to_owned(),
        1 => "1 object is not in place".to_owned(),
        open => format!("{open} objects are not in place"),
    };
    let all = planner.index().clusters().count();
    format!("{identity} is in the mesh: {hosts} in {} of {all} clusters; {state}", with.len())
}
