//! ClientConnectionConfigs: limits of the connections to a service (reconcile-spec DR4).

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::decode::{At, DecodeError};
use super::fold::Watched;
use super::policy::{self, Owner, Policy, Problem};
use super::{Index, Name, State, Touched};
use crate::mesh::{Kind, MeshOptions, Origin};

const EFFECT: &str = "the value is left out";

/// What is kept of a ClientConnectionConfig: the four values that Admiral reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConnectionConfig {
    /// Whose traffic it shapes.
    pub owner: Owner,
    /// Unix seconds; `None`, the oldest, if unknown.
    pub created_s: Option<i64>,
    /// The limits.
    pub limits: Limits,
    /// What of it cannot be used.
    pub problems: Vec<Problem>,
}

/// Limits of connections; those that are not given stay Istio's or the mesh's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `http.http2MaxRequests`.
    pub http2_max_requests: Option<i64>,
    /// `http.maxRequestsPerConnection`.
    pub max_requests_per_connection: Option<i64>,
    /// `http.idleTimeout`.
    pub idle_timeout: Option<Duration>,
    /// `tcp.maxConnectionDuration`.
    pub max_connection_duration: Option<Duration>,
}

impl Policy for ClientConnectionConfig {
    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn problems(&self) -> &[Problem] {
        &self.problems
    }

    fn rank(&self, other: &Self) -> Ordering {
        self.created_s.cmp(&other.created_s)
    }

    fn of(state: &State) -> &BTreeMap<Name, Self> {
        &state.connection_configs
    }
}

impl Watched for ClientConnectionConfig {
    const KIND: Kind = Kind::ClientConnectionConfig;

    fn decode(object: &Value, options: &MeshOptions) -> Result<Option<Self>, DecodeError> {
        let root = At::root(object);
        if policy::is_ignored(&root)? {
            return Ok(None);
        }
        let mut problems = Vec::new();
        let pool = root.field("spec.connectionPool")?;
        let (http, tcp) = (pool.field("http")?, pool.field("tcp")?);
        Ok(Some(Self {
            owner: policy::owner(&root, false, options)?,
            created_s: root.field("metadata.creationTimestamp")?.time()?,
            limits: Limits {
                http2_max_requests: most(&http, "http2MaxRequests", &mut problems),
                max_requests_per_connection: most(&http, "maxRequestsPerConnection", &mut problems),
                idle_timeout: time(&http, "idleTimeout", &mut problems),
                max_connection_duration: time(&tcp, "maxConnectionDuration", &mut problems),
            },
            problems,
        }))
    }

    fn store(state: &mut State) -> &mut BTreeMap<Name, Self> {
        &mut state.connection_configs
    }

    fn touched(index: &mut Index, origin: &Origin, name: &Name, old: Option<&Self>, new: Option<&Self>) -> Touched {
        policy::touched(index, origin, name, old, new)
    }
}

fn most(parent: &At<'_>, field: &str, problems: &mut Vec<Problem>) -> Option<i64> {
    let read = parent.field(field).and_then(|at| policy::count(&at, i64::from(i32::MAX), "a number from 0 on"));
    reported(read, problems).filter(|number| *number > 0)
}

fn time(parent: &At<'_>, field: &str, problems: &mut Vec<Problem>) -> Option<Duration> {
    let read = parent.field(field).and_then(|at| {
        let Some(text) = at.text()?.filter(|text| !text.is_empty()) else { return Ok(None) };
        // Istio's precision.
        let usable = go_duration(text).filter(|d| !d.is_zero() && d.subsec_nanos() % 1_000_000 == 0);
        usable.map(Some).ok_or_else(|| at.error("a time such as 90s or 2m, in whole milliseconds"))
    });
    reported(read, problems)
}

fn reported<T>(read: Result<Option<T>, DecodeError>, problems: &mut Vec<Problem>) -> Option<T> {
    read.unwrap_or_else(|error| {
        problems.push(Problem { error, effect: EFFECT });
        None
    })
}

/// A duration in Go's notation, such as `1h2m`, `1.5s` or `300ms`; `None` if it is none or is negative.
fn go_duration(text: &str) -> Option<Duration> {
    /// A hundred years.
    const MOST_NANOS: u128 = 3_155_760_000_000_000_000;
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    match rest {
        "" => return None,
        "0" => return Some(Duration::ZERO),
        _ => {}
    }
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(unit_at);
        let next = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let unit: u128 = match &tail[..next] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || whole.len() > 18 || fraction.len() > 18 {
            return None;
        }
        let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u128>().ok() };
        let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        nanos = nanos.checked_add(digits(whole)? * unit + digits(fraction)? * unit / scale)?;
        rest = &tail[next..];
    }
    u64::try_from(nanos).ok().filter(|_| nanos <= MOST_NANOS).map(Duration::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn durations_in_gos_notation() {
        let millis = |text: &str| go_duration(text).map(|d| d.as_millis());
        for (text, expected) in
            [("90s", 90_000), ("2m", 120_000), ("1h2m3.5s", 3_723_500), ("300ms", 300), ("0", 0), (".5s", 500)]
        {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
        for bad in ["", "5", "-1s", "s", "1x", "1 s", ".s", "1s2", "99999999999999h", "1.5.5s", "+"] {
            assert_eq!(go_duration(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_bad_value_leaves_the_others_in_force() {
        let object = json!({"metadata": {"labels": {"identity": "i"}}, "spec": {"connectionPool": {
            "http": {"http2MaxRequests": -1, "maxRequestsPerConnection": 0, "idleTimeout": "soon"},
            "tcp": {"maxConnectionDuration": "90s"}}}});
        let read = ClientConnectionConfig::decode(&object, &MeshOptions::default()).unwrap().unwrap();
        let expected = Limits { max_connection_duration: Some(Duration::from_secs(90)), ..Limits::default() };
        assert_eq!(read.limits, expected);
        let texts: Vec<_> = read.problems.iter().map(|problem| problem.error.to_string()).collect();
        assert_eq!(
            texts,
            [
                "spec.connectionPool.http.http2MaxRequests is -1, but must be a number from 0 on",
                "spec.connectionPool.http.idleTimeout is \"soon\", but must be a time such as 90s or 2m, in whole milliseconds",
            ]
        );
    }
}
