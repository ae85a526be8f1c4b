//! A store in memory: the table of tests and simulations, and the reference for what a conditional write does.

use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{CheckError, LeaseStore};
use crate::lease::record::{Attribute, Expect, INSTANCE_ID, LEASE_NAME, RawItem, VERSION};
use crate::lease::{Outcome, RequestKind, Write};

/// What a linearizable table does with `request`, given the item that it holds.
pub fn apply(item: &mut Option<RawItem>, name: &str, request: &RequestKind) -> Outcome {
    match request {
        RequestKind::Read => Outcome::Read(item.clone()),
        RequestKind::Write(write) if !holds(item.as_ref(), &write.expect) => Outcome::ConditionFailed(item.clone()),
        RequestKind::Write(write) => {
            let updated = item.get_or_insert_default();
            updated.insert(LEASE_NAME.to_owned(), Attribute::S(name.to_owned()));
            update(updated, write);
            Outcome::Applied(updated.clone())
        }
    }
}

fn update(item: &mut RawItem, write: &Write) {
    for (attribute, value) in &write.set {
        item.insert((*attribute).to_owned(), value.clone());
    }
    for attribute in &write.remove {
        item.remove(*attribute);
    }
}

fn holds(item: Option<&RawItem>, expect: &Expect) -> bool {
    let is = |name: &str, value: &str| item.and_then(|item| item.get(name)) == Some(&Attribute::S(value.to_owned()));
    match expect {
        Expect::Absent => item.is_none(),
        Expect::Version { version, instance_id } => {
            is(VERSION, version) && instance_id.as_ref().is_none_or(|id| is(INSTANCE_ID, id))
        }
        Expect::Exactly(attributes) => item.is_some_and(|item| {
            attributes.iter().all(|(name, expected)| match (item.get(*name), expected) {
                // Only its type is known of an attribute that no lease item has.
                (Some(Attribute::Other(found)), Some(Attribute::Other(wanted))) => found == wanted,
                (found, expected) => found == expected.as_ref(),
            })
        }),
    }
}

/// One lease item in memory, shared by clones.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    name: String,
    item: Arc<Mutex<Option<RawItem>>>,
}

impl MemoryStore {
    /// An empty table for the lease called `name`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), item: Arc::default() }
    }

    /// Puts an item there, or takes it away, as somebody else would.
    pub fn put(&self, item: Option<RawItem>) {
        *self.item.lock().unwrap_or_else(PoisonError::into_inner) = item;
    }
}

impl LeaseStore for MemoryStore {
    fn describe(&self) -> String {
        format!("memory, item {}", self.name)
    }

    fn execute<'a>(&'a self, request: &'a RequestKind) -> BoxFuture<'a, Outcome> {
        let mut item = self.item.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = apply(&mut item, &self.name, request);
        Box::pin(std::future::ready(outcome))
    }

    fn check(&self) -> BoxFuture<'_, Result<(), CheckError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}
