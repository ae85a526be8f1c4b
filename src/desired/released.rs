//! The memory of released addresses: a ConfigMap in each cluster from which a host was removed, so that
//! nobody else gets the address while clients may still remember it (case w16).
//!
//! Invariant: time alone changes nothing; expired entries leave when the map is written for another reason.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Value, json};

use super::object;
use crate::instant::WallTime;
use crate::mesh::{Kind, MeshOptions, ObjectKey, marks};

/// Most entries of one map: well below the size limit of a ConfigMap. Beyond it the oldest leave first.
const MAX_ENTRIES: usize = 8_000;

/// An address that was set free.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release {
    /// When, in Unix seconds.
    pub released_s: u64,
    /// Which.
    pub address: IpAddr,
}

/// The key of the ConfigMap.
pub fn key(options: &MeshOptions) -> ObjectKey {
    ObjectKey::new(Kind::ConfigMap, &options.sync_namespace, marks::RELEASED_ADDRESSES)
}

/// The entries of an observed map; unreadable ones are passed over.
pub fn parse(config_map: &Value) -> BTreeMap<String, Release> {
    let data = config_map.get("data").and_then(Value::as_object);
    data.into_iter()
        .flatten()
        .filter_map(|(name, value)| {
            let (address, released_s) = value.as_str()?.split_once(' ')?;
            let release = Release { address: address.parse().ok()?, released_s: released_s.trim().parse().ok()? };
            Some((name.clone(), release))
        })
        .collect()
}

/// The map as it should be, or `None` if what is there may stay: `added` joins it, `returned` leaves it.
pub fn desired(
    options: &MeshOptions,
    present: &BTreeMap<String, Release>,
    added: BTreeMap<String, Release>,
    returned: &[String],
    now: WallTime,
) -> Option<Value> {
    if added.is_empty() && returned.is_empty() {
        return None;
    }
    let oldest_held_s = now.unix_s().saturating_sub(options.address_hold.as_secs());
    let mut entries = present.clone();
    entries.retain(|name, release| release.released_s > oldest_held_s && !returned.contains(name));
    entries.extend(added);
    if entries.len() > MAX_ENTRIES {
        let mut by_age: Vec<_> = entries.iter().map(|(name, release)| (release.released_s, name.clone())).collect();
        by_age.sort();
        for (_, name) in by_age.into_iter().take(entries.len() - MAX_ENTRIES) {
            entries.remove(&name);
        }
    }
    if entries == *present {
        // Full of entries that are as new: the others are released without a hold.
        return None;
    }
    let data: BTreeMap<_, _> =
        entries.iter().map(|(name, release)| (name, format!("{} {}", release.address, release.released_s))).collect();
    Some(object(&key(options), BTreeMap::from([(marks::MANAGED, "true")]), BTreeMap::new(), ("data", json!(data))))
}

/// Admiral's own record of addresses, names of ServiceEntries to addresses (reconcile-spec 3.3 A1). The text
/// is YAML of one known shape.
///
/// # Errors
/// With what is wrong with it.
pub fn parse_admiral(config_map: &Value) -> Result<BTreeMap<String, IpAddr>, String> {
    let Some(store) = config_map.pointer("/data/serviceEntryAddressStore").and_then(Value::as_str) else {
        return Ok(BTreeMap::new());
    };
    let store: Value = serde_saphyr::from_str(store)
        .map_err(|error| format!("data.serviceEntryAddressStore is not YAML: {}", error.without_snippet()))?;
    let entries = store.get("entry-addresses").and_then(Value::as_object);
    Ok(entries
        .into_iter()
        .flatten()
        .filter_map(|(name, address)| Some((name.clone(), address.as_str()?.parse().ok()?)))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(address: &str, released_s: u64) -> Release {
        Release { address: address.parse().unwrap(), released_s }
    }

    #[test]
    fn expired_entries_leave_only_with_another_change() {
        let options = MeshOptions::default();
        let now = WallTime::from_unix_ms(1_000_000_000);
        let present =
            BTreeMap::from([("old".into(), release("240.0.10.1", 1)), ("new".into(), release("240.0.10.2", 999_999))]);
        assert_eq!(desired(&options, &present, BTreeMap::new(), &[], now), None);
        let added = BTreeMap::from([("x".into(), release("240.0.10.3", 1_000_000))]);
        let map = desired(&options, &present, added, &[], now).unwrap();
        assert_eq!(map["data"], json!({"new": "240.0.10.2 999999", "x": "240.0.10.3 1000000"}));
        assert_eq!(map["metadata"]["labels"]["flagship.io/managed"], "true");
        assert_eq!(parse(&map)["x"], release("240.0.10.3", 1_000_000));
        let map = desired(&options, &present, BTreeMap::new(), &["new".into()], now).unwrap();
        assert_eq!(map["data"], json!({}));
    }

    #[test]
    fn bad_entries_are_passed_over_and_the_map_is_bounded() {
        let map = json!({"data": {"a": "240.0.10.1 5", "b": "x 5", "c": "240.0.10.1", "d": 7}});
        assert_eq!(parse(&map).len(), 1);
        let many: BTreeMap<_, _> = (0..9000).map(|i| (format!("n{i}"), release("240.0.10.1", 1_000_000 + i))).collect();
        let map = desired(&MeshOptions::default(), &BTreeMap::new(), many.clone(), &[], WallTime::default()).unwrap();
        let rest = many.into_iter().filter(|(name, _)| map["data"].get(name).is_none()).collect();
        assert_eq!(
            desired(&MeshOptions::default(), &parse(&map), rest, &[], WallTime::default()),
            None,
            "no endless writes"
        );
        let data = map["data"].as_object().unwrap();
        assert!(data.len() == MAX_ENTRIES && data.contains_key("n8999") && !data.contains_key("n999"));
    }

    #[test]
    fn admirals_record() {
        let store = "entry-addresses:\n  a.global-se: 240.0.10.2\n  b.global-se: nonsense\naddresses:\n- 240.0.10.2\n";
        let map = json!({"data": {"serviceEntryAddressStore": store}});
        assert_eq!(parse_admiral(&map).unwrap().len(), 1);
        assert_eq!(parse_admiral(&json!({})), Ok(BTreeMap::new()));
        assert!(parse_admiral(&json!({"data": {"serviceEntryAddressStore": "a: [}"}})).is_err());
    }
}
