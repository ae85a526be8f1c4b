//! The address book in every order of events that matters.

use super::*;
use crate::mesh::MeshSettings;

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
    book.conditions().iter().map(|c| (c.subject.clone(), c.reason)).collect()
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
