//! Questions to the reconciler, which owns the mesh. Nothing else may look inside.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::explain::{Explanation, Question};

/// How long an answer may take before the caller is told that the reconciler is busy.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// Why a question had no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The reconciler is busy for longer than the caller should wait.
    #[error("the reconciler did not answer within {} s; try again, and look at its load if this goes on", ANSWER_WITHIN.as_secs())]
    Busy,
    /// The reconciler has ended; the process is on its way out.
    #[error("the reconciler has ended; this instance is shutting down")]
    Gone,
}

/// One cluster, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterSummary {
    /// Its name.
    pub name: String,
    /// `folder` or `kube`.
    pub kind: String,
    /// Whether every watch has delivered its first list.
    pub synced: bool,
    /// Region, empty when unknown.
    pub region: String,
    /// The gateway's address and port, empty when unknown.
    pub gateway: String,
    /// Workloads that count.
    pub workloads: usize,
    /// Istio objects that Flagship wants there.
    pub desired_objects: usize,
    /// Changes that are still to be written (on a passive: would be).
    pub pending_changes: usize,
    /// The last error of a watch or write, empty when all is well.
    pub last_error: String,
}

/// A pending change, for people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PendingChange {
    /// The cluster.
    pub cluster: String,
    /// `create`, `update` or `delete`.
    pub verb: String,
    /// Kind, namespace/name.
    pub object: String,
    /// Times it was tried and failed.
    pub failures: u32,
    /// The last failure, empty if none.
    pub last_error: String,
}

/// Something that keeps an object from being what its owner expects, with the remedy.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionView {
    /// The cluster, empty when it concerns the mesh.
    pub cluster: String,
    /// The object, such as `Deployment sample/greeting`.
    pub subject: String,
    /// A CamelCase reason.
    pub reason: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// What the reconciler knows, in numbers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeshSummary {
    /// Whether this instance has seen enough of the mesh to be ready.
    pub synced: bool,
    /// Every cluster, by name.
    pub clusters: Vec<ClusterSummary>,
    /// Writes that took effect, by verb, since the start.
    pub writes: BTreeMap<String, u64>,
    /// Writes that failed, by reason, since the start.
    pub write_failures: BTreeMap<String, u64>,
    /// What was refused or is missing.
    pub conditions: Vec<ConditionView>,
}

/// A question with the channel for its answer.
#[derive(Debug)]
pub enum Query {
    /// All clusters and counts.
    Summary(oneshot::Sender<MeshSummary>),
    /// Every ServiceEntry of the sync namespace of a cluster, foreign ones too; `None` for an unknown cluster.
    ServiceEntries(String, oneshot::Sender<Option<Vec<Value>>>),
    /// Hosts of Flagship's ServiceEntries with the clusters that have them.
    Hosts(oneshot::Sender<BTreeMap<String, Vec<String>>>),
    /// The GlobalTrafficPolicy in force for an identity and env.
    TrafficPolicy(String, String, oneshot::Sender<Option<Value>>),
    /// At most this many pending changes.
    Plan(usize, oneshot::Sender<Vec<PendingChange>>),
    /// Why the objects of an identity are where they are.
    Explain(Question, oneshot::Sender<Explanation>),
}

/// Asks the reconciler.
#[derive(Clone, Debug)]
pub struct MeshHandle {
    queries: mpsc::Sender<Query>,
}

impl MeshHandle {
    /// A handle and the end at which the reconciler listens.
    pub fn channel() -> (Self, mpsc::Receiver<Query>) {
        let (queries, receiver) = mpsc::channel(64);
        (Self { queries }, receiver)
    }

    /// All clusters and counts.
    ///
    /// # Errors
    /// When the reconciler is busy or has ended.
    pub async fn summary(&self) -> Result<MeshSummary, QueryError> {
        self.ask(Query::Summary).await
    }

    /// Every ServiceEntry in the sync namespace of `cluster`; `None` for an unknown cluster.
    ///
    /// # Errors
    /// When the reconciler is busy or has ended.
    pub async fn service_entries(&self, cluster: &str) -> Result<Option<Vec<Value>>, QueryError> {
        self.ask(|reply| Query::ServiceEntries(cluster.to_owned(), reply)).await
    }

    /// Hosts of Flagship's ServiceEntries with the clusters that have them.
    ///
    /// # Errors
    /// When the reconciler is busy or has ended.
    pub async fn hosts(&self) -> Result<BTreeMap<String, Vec<String>>, QueryError> {
        self.ask(Query::Hosts).await
    }

    /// The GlobalTrafficPolicy in force for an identity and env, both as written.
    ///
    /// # Errors
    /// When the reconciler is busy or has ended.
    pub async fn traffic_policy(&self, identity: &str, env: &str) -> Result<Option<Value>, QueryError> {
        self.ask(|reply| Query::TrafficPolicy(identity.to_owned(), env.to_owned(), reply)).await
    }

    /// At most `limit` pending changes.
    ///
    /// # Errors
    /// When the reconciler is busy or has ended.
    pub async fn plan(&self, limit: usize) -> Result<Vec<PendingChange>, QueryError> {
        self.ask(|reply| Query::Plan(limit, reply)).await
    }

    /// Why the objects of an identity are where they are, and others are not.
    ///
    /// # Errors
    /// When the reconciler is busy or has ended.
    pub async fn explain(&self, question: Question) -> Result<Explanation, QueryError> {
        self.ask(|reply| Query::Explain(question, reply)).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, QueryError> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.queries.send(question(reply)).await.map_err(|_| QueryError::Gone)?;
            answer.await.map_err(|_| QueryError::Gone)
        };
        tokio::time::timeout(ANSWER_WITHIN, exchange).await.map_err(|_| QueryError::Busy)?
    }
}
