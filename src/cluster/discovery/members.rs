//! The clusters that come from secrets: their connections and watches.
//!
//! Invariant: `Removed` is sent after the last task of the cluster has ended, so that nothing comes after it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::owners::assign;
use super::secrets::{Bytes, SecretName, Snapshot, subject};
use crate::cluster::connection;
use crate::cluster::event::{ClusterEvent, EventSender};
use crate::cluster::target::Target;
use crate::cluster::watch::{WatchOptions, Watches};
use crate::mesh::{ClusterId, Origin};

/// All clusters from secrets.
pub(super) struct Members {
    fixed: BTreeSet<ClusterId>,
    options: WatchOptions,
    events: EventSender,
    cancel: CancellationToken,
    members: BTreeMap<ClusterId, Member>,
    refused: BTreeMap<String, String>,
}

struct Member {
    owner: SecretName,
    kubeconfig: Bytes,
    watches: Watches,
}

impl Members {
    pub(super) fn new(
        fixed: BTreeSet<ClusterId>,
        options: WatchOptions,
        events: EventSender,
        cancel: CancellationToken,
    ) -> Self {
        Self { fixed, options, events, cancel, members: BTreeMap::new(), refused: BTreeMap::new() }
    }

    /// Brings the clusters in line with the secrets. `false` when nobody listens any more.
    pub(super) async fn follow(&mut self, snapshot: &Snapshot) -> bool {
        let owners = self.members.iter().map(|(id, member)| (id.clone(), member.owner.clone())).collect();
        let assignment = assign(snapshot, &self.fixed, &owners);
        let mut refused = assignment.refused;
        let kept = |id: &ClusterId, member: &Member| {
            // A key that is there but unreadable keeps the connection that it gave before.
            assignment.clusters.contains_key(id) || refused.contains_key(&subject(&member.owner, id.as_str()))
        };
        let gone: Vec<_> = self.members.iter().filter(|(id, m)| !kept(id, m)).map(|(id, _)| id.clone()).collect();
        for cluster in gone {
            self.remove(&cluster).await;
        }
        for (cluster, (owner, kubeconfig)) in assignment.clusters {
            let subject = subject(&owner, cluster.as_str());
            if let Err(message) = self.update(cluster, owner, kubeconfig).await {
                refused.insert(subject, message);
            }
        }
        self.report(refused).await;
        !self.events.is_closed()
    }

    /// Ends every task.
    pub(super) async fn stop(self) {
        for (_, member) in self.members {
            member.watches.stop().await;
        }
    }

    async fn update(&mut self, cluster: ClusterId, owner: SecretName, kubeconfig: Bytes) -> Result<(), String> {
        if let Some(member) = self.members.get_mut(&cluster)
            && member.kubeconfig == kubeconfig
        {
            member.owner = owner;
            return Ok(());
        }
        let target = match connection::open_untrusted(&kubeconfig).await {
            Ok(target) => Arc::new(target),
            Err(error) if self.members.get(&cluster).is_some_and(|member| member.owner == owner) => {
                return Err(format!("{error}; the connection made from its earlier value stays in use"));
            }
            Err(error) => {
                // What another secret gave went with that secret.
                self.remove(&cluster).await;
                return Err(error.to_string());
            }
        };
        self.connect(cluster, owner, kubeconfig, target).await;
        Ok(())
    }

    async fn connect(&mut self, cluster: ClusterId, owner: SecretName, kubeconfig: Bytes, target: Arc<Target>) {
        let (id, announced) = (cluster.clone(), Arc::clone(&target));
        let event = match self.members.remove(&cluster) {
            Some(old) => {
                old.watches.stop().await;
                ClusterEvent::Replaced { cluster: id, target: announced }
            }
            None => ClusterEvent::Added { cluster: id, target: announced },
        };
        self.send(event).await;
        let origin = Origin::Cluster(cluster.clone());
        let watches = Watches::start(&origin, &target, &self.options, &self.events, &self.cancel);
        self.members.insert(cluster, Member { owner, kubeconfig, watches });
    }

    async fn remove(&mut self, cluster: &ClusterId) {
        if let Some(member) = self.members.remove(cluster) {
            member.watches.stop().await;
            self.send(ClusterEvent::Removed { cluster: cluster.clone() }).await;
        }
    }

    /// Says what is refused anew and what no longer is.
    async fn report(&mut self, refused: BTreeMap<String, String>) {
        let before = std::mem::replace(&mut self.refused, refused.clone());
        for subject in before.keys().filter(|subject| !refused.contains_key(*subject)) {
            self.send(ClusterEvent::Accepted { subject: subject.clone() }).await;
        }
        for (subject, message) in refused {
            if before.get(&subject) != Some(&message) {
                self.send(ClusterEvent::Refused { subject, message }).await;
            }
        }
    }

    async fn send(&self, event: ClusterEvent) {
        // A receiver that is gone is noticed by the caller.
        let _ = self.events.send(event).await;
    }
}
