//! The second judge: the API servers' audit logs, which name who asked for what, whether or not it was granted.
//!
//! Each instance comes under a name of its own (its kubeconfigs impersonate it), so that requests that failed,
//! and deletes, have an author too.

use std::io::{Read, Seek, SeekFrom};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde_json::Value;

use super::kube_api::Cluster;
use super::world::World;

/// A request that would change an object of the sync namespace.
#[derive(Clone, Debug)]
#[allow(dead_code, reason = "some fields are there to be printed")]
pub struct Attempt {
    pub cluster: String,
    pub unix_ms: i64,
    pub who: String,
    pub verb: String,
    pub code: u64,
    pub object: String,
}

/// Every audited event of a cluster from the offset `from` of its log on.
pub fn events(cluster: &Cluster, from: u64) -> Vec<Value> {
    let mut file = std::fs::File::open(&cluster.audit_log).unwrap();
    file.seek(SeekFrom::Start(from)).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let lines = bytes.split(|byte| *byte == b'\n');
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The attempts that a cluster received, oldest first.
fn attempts(world: &World, cluster: &Cluster, from: u64) -> Vec<Attempt> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut attempts = Vec::new();
    for event in events(cluster, from) {
        if event["objectRef"]["namespace"] != world.sync.as_str() {
            continue;
        }
        let received: MicroTime = serde_json::from_value(event["requestReceivedTimestamp"].clone()).unwrap();
        attempts.push(Attempt {
            cluster: cluster.name.clone(),
            unix_ms: received.0.as_millisecond(),
            who: text(&event["impersonatedUser"]["username"]),
            verb: text(&event["verb"]),
            code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
            object: format!("{} {}", text(&event["objectRef"]["resource"]), text(&event["objectRef"]["name"])),
        });
    }
    attempts.sort_by_key(|attempt| attempt.unix_ms);
    attempts
}

/// Where the logs end now.
pub fn ends(world: &World) -> Vec<u64> {
    world.clusters.iter().map(|cluster| std::fs::metadata(&cluster.audit_log).unwrap().len()).collect()
}

/// The attempts of an instance that came after the next one in `turns` had begun.
pub fn out_of_turn(world: &World, from: &[u64], turns: &[String]) -> Vec<Attempt> {
    let mut late = Vec::new();
    for (cluster, from) in world.clusters.iter().zip(from) {
        let mut turn = 0;
        for attempt in attempts(world, cluster, *from) {
            if turns.get(turn + 1) == Some(&attempt.who) {
                turn += 1;
            } else if turns[turn] != attempt.who {
                late.push(attempt);
            }
        }
        assert_eq!(turn + 1, turns.len(), "{}: not everybody had a turn", cluster.name);
    }
    late
}
