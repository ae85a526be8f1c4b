//! Which writes wait for others.

use std::collections::BTreeMap;

use super::queue::Queue;
use crate::mesh::{ClusterId, ObjectKey, Op};
use crate::plan::Planner;

/// The clusters that answer, each with the objects that are in trouble there. Nobody waits for the others (M2).
pub struct Calm(BTreeMap<ClusterId, Vec<ObjectKey>>);

impl Calm {
    /// As the queues are now.
    pub fn of<'a>(queues: impl Iterator<Item = (&'a ClusterId, &'a Queue)>) -> Self {
        let answering = queues.filter(|(_, queue)| queue.last_error().is_empty());
        let troubled = |queue: &Queue| queue.troubles().map(|(key, _)| key.clone()).collect();
        Self(answering.map(|(cluster, queue)| (cluster.clone(), troubled(queue))).collect())
    }

    fn includes(&self, cluster: &ClusterId, key: &ObjectKey) -> bool {
        self.0.get(cluster).is_some_and(|troubled| !troubled.contains(key))
    }
}

/// Whether a pending write has to wait: a delete for the record of the address that it frees, a rule that sends
/// all traffic elsewhere for the clusters that it goes to, unless they are in trouble.
pub fn must_wait(planner: &Planner, calm: &Calm, cluster: &ClusterId, key: &ObjectKey) -> bool {
    let change = planner.pending(cluster, key);
    matches!(change, Some(Op::Delete { requires: Some(first), .. }) if planner.pending(cluster, first).is_some())
        || planner.goes_before(cluster, key).any(|other| calm.includes(other, key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instant::{Instant, WallTime};
    use crate::mesh::{Kind, MeshOptions, Origin};
    use serde_json::{Value, json};
    use std::time::Duration;

    const RULE: &str = "stage.greeting.global-default-dr";

    fn origin(cluster: &str) -> Origin {
        Origin::Cluster(ClusterId::new(cluster))
    }

    fn policy(region: &str) -> Value {
        json!({"apiVersion": "admiral.io/v1alpha1", "kind": "GlobalTrafficPolicy",
            "metadata": {"name": "g", "namespace": "ns", "labels": {"identity": "greeting", "env": "stage"}},
            "spec": {"policy": [{"dnsPrefix": "default", "lbType": 1, "target": [{"region": region, "weight": 100}]}]}})
    }

    /// `greeting` runs in `east` and `west`, its traffic goes to `west`, and now a policy sends it to `east`.
    fn turned() -> Planner {
        let now = WallTime::from_unix_ms(1_700_000_000_000);
        let mut planner = Planner::new(MeshOptions::default());
        planner.set_synced(&Origin::Control, true);
        for cluster in ["east", "west"] {
            planner.add_cluster(&ClusterId::new(cluster));
            for object in [
                json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n",
                    "labels": {"topology.kubernetes.io/region": cluster}}}),
                json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "ns"},
                    "spec": {"selector": {"matchLabels": {"app": "d"}}, "template": {"metadata": {
                    "labels": {"app": "d", "identity": "greeting"},
                    "annotations": {"sidecar.istio.io/inject": "true", "admiral.io/env": "stage"}}}}}),
                json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "d", "namespace": "ns"},
                    "spec": {"selector": {"app": "d"}, "ports": [{"name": "http", "port": 80}]}}),
                policy("west"),
            ] {
                planner.apply(&origin(cluster), &object).unwrap();
            }
            planner.set_synced(&origin(cluster), true);
        }
        planner.plan(now);
        for cluster in ["east", "west"] {
            let changes: Vec<_> = planner.changes(&ClusterId::new(cluster)).collect();
            for change in changes {
                let Op::Create { object } = change.op else { panic!("{change:?}") };
                planner.apply(&origin(cluster), &object).unwrap();
            }
        }
        for cluster in ["east", "west"] {
            planner.apply(&origin(cluster), &policy("east")).unwrap();
        }
        planner.plan(now);
        assert_eq!(planner.pending_count(), 2);
        planner
    }

    #[test]
    fn nobody_waits_for_a_cluster_in_trouble() {
        let planner = turned();
        let (east, west) = (ClusterId::new("east"), ClusterId::new("west"));
        let key = ObjectKey::new(Kind::DestinationRule, "admiral-sync", RULE);
        let other = ObjectKey::new(Kind::DestinationRule, "admiral-sync", "other");
        let now = Instant::from_origin(Duration::from_secs(1));
        let waits = |queue: &Queue| {
            let calm = Calm::of([(&east, queue), (&west, &Queue::default())].into_iter());
            assert!(!must_wait(&planner, &calm, &east, &key), "the preferred region never waits");
            must_wait(&planner, &calm, &west, &key)
        };
        let mut queue = Queue::default();
        assert!(waits(&queue));
        queue.delay(&other, now, "refused", false);
        assert!(waits(&queue), "another object's trouble");
        queue.delay(&key, now, "refused", false);
        assert!(!waits(&queue), "its own");
        let mut queue = Queue::default();
        queue.pause_all(now, "no route", Duration::ZERO);
        assert!(!waits(&queue), "the cluster's");
    }
}
