//! Requests, as the API servers count them themselves.

use std::collections::BTreeMap;

use super::audit;
use super::world::World;

const RESOURCES: [&str; 3] = ["serviceentries", "destinationrules", "configmaps"];
const WRITES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// Where the counters and the audit logs of both clusters stood at one moment.
pub struct Mark {
    requests: Requests,
    audit_at: Vec<u64>,
}

/// Requests for Istio objects and ConfigMaps by verb and code.
pub type Requests = BTreeMap<(String, String), u64>;

/// Requests since a mark.
#[derive(Debug)]
pub struct Counted {
    /// By the servers' metrics, whoever sent them.
    pub requests: Requests,
    /// Writes in the sync namespace, by the audit logs.
    pub ours: usize,
    /// Writes elsewhere, by the audit logs: another test's on the same servers.
    pub foreign: usize,
}

impl Mark {
    pub async fn now(world: &World) -> Self {
        Self { audit_at: audit::ends(world), requests: requests(world).await }
    }

    pub async fn since(&self, world: &World) -> Counted {
        let mut requests = requests(world).await;
        for (key, count) in &mut requests {
            *count -= self.requests.get(key).unwrap_or(&0);
        }
        requests.retain(|_, count| *count > 0);
        let (mut ours, mut foreign) = (0, 0);
        for (cluster, at) in world.clusters.iter().zip(&self.audit_at) {
            for event in audit::events(cluster, *at) {
                match event["objectRef"]["namespace"] == world.sync.as_str() {
                    true => ours += 1,
                    false => foreign += 1,
                }
            }
        }
        Counted { requests, ours, foreign }
    }
}

impl Counted {
    /// Writes by the servers' metrics.
    pub fn writes(&self) -> u64 {
        self.requests.iter().filter(|((verb, _), _)| WRITES.contains(&verb.as_str())).map(|(_, count)| count).sum()
    }

    /// Fails if anything was written: by the metrics, unless another test wrote too, and by the audit logs.
    pub fn assert_no_writes(&self) {
        assert_eq!(self.ours, 0, "writes in the steady state: {self:?}");
        assert!(self.writes() <= self.foreign as u64, "writes in the steady state: {self:?}");
    }
}

async fn requests(world: &World) -> Requests {
    let mut requests = Requests::new();
    for cluster in &world.clusters {
        let text = cluster.text("/metrics").await;
        for line in text.lines().filter(|line| line.starts_with("apiserver_request_total{")) {
            let label = |name: &str| {
                let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap_or_default();
                rest.split_once('"').map_or("", |(value, _)| value).to_owned()
            };
            if RESOURCES.contains(&label("resource").as_str()) {
                let count = line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let count = count as u64;
                *requests.entry((label("verb"), label("code"))).or_default() += count;
            }
        }
    }
    requests
}
