//! What every lease store must do, whatever it is made of.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use flagship::lease::record::{
    EPOCH, INSTANCE_ID, LEASE_DURATION_MS, LEASE_NAME, LEASE_OWNER, NOTES, REGION, UPDATED_TIME, VERSION,
};
use flagship::lease::{Attribute, Expect, Item, Outcome, Purpose, RawItem, RequestKind, Write};
use flagship::store::LeaseStore;
use futures::future::{BoxFuture, join_all};

/// A store and a way to put an item there behind its back.
pub trait Subject {
    fn store(&self) -> Arc<dyn LeaseStore>;
    /// The name of the lease, the item's key.
    fn name(&self) -> String;
    fn put(&self, item: Option<RawItem>) -> BoxFuture<'_, ()>;
}

/// Runs the whole suite.
pub async fn holds_for(subject: &impl Subject) {
    subject.store().check().await.expect("the store must be fit for a lease");
    absent_item_is_created_once(subject).await;
    a_version_is_compared_with_its_holder(subject).await;
    a_lost_race_returns_what_is_there(subject).await;
    unknown_attributes_survive_and_removed_ones_go(subject).await;
    exact_conditions_compare_every_type(subject).await;
    of_many_claims_one_wins(subject).await;
}

fn s(value: &str) -> Attribute {
    Attribute::S(value.to_owned())
}

fn n(value: &str) -> Attribute {
    Attribute::N(value.to_owned())
}

fn write(expect: Expect, version: &str, owner: &str) -> RequestKind {
    RequestKind::Write(Write {
        purpose: Purpose::Claim,
        expect,
        set: BTreeMap::from([
            (VERSION, s(version)),
            (LEASE_OWNER, s(owner)),
            (INSTANCE_ID, s(owner)),
            (EPOCH, n("3")),
            (REGION, s("us-west-2")),
            (LEASE_DURATION_MS, n("10000")),
        ]),
        remove: vec!["switchoverTo"],
    })
}

fn version(version: &str, instance: Option<&str>) -> Expect {
    Expect::Version { version: version.to_owned(), instance_id: instance.map(str::to_owned) }
}

fn applied(outcome: Outcome) -> RawItem {
    match outcome {
        Outcome::Applied(item) => item,
        other => panic!("expected Applied, got {other:?}"),
    }
}

fn refused(outcome: Outcome) -> Option<RawItem> {
    match outcome {
        Outcome::ConditionFailed(item) => item,
        other => panic!("expected ConditionFailed, got {other:?}"),
    }
}

async fn absent_item_is_created_once(subject: &impl Subject) {
    subject.put(None).await;
    let store = subject.store();
    assert_eq!(store.execute(&RequestKind::Read).await, Outcome::Read(None));
    assert_eq!(refused(store.execute(&write(version("v0", None), "v1", "a")).await), None);
    let created = applied(store.execute(&write(Expect::Absent, "v1", "a")).await);
    assert_eq!(created[LEASE_NAME], s(&subject.name()));
    assert_eq!(store.execute(&RequestKind::Read).await, Outcome::Read(Some(created.clone())));
    assert_eq!(refused(store.execute(&write(Expect::Absent, "v2", "b")).await), Some(created));
}

async fn a_version_is_compared_with_its_holder(subject: &impl Subject) {
    let store = subject.store();
    subject.put(None).await;
    applied(store.execute(&write(Expect::Absent, "v1", "a")).await);
    refused(store.execute(&write(version("other", None), "v2", "a")).await);
    refused(store.execute(&write(version("v1", Some("b")), "v2", "b")).await);
    let renewed = applied(store.execute(&write(version("v1", Some("a")), "v2", "a")).await);
    assert_eq!(renewed[VERSION], s("v2"));
    applied(store.execute(&write(version("v2", None), "v3", "b")).await);
}

async fn a_lost_race_returns_what_is_there(subject: &impl Subject) {
    let store = subject.store();
    subject.put(None).await;
    applied(store.execute(&write(Expect::Absent, "v1", "a")).await);
    let found = refused(store.execute(&write(version("v0", None), "v2", "b")).await).expect("the item must come back");
    let Item::Native(record) = Item::parse(&found) else { panic!("{found:?}") };
    assert_eq!((record.owner.as_str(), record.epoch), ("a", 3));
}

async fn unknown_attributes_survive_and_removed_ones_go(subject: &impl Subject) {
    let store = subject.store();
    let item = [(VERSION, s("v1")), (NOTES, s("by hand")), ("switchoverTo", s("b")), ("theirs", n("42"))];
    subject.put(Some(item.map(|(k, v)| (k.to_owned(), v)).into())).await;
    let after = applied(store.execute(&write(version("v1", None), "v2", "a")).await);
    assert_eq!((&after[NOTES], &after["theirs"]), (&s("by hand"), &n("42")));
    assert!(!after.contains_key("switchoverTo"));
}

async fn exact_conditions_compare_every_type(subject: &impl Subject) {
    let store = subject.store();
    let items: [Vec<(&str, Attribute)>; 6] = [
        vec![(LEASE_OWNER, s("go-admiral")), (UPDATED_TIME, n("1700000000"))],
        vec![(VERSION, n("7")), (LEASE_OWNER, s("x"))],
        vec![(VERSION, s("v")), (EPOCH, n("-3")), (LEASE_OWNER, s("x"))],
        vec![(VERSION, s("v")), (EPOCH, s("three"))],
        vec![(VERSION, Attribute::Bool(true)), (EPOCH, n("1"))],
        vec![(VERSION, s("v")), (EPOCH, Attribute::Other("L".to_owned()))],
    ];
    for attributes in items {
        let raw: RawItem = attributes.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
        subject.put(Some(raw.clone())).await;
        let Outcome::Read(Some(seen)) = store.execute(&RequestKind::Read).await else { panic!("{raw:?} not found") };
        let stamp = Item::stamp(&seen);
        let mut changed = raw.clone();
        changed.insert(LEASE_OWNER.to_owned(), s("somebody else"));
        subject.put(Some(changed)).await;
        refused(store.execute(&write(stamp.clone(), "v9", "a")).await);
        subject.put(Some(raw.clone())).await;
        let taken = applied(store.execute(&write(stamp.clone(), "v9", "a")).await);
        assert!(matches!(Item::parse(&taken), Item::Native(_) | Item::Unreadable { .. }));
        assert_eq!(taken[VERSION], s("v9"), "{raw:?}");
        subject.put(None).await;
        assert_eq!(refused(store.execute(&write(stamp, "v9", "a")).await), None);
    }
}

async fn of_many_claims_one_wins(subject: &impl Subject) {
    for round in 0..5 {
        subject.put(Some(RawItem::from([(VERSION.to_owned(), s("free"))]))).await;
        let claims = (0..100).map(|i| {
            let store = subject.store();
            let claim = write(version("free", None), &format!("r{round}-{i}"), &format!("n{i}"));
            async move { store.execute(&claim).await }
        });
        let outcomes = join_all(claims).await;
        let winners: Vec<&Outcome> = outcomes.iter().filter(|o| matches!(o, Outcome::Applied(_))).collect();
        assert_eq!(winners.len(), 1, "round {round}");
        let Outcome::Read(Some(now)) = subject.store().execute(&RequestKind::Read).await else { panic!("gone") };
        assert_eq!(winners[0], &Outcome::Applied(now.clone()));
        // Every loser learned of a state that really was.
        for outcome in &outcomes {
            if let Outcome::ConditionFailed(found) = outcome {
                assert_eq!(found.as_ref(), Some(&now), "round {round}");
            }
        }
    }
}
