//! The lease item: its attributes, what they mean, and what a conditional write compares.
//!
//! Invariant: whatever stands in the table becomes an [`Item`]; nothing in it can stop the protocol. The item
//! names are Admiral's (`leaseName`, `leaseOwner`, `updatedTime`, `notes`) with ours beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::MAX_LEASE_DURATION;

/// The table's partition key.
pub const LEASE_NAME: &str = "leaseName";
/// The holder's name; empty when released.
pub const LEASE_OWNER: &str = "leaseOwner";
/// Unix seconds of the last write, for people and for a Go Admiral.
pub const UPDATED_TIME: &str = "updatedTime";
/// Free text.
pub const NOTES: &str = "notes";
/// Fencing token.
pub const EPOCH: &str = "epoch";
/// Nonce of the last write; compared for equality only.
pub const VERSION: &str = "version";
/// The holder's process.
pub const INSTANCE_ID: &str = "instanceId";
/// What the holder promises.
pub const LEASE_DURATION_MS: &str = "leaseDurationMs";
/// Unix ms at which the holder acquired the lease, for people.
pub const ACQUIRED_TIME: &str = "acquiredTime";
/// Where the holder's API answers.
pub const ENDPOINT: &str = "endpoint";
/// The holder's Region.
pub const REGION: &str = "region";
/// The instance that is asked to take over, or `*`.
pub const SWITCHOVER_TO: &str = "switchoverTo";
/// No automatic takeover while true.
pub const PAUSED: &str = "paused";

/// Admiral's name for "nobody is to be active".
pub const SKIP_LEASE: &str = "SKIP-LEASE-POD";

/// The owner of an item that was marked: it is held, by nobody, until it has stood for a lease duration.
pub const NOBODY_YET: &str = "nobody-yet";

/// From here on an epoch is garbage: Unix seconds lie far below, and JSON readers keep all below exact.
pub const EPOCH_LIMIT: u64 = 1 << 52;

/// From here on an epoch on an object in a cluster is garbage: whoever may annotate an object must not use the numbers
/// up. The half above is left to those who come after.
pub const SEEN_EPOCH_LIMIT: u64 = EPOCH_LIMIT / 2;

/// One attribute of an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Attribute {
    /// String.
    S(String),
    /// Number, as its decimal text.
    N(String),
    /// Boolean.
    Bool(bool),
    /// Anything else, by its DynamoDB type name (`L`, `M`, `NULL` ...).
    Other(String),
}

/// An item as the table holds it.
pub type RawItem = BTreeMap<String, Attribute>;

/// What a conditional write expects to find.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Expect {
    /// No item.
    Absent,
    /// An item with this version, and this holder's process if given.
    Version {
        /// The nonce of the item's last write.
        version: String,
        /// The process that wrote it.
        instance_id: Option<String>,
    },
    /// These attributes exactly; `None` means that the attribute is not there.
    Exactly(BTreeMap<&'static str, Option<Attribute>>),
}

/// An item that a Flagship wrote.
#[derive(Clone, Debug, PartialEq, Eq, Default, Hash)]
pub struct LeaseRecord {
    /// The holder's name; empty when released.
    pub owner: String,
    /// The holder's process, or the one that released.
    pub instance_id: String,
    /// Fencing token.
    pub epoch: u64,
    /// Nonce of the last write.
    pub version: String,
    /// The holder's promise; `None` only where nobody holds.
    pub lease_duration: Option<Duration>,
    /// Unix ms, for people.
    pub acquired_unix_ms: Option<u64>,
    /// For people and forwarding.
    pub endpoint: String,
    /// For people.
    pub region: String,
    /// Who is asked to take over.
    pub switchover_to: Option<String>,
    /// No automatic takeover.
    pub paused: bool,
}

impl LeaseRecord {
    /// Whether nobody holds the lease.
    pub fn is_released(&self) -> bool {
        self.owner.is_empty()
    }
}

/// What stands in the table, understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// Written by a Flagship.
    Native(LeaseRecord),
    /// Without a version: written by a Go Admiral, or by hand (rule 8).
    Foreign {
        /// Its `leaseOwner`.
        owner: String,
    },
    /// It has a version and makes no sense otherwise.
    Unreadable {
        /// Which attribute, which value, what to do.
        reason: String,
        /// The holder's promise, if at least that can be read.
        lease_duration: Option<Duration>,
    },
}

impl Item {
    /// Understands an item. Never fails: what makes no sense is [`Item::Unreadable`].
    pub fn parse(raw: &RawItem) -> Self {
        match raw.get(VERSION) {
            None => {
                let owner = text(raw, LEASE_OWNER).unwrap_or_default();
                Self::Foreign { owner }
            }
            Some(_) => parse_native(raw).map_or_else(
                |reason| Self::Unreadable { reason, lease_duration: lease_duration(raw).ok().flatten() },
                Self::Native,
            ),
        }
    }

    /// The condition that holds as long as nobody has written `raw` anew.
    pub fn stamp(raw: &RawItem) -> Expect {
        match Self::parse(raw) {
            Self::Native(record) => Expect::Version { version: record.version, instance_id: None },
            Self::Foreign { .. } => exactly(raw, &[LEASE_OWNER, UPDATED_TIME, VERSION]),
            Self::Unreadable { .. } => {
                exactly(raw, &[LEASE_OWNER, UPDATED_TIME, VERSION, EPOCH, INSTANCE_ID, LEASE_DURATION_MS])
            }
        }
    }
}

fn exactly(raw: &RawItem, names: &[&'static str]) -> Expect {
    Expect::Exactly(names.iter().map(|name| (*name, raw.get(*name).cloned())).collect())
}

fn parse_native(raw: &RawItem) -> Result<LeaseRecord, String> {
    let version = text(raw, VERSION)?;
    if version.is_empty() {
        return Err(wrong(VERSION, "\"\"", "a non-empty string"));
    }
    let record = LeaseRecord {
        owner: text(raw, LEASE_OWNER)?,
        instance_id: text(raw, INSTANCE_ID)?,
        epoch: number(raw, EPOCH, EPOCH_LIMIT)?.ok_or_else(|| wrong(EPOCH, "missing", "a number"))?,
        version,
        lease_duration: lease_duration(raw)?,
        acquired_unix_ms: number(raw, ACQUIRED_TIME, u64::MAX)?,
        endpoint: text(raw, ENDPOINT)?,
        region: text(raw, REGION)?,
        switchover_to: Some(text(raw, SWITCHOVER_TO)?).filter(|s| !s.is_empty()),
        paused: flag(raw, PAUSED)?,
    };
    if !record.is_released() && record.lease_duration.is_none() {
        return Err(wrong(LEASE_DURATION_MS, "missing", "the holder's lease duration in ms"));
    }
    Ok(record)
}

fn lease_duration(raw: &RawItem) -> Result<Option<Duration>, String> {
    let max_ms = u64::try_from(MAX_LEASE_DURATION.as_millis()).unwrap_or(u64::MAX);
    let ms = number(raw, LEASE_DURATION_MS, max_ms)?;
    Ok(ms.filter(|ms| *ms > 0).map(Duration::from_millis))
}

/// A string attribute; empty when it is not there.
fn text(raw: &RawItem, name: &str) -> Result<String, String> {
    match raw.get(name) {
        None => Ok(String::new()),
        Some(Attribute::S(s)) => Ok(s.clone()),
        Some(other) => Err(wrong(name, &shown(other), "a string (S)")),
    }
}

fn number(raw: &RawItem, name: &str, max: u64) -> Result<Option<u64>, String> {
    match raw.get(name) {
        None => Ok(None),
        Some(Attribute::N(n)) => match n.parse::<u64>() {
            Ok(value) if value <= max => Ok(Some(value)),
            _ => Err(wrong(name, n, &format!("a whole number from 0 to {max}"))),
        },
        Some(other) => Err(wrong(name, &shown(other), "a number (N)")),
    }
}

fn flag(raw: &RawItem, name: &str) -> Result<bool, String> {
    match raw.get(name) {
        None => Ok(false),
        Some(Attribute::Bool(b)) => Ok(*b),
        Some(other) => Err(wrong(name, &shown(other), "a boolean (BOOL)")),
    }
}

fn shown(attribute: &Attribute) -> String {
    match attribute {
        Attribute::S(s) => format!("the string {:?}", s.chars().take(60).collect::<String>()),
        Attribute::N(n) => format!("the number {n}"),
        Attribute::Bool(b) => format!("the boolean {b}"),
        Attribute::Other(kind) => format!("a value of type {kind}"),
    }
}

fn wrong(name: &str, value: &str, expected: &str) -> String {
    format!(
        "attribute `{name}` is {value}, expected {expected}; delete the attribute `{VERSION}` or the item to start anew"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(pairs: &[(&str, Attribute)]) -> RawItem {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn s(value: &str) -> Attribute {
        Attribute::S(value.to_owned())
    }

    fn n(value: &str) -> Attribute {
        Attribute::N(value.to_owned())
    }

    fn native() -> RawItem {
        item(&[
            (LEASE_NAME, s("flagship")),
            (LEASE_OWNER, s("a")),
            (INSTANCE_ID, s("i-1")),
            (VERSION, s("v1")),
            (EPOCH, n("7")),
            (LEASE_DURATION_MS, n("10000")),
        ])
    }

    #[test]
    fn a_native_item_is_read_whole() {
        let Item::Native(record) = Item::parse(&native()) else { panic!("not native") };
        assert_eq!((record.owner.as_str(), record.epoch, record.paused), ("a", 7, false));
        assert_eq!(record.lease_duration, Some(Duration::from_secs(10)));
        assert_eq!(Item::stamp(&native()), Expect::Version { version: "v1".into(), instance_id: None });
    }

    #[test]
    fn an_item_without_a_version_is_foreign_and_stamped_by_owner_and_time() {
        let raw = item(&[(LEASE_OWNER, s("admiral-a")), (UPDATED_TIME, n("1700000000")), (NOTES, s("x"))]);
        assert_eq!(Item::parse(&raw), Item::Foreign { owner: "admiral-a".into() });
        let mut later = raw.clone();
        later.insert(UPDATED_TIME.into(), n("1700000015"));
        assert_ne!(Item::stamp(&raw), Item::stamp(&later));
    }

    #[test]
    fn garbage_is_named_and_never_taken_for_free() {
        let cases: [(&str, Option<Attribute>, &str); 10] = [
            (EPOCH, Some(n("-1")), "`epoch` is -1"),
            (EPOCH, Some(s("7")), "`epoch` is the string"),
            (EPOCH, None, "`epoch` is missing"),
            (EPOCH, Some(n("1e40")), "`epoch` is 1e40"),
            (VERSION, Some(n("3")), "`version` is the number 3"),
            (LEASE_OWNER, Some(Attribute::Other("L".into())), "`leaseOwner` is a value of type L"),
            (LEASE_DURATION_MS, Some(n("99999999999")), "`leaseDurationMs` is 99999999999"),
            (LEASE_DURATION_MS, None, "`leaseDurationMs` is missing"),
            (LEASE_DURATION_MS, Some(n("0")), "`leaseDurationMs` is missing"),
            (PAUSED, Some(s("yes")), "`paused` is the string"),
        ];
        for (name, value, expected) in cases {
            let mut raw = native();
            match value {
                Some(value) => raw.insert(name.to_owned(), value),
                None => raw.remove(name),
            };
            let Item::Unreadable { reason, .. } = Item::parse(&raw) else { panic!("{name} was accepted") };
            assert!(reason.contains(expected), "{reason}");
            assert!(matches!(Item::stamp(&raw), Expect::Exactly(_)));
        }
    }

    #[test]
    fn the_item_that_terraform_creates_is_released() {
        let raw = item(&[(LEASE_OWNER, s("")), (VERSION, s("initial")), (EPOCH, n("0")), (LEASE_DURATION_MS, n("0"))]);
        let Item::Native(record) = Item::parse(&raw) else { panic!("not native") };
        assert!(record.is_released());
    }
}
