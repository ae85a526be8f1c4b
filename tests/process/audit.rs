//! The second judge: the API servers' audit logs, which name who asked for what, whether or not it was granted.
//!
//! Each instance comes under a name of its own (its kubeconfigs impersonate it), so that requests that failed,
//! and deletes, have an author too.

use std::collections::BTreeSet;
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
    /// When it was received and when it was answered; it took effect in between, if at all.
    pub unix_us: [i64; 2],
    pub who: String,
    /// Under which it was sent, by its user agent. Every instance names it.
    pub epoch: Option<u64>,
    pub verb: String,
    pub code: u64,
    pub object: String,
}

/// Every audited event of a cluster from the offset `from` of its log on.
pub fn events(cluster: &Cluster, mut from: u64) -> Vec<Value> {
    read_lines(cluster, &mut from).iter().filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The attempts in the log of a cluster from the offset `from` on, oldest first. Moves the offset to where it ends.
pub fn attempts(world: &World, cluster: &Cluster, from: &mut u64) -> Vec<Attempt> {
    let sync = world.sync.as_bytes();
    let lines = read_lines(cluster, from);
    let ours = lines.iter().filter(|line| line.windows(sync.len()).any(|part| part == sync));
    let events = ours.map(|line| serde_json::from_slice(line).expect("a whole event on each line"));
    let events = events.filter(|event: &Value| event["objectRef"]["namespace"] == world.sync.as_str());
    let mut attempts: Vec<Attempt> = events.map(|event| attempt(cluster, &event)).collect();
    attempts.sort_by_key(|attempt| attempt.unix_us);
    attempts
}

fn attempt(cluster: &Cluster, event: &Value) -> Attempt {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let unix_us = ["requestReceivedTimestamp", "stageTimestamp"].map(|field| {
        let time: MicroTime = serde_json::from_value(event[field].clone()).unwrap();
        time.0.as_microsecond()
    });
    Attempt {
        cluster: cluster.name.clone(),
        unix_ms: unix_us[0] / 1000,
        unix_us,
        who: text(&event["impersonatedUser"]["username"]),
        epoch: event["userAgent"].as_str().and_then(epoch),
        verb: text(&event["verb"]),
        code: event["responseStatus"]["code"].as_u64().unwrap_or_default(),
        object: format!("{} {}", text(&event["objectRef"]["resource"]), text(&event["objectRef"]["name"])),
    }
}

/// What a user agent such as `flagship/0.3.0 (epoch 7)` says.
fn epoch(agent: &str) -> Option<u64> {
    agent.strip_prefix("flagship/")?.split_once("(epoch ")?.1.strip_suffix(')')?.parse().ok()
}

/// The whole lines of a log from an offset on, which moves to their end.
fn read_lines(cluster: &Cluster, from: &mut u64) -> Vec<Vec<u8>> {
    let mut file = std::fs::File::open(&cluster.audit_log).unwrap();
    assert!(file.metadata().unwrap().len() >= *from, "{}: the audit log was rotated", cluster.name);
    file.seek(SeekFrom::Start(*from)).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    bytes.truncate(bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1));
    *from += bytes.len() as u64;
    bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}

/// When each object was created in the sync namespace, in Unix milliseconds.
pub fn creates(world: &World) -> Vec<i64> {
    let all = world.clusters.iter().flat_map(|cluster| attempts(world, cluster, &mut 0));
    all.filter(|attempt| attempt.verb == "create").map(|attempt| attempt.unix_ms).collect()
}

/// What was written in the sync namespace: cluster, verb and object. Fails if anything was written twice or refused.
pub fn written_since(world: &World, from: &[u64]) -> BTreeSet<String> {
    let mut written = BTreeSet::new();
    for (cluster, from) in world.clusters.iter().zip(from) {
        for attempt in attempts(world, cluster, &mut from.clone()) {
            assert!(attempt.code < 300, "{attempt:?}");
            let text = format!("{} {} {}", attempt.cluster, attempt.verb, attempt.object);
            assert!(written.insert(text), "written twice: {attempt:?}");
        }
    }
    written
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
        for attempt in attempts(world, cluster, &mut from.clone()) {
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
