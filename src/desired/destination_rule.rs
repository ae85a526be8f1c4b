//! DestinationRules of ServiceEntry hosts (reconcile-spec 3.4, 3.5).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::policy::Ejection;
use super::{Placement, object};
use crate::index::client_connection_config::Limits;
use crate::mesh::{Kind, ObjectKey};

/// Seconds that an ejected endpoint stays out at first.
const BASE_EJECTION_S: i64 = 300;
/// Gateway errors in a row that eject an endpoint.
const GATEWAY_ERRORS: i64 = 50;
/// Seconds between two looks.
const INTERVAL_S: i64 = 60;

/// The DestinationRule of a placement.
pub fn generate(placement: &Placement<'_>) -> (ObjectKey, Value) {
    let (options, service) = (placement.options, placement.service);
    let key = ObjectKey::new(Kind::DestinationRule, &options.sync_namespace, service.rule_name());
    let mut policy = json!({
        "connectionPool": connection_pool(&service.policy.limits, options.max_requests_per_connection),
        "loadBalancer": {
            "simple": "LEAST_REQUEST",
            "warmupDurationSecs": format!("{}s", options.default_warmup_duration.as_secs()),
        },
        "tls": {"mode": "ISTIO_MUTUAL"},
    });
    let fails_over = options.extension.traffic_policy_failover;
    if let Some(setting) = service.policy.locality.setting(placement.cluster, placement.region, fails_over) {
        policy["loadBalancer"]["localityLbSetting"] = setting;
    }
    if let Some(detection) = outlier_detection(placement) {
        policy["outlierDetection"] = detection;
    }
    let mut spec = json!({"host": service.host, "trafficPolicy": policy});
    if !placement.export_to.is_empty() {
        spec["exportTo"] = json!(placement.export_to);
    }
    let object = object(&key, BTreeMap::new(), BTreeMap::new(), ("spec", spec));
    (key, object)
}

/// Reconcile-spec DR4.
fn connection_pool(limits: &Limits, max_requests_per_connection: u32) -> Value {
    let most = limits.max_requests_per_connection.unwrap_or(max_requests_per_connection.into());
    let mut pool = json!({"http": {"maxRequestsPerConnection": most}});
    if let Some(requests) = limits.http2_max_requests {
        pool["http"]["http2MaxRequests"] = json!(requests);
    }
    if let Some(timeout) = limits.idle_timeout {
        pool["http"]["idleTimeout"] = seconds(timeout);
    }
    if let Some(duration) = limits.max_connection_duration {
        pool["tcp"] = json!({"maxConnectionDuration": seconds(duration)});
    }
    pool
}

/// Reconcile-spec DR3.
fn outlier_detection(placement: &Placement<'_>) -> Option<Value> {
    let no_default = placement.options.disable_default_automatic_failover;
    let ejection = placement.service.policy.ejection;
    if no_default && ejection == Ejection::Default {
        return Some(json!({"consecutiveGatewayErrors": 0, "consecutive5xxErrors": 0}));
    }
    let max_ejection_percent = match placement.endpoints {
        [only] if only.is_local_or_ip() => return None,
        [_] => 33,
        _ => 100,
    };
    let given = match ejection {
        Ejection::Default => [None; 3],
        Ejection::Resource(given) => [given.base_ejection_s, given.gateway_errors, given.interval_s],
        // Zeros are as good as nothing here.
        Ejection::Entry(given) => {
            [given.base_ejection_s, given.gateway_errors, given.interval_s].map(|value| value.filter(|n| *n > 0))
        }
    };
    // A resource of its own stands alone where there is no default.
    let is_alone = no_default && matches!(ejection, Ejection::Resource(_));
    let value = |given: Option<i64>, default: i64| given.or((!is_alone).then_some(default));
    let mut detection = json!({"consecutive5xxErrors": 0, "maxEjectionPercent": max_ejection_percent});
    if let Some(base) = value(given[0], BASE_EJECTION_S) {
        detection["baseEjectionTime"] = json!(format!("{base}s"));
    }
    if let Some(errors) = value(given[1], GATEWAY_ERRORS) {
        detection["consecutiveGatewayErrors"] = json!(errors);
    }
    if let Some(interval) = value(given[2], INTERVAL_S) {
        detection["interval"] = json!(format!("{interval}s"));
    }
    Some(detection)
}

/// As protocol buffers write durations.
fn seconds(duration: Duration) -> Value {
    match duration.subsec_millis() {
        0 => json!(format!("{}s", duration.as_secs())),
        millis => json!(format!("{}.{millis:03}s", duration.as_secs())),
    }
}
