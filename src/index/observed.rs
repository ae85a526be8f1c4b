//! Observed objects that are kept whole, and the few questions that are asked of them.
//!
//! Tolerant on purpose: an object of ours with a field of a wrong type is drift, and drift is repaired.

use std::net::IpAddr;

use serde_json::Value;

use crate::mesh::Compact;

/// `object` without what is never compared and takes most room.
pub fn kept(object: &Value) -> Compact {
    if object.get("status").is_none() && object.pointer("/metadata/managedFields").is_none() {
        return Compact::new(object);
    }
    let mut object = object.clone();
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    }
    Compact::new(&object)
}

/// The first host of a ServiceEntry, or the host of a DestinationRule.
pub fn host(object: &Value) -> Option<&str> {
    let spec = object.get("spec")?;
    spec.pointer("/hosts/0").or_else(|| spec.get("host")).and_then(Value::as_str)
}

/// The first address of a ServiceEntry, if it is one.
pub fn address(entry: &Value) -> Option<IpAddr> {
    entry.pointer("/spec/addresses/0").and_then(Value::as_str).and_then(|text| text.parse().ok())
}

/// The endpoints of a ServiceEntry.
pub fn endpoints(entry: &Value) -> &[Value] {
    entry.pointer("/spec/endpoints").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The string at `pointer`.
pub fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer).and_then(Value::as_str)
}
