//! The address book in every order of events that matters.

mod reference;

use super::settle::fnv1a;
use super::*;
use crate::desired::released::Release;
use crate::instant::WallTime;
use crate::mesh::{MeshSettings, Reason};

use proptest::prelude::*;

const NOW: WallTime = WallTime::from_unix_ms(1_700_000_000_000);

fn book() -> AddressBook {
    AddressBook::new(Arc::new(MeshOptions::default()))
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn cluster(name: &str) -> ClusterId {
    ClusterId::new(name)
}

fn reasons(book: &AddressBook) -> Vec<(String, Reason)> {
    book.conditions().map(|c| (c.subject.clone(), c.reason)).collect()
}

fn release(address: &str, age_s: u64) -> Release {
    Release { address: ip(address), released_s: NOW.unix_s() - age_s }
}

#[test]
fn a_new_name_gets_an_address_that_follows_from_the_name() {
    let (mut one, mut other) = (book(), book());
    for name in ["a-se", "b-se", "c-se"] {
        one.want(name, true);
    }
    for name in ["c-se", "b-se", "a-se"] {
        other.want(name, true);
    }
    assert_eq!(one.settle(NOW).len(), 3);
    other.settle(NOW);
    assert_eq!(one.given, other.given);
    assert!(one.settle(NOW).is_empty(), "nothing new");
    // Pinned, since an upgrade must not renumber what is not yet written.
    assert_eq!(fnv1a("stage.greeting.global-se"), 89_282_730);
}

#[test]
fn what_is_in_the_clusters_wins_over_the_record_and_over_our_own_word() {
    let mut book = book();
    book.want("a-se", true);
    book.settle(NOW);
    book.record(BTreeMap::from([("a-se".into(), ip("240.0.10.1"))]));
    assert_eq!(book.settle(NOW), BTreeSet::from(["a-se".into()]));
    assert_eq!(book.address("a-se"), Some(ip("240.0.10.1")));
    book.observe(&cluster("x"), "a-se", Some(ip("240.0.77.7")), true);
    book.settle(NOW);
    assert_eq!(book.address("a-se"), Some(ip("240.0.77.7")));
}

#[test]
fn an_assignment_is_sticky_until_the_name_is_gone() {
    let mut book = book();
    let slot = fnv1a("m-se") % MeshOptions::SLOTS;
    book.want("m-se", true);
    book.settle(NOW);
    let address = book.address("m-se").unwrap();
    assert_eq!(address, IpAddr::V4(book.options.address(slot)));
    // A record for another host that claims the slot pushes the tentative one aside, deterministically.
    book.record(BTreeMap::from([("z-se".into(), address)]));
    book.settle(NOW);
    let moved = book.address("m-se").unwrap();
    assert_eq!(moved, IpAddr::V4(book.options.address(slot + 1)));
    book.record(BTreeMap::new());
    book.settle(NOW);
    assert_eq!(book.address("m-se"), Some(moved), "it does not move back");
    book.want("m-se", false);
    book.settle(NOW);
    book.want("m-se", true);
    book.settle(NOW);
    assert_eq!(book.address("m-se"), Some(address), "after it was gone it starts afresh");
}

#[test]
fn clusters_that_disagree_follow_the_most_and_then_the_lowest() {
    let mut book = book();
    book.want("a-se", true);
    book.observe(&cluster("x"), "a-se", Some(ip("240.0.10.9")), true);
    book.observe(&cluster("y"), "a-se", Some(ip("240.0.10.5")), true);
    book.settle(NOW);
    assert_eq!(book.address("a-se"), Some(ip("240.0.10.5")));
    assert_eq!(reasons(&book), [("ServiceEntry a-se".into(), Reason::AddressConflict)]);
    book.observe(&cluster("z"), "a-se", Some(ip("240.0.10.9")), true);
    book.settle(NOW);
    assert_eq!(book.address("a-se"), Some(ip("240.0.10.9")));
    book.observe(&cluster("y"), "a-se", Some(ip("240.0.10.9")), true);
    book.settle(NOW);
    assert!(reasons(&book).is_empty());
}

/// What was given and is seen is news where another cluster has something else.
#[test]
fn a_cluster_that_still_disagrees_is_told_when_the_given_address_appears_beside_it() {
    let mut book = book();
    book.observe(&cluster("x"), "a-se", Some(ip("240.0.10.3")), true);
    book.record(BTreeMap::from([("c-se".into(), ip("240.0.10.4"))]));
    book.observe(&cluster("z"), "c-se", Some(ip("240.0.10.3")), true);
    book.want("c-se", true);
    book.settle(NOW);
    assert_eq!(book.address("c-se"), Some(ip("240.0.10.4")), "a-se has the other");
    book.observe(&cluster("x"), "c-se", Some(ip("240.0.10.4")), true);
    book.settle(NOW);
    assert_eq!(reasons(&book).len(), 2, "the clusters differ, and the address of one is another host's");
}

#[test]
fn of_two_hosts_with_one_address_the_first_keeps_it() {
    let mut book = book();
    for name in ["a-se", "b-se"] {
        book.want(name, true);
        book.observe(&cluster("x"), name, Some(ip("240.0.10.5")), true);
    }
    book.settle(NOW);
    assert_eq!(book.address("a-se"), Some(ip("240.0.10.5")));
    let new = book.address("b-se").unwrap();
    assert_ne!(new, ip("240.0.10.5"));
    assert_eq!(reasons(&book), [("ServiceEntry b-se".into(), Reason::AddressConflict)]);
    book.observe(&cluster("x"), "b-se", Some(new), true);
    book.settle(NOW);
    assert_eq!((book.address("b-se"), reasons(&book).len()), (Some(new), 0));
}

#[test]
fn released_addresses_are_kept_from_others_and_given_back() {
    let mut book = book();
    let slot = IpAddr::V4(book.options.address(fnv1a("a-se")));
    let held = |age_s| BTreeMap::from([("gone-se".to_owned(), Release { address: slot, ..release("1.1.1.1", age_s) })]);
    book.remember_released(&cluster("x"), held(3600));
    book.want("a-se", true);
    book.settle(NOW);
    assert_ne!(book.address("a-se"), Some(slot), "held for gone-se");
    book.want("gone-se", true);
    book.settle(NOW);
    assert_eq!(book.address("gone-se"), Some(slot), "back again");

    let mut later = self::book();
    later.remember_released(&cluster("x"), held(90_000));
    later.want("a-se", true);
    later.settle(NOW);
    assert_eq!(later.address("a-se"), Some(slot), "the hold is over");
    // The newest of several memories counts.
    let mut two = self::book();
    two.remember_released(&cluster("x"), BTreeMap::from([("h-se".into(), release("240.0.10.1", 50))]));
    two.remember_released(&cluster("y"), BTreeMap::from([("h-se".into(), release("240.0.10.2", 40))]));
    two.want("h-se", true);
    two.settle(NOW);
    assert_eq!(two.address("h-se"), Some(ip("240.0.10.2")));
}

#[test]
fn a_full_prefix_is_reported_and_the_host_has_no_address() {
    let mut book = book();
    let all = (0..MeshOptions::SLOTS).map(|slot| (format!("t{slot}-se"), IpAddr::V4(book.options.address(slot))));
    book.record(all.collect());
    book.want("x-se", true);
    book.want("y-se", true);
    book.settle(NOW);
    assert_eq!(book.address("x-se"), None);
    assert_eq!(reasons(&book).iter().filter(|(_, r)| *r == Reason::AddressSpaceFull).count(), 2);
}

#[test]
fn foreign_entries_block_their_address_and_claim_none() {
    let mut book = book();
    let slot = IpAddr::V4(book.options.address(fnv1a("a-se")));
    book.observe(&cluster("x"), "theirs", Some(slot), false);
    book.want("a-se", true);
    book.settle(NOW);
    assert!(book.address("a-se").is_some_and(|address| address != slot));
    assert!(!book.is_observed("theirs"));
}

#[test]
fn without_generation_only_known_addresses_are_used() {
    let settings = MeshSettings { disable_ip_generation: true, ..MeshSettings::default() };
    let mut book = AddressBook::new(Arc::new(MeshOptions::new(settings).unwrap()));
    book.record(BTreeMap::from([("a-se".into(), ip("240.0.10.1"))]));
    book.want("a-se", true);
    book.want("b-se", true);
    book.settle(NOW);
    assert_eq!((book.address("a-se"), book.address("b-se")), (Some(ip("240.0.10.1")), None));
}

#[test]
fn a_cluster_that_goes_takes_its_claims_with_it() {
    let mut book = book();
    book.want("a-se", true);
    book.observe(&cluster("x"), "a-se", Some(ip("240.0.10.5")), true);
    book.observe(&cluster("y"), "a-se", Some(ip("240.0.10.6")), true);
    book.forget_cluster(&cluster("x"));
    book.settle(NOW);
    assert_eq!(book.address("a-se"), Some(ip("240.0.10.6")));
}

/// Something that the book learns.
#[derive(Clone, Debug)]
enum News {
    Want(&'static str, bool),
    Observe(&'static str, &'static str, Option<u8>, bool),
    Record(Vec<(&'static str, u8)>),
    Released(&'static str, Vec<(&'static str, u8, u64)>),
    Forget(&'static str),
    /// Hours since the start.
    Settle(u64),
}

fn news() -> impl Strategy<Value = News> {
    let name = || prop::sample::select(vec!["a-se", "b-se", "c-se", "d-se", "e-se", "f-se"]);
    let cluster = || prop::sample::select(vec!["x", "y", "z"]);
    let address = || 1..6u8;
    let released = prop::collection::vec((name(), address(), 0..60u64), 0..4);
    prop_oneof![
        4 => (name(), any::<bool>()).prop_map(|(name, wanted)| News::Want(name, wanted)),
        6 => (cluster(), name(), prop::option::of(address()), prop::bool::weighted(0.8))
            .prop_map(|(cluster, name, address, ours)| News::Observe(cluster, name, address, ours)),
        1 => prop::collection::vec((name(), address()), 0..4).prop_map(News::Record),
        2 => (cluster(), released).prop_map(|(cluster, entries)| News::Released(cluster, entries)),
        1 => cluster().prop_map(News::Forget),
        3 => (0..60u64).prop_map(News::Settle),
    ]
}

fn learn(book: &mut AddressBook, news: &News) {
    // The first of these is the slot of one of the names, so that what is given competes too.
    let address = |number: u8| match number {
        1 => IpAddr::V4(book.options.address(fnv1a("a-se"))),
        2 => IpAddr::V4(book.options.address(fnv1a("b-se"))),
        number => ip(&format!("240.0.10.{number}")),
    };
    match news {
        News::Want(name, wanted) => book.want(name, *wanted),
        News::Observe(of, name, number, ours) => {
            let address = number.map(address);
            book.observe(&cluster(of), name, address, *ours);
        }
        News::Record(entries) => {
            let entries = entries.iter().map(|(name, number)| ((*name).to_owned(), address(*number))).collect();
            book.record(entries);
        }
        News::Released(of, entries) => {
            let release = |hours, number| Release { released_s: NOW.unix_s() + hours * 3600, address: address(number) };
            let entries = entries.iter().map(|(name, number, hours)| ((*name).to_owned(), release(hours, *number)));
            let entries = entries.collect();
            book.remember_released(&cluster(of), entries);
        }
        News::Forget(of) => book.forget_cluster(&cluster(of)),
        News::Settle(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The reference reads everything anew. The hold is 24 hours, releases and the clock are spread over 60.
    #[test]
    fn settling_what_changed_is_settling_everything(all in prop::collection::vec(news(), 1..40)) {
        let mut book = book();
        for news in &all {
            learn(&mut book, news);
            let News::Settle(hours) = news else { continue };
            let now = WallTime::from_unix_ms(NOW.unix_ms() + hours * 3_600_000);
            let before = book.given.clone();
            let (given, mut expected) = if book.is_stale {
                reference::settle(&book, now)
            } else {
                (before.clone(), book.conditions().cloned().collect())
            };
            let changed = book.settle(now);
            prop_assert_eq!(&book.given, &given);
            let names = given.keys().chain(before.keys());
            let differing: BTreeSet<String> =
                names.filter(|name| given.get(*name) != before.get(*name)).map(|name| name.to_string()).collect();
            prop_assert_eq!(changed, differing);
            let mut conditions: Vec<_> = book.conditions().cloned().collect();
            expected.sort();
            conditions.sort();
            prop_assert_eq!(conditions, expected);
        }
    }
}
