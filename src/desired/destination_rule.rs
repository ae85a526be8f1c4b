//! DestinationRules of ServiceEntry hosts (reconcile-spec 3.4, DR1 to DR3).

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Placement, names, object};
use crate::mesh::{Kind, ObjectKey};

/// The DestinationRule of a placement.
pub fn generate(placement: &Placement<'_>) -> (ObjectKey, Value) {
    let (options, service) = (placement.options, placement.service);
    let key = ObjectKey::new(Kind::DestinationRule, &options.sync_namespace, names::rule(&service.host));
    let mut policy = json!({
        "connectionPool": {"http": {"maxRequestsPerConnection": options.max_requests_per_connection}},
        "loadBalancer": {
            "simple": "LEAST_REQUEST",
            "warmupDurationSecs": format!("{}s", options.default_warmup_duration.as_secs()),
        },
        "tls": {"mode": "ISTIO_MUTUAL"},
    });
    if let Some(detection) = outlier_detection(placement) {
        policy["outlierDetection"] = detection;
    }
    let spec = json!({"host": service.host, "trafficPolicy": policy});
    let object = object(&key, BTreeMap::new(), BTreeMap::new(), ("spec", spec));
    (key, object)
}

fn outlier_detection(placement: &Placement<'_>) -> Option<Value> {
    if placement.options.disable_default_automatic_failover {
        return Some(json!({"consecutiveGatewayErrors": 0, "consecutive5xxErrors": 0}));
    }
    let max_ejection_percent = match placement.endpoints {
        [only] if only.is_local_or_ip() => return None,
        [_] => 33,
        _ => 100,
    };
    Some(json!({
        "baseEjectionTime": "300s",
        "consecutive5xxErrors": 0,
        "consecutiveGatewayErrors": 50,
        "interval": "60s",
        "maxEjectionPercent": max_ejection_percent,
    }))
}
