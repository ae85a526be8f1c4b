//! The rules of addresses said once more, the slow way: every claim of every name, in the order of their authority.

use super::*;
use crate::desired::addresses::settle::majority;

/// What should be given, and what people should be told, if the book were settled at `now`.
pub fn settle(book: &AddressBook, now: WallTime) -> (BTreeMap<Arc<str>, IpAddr>, Vec<Condition>) {
    let mut ledger = Ledger::default();
    let mut conditions = Vec::new();
    grant_known(book, &mut ledger, &mut conditions, now);
    if !book.options.disable_ip_generation {
        grant_new(book, &mut ledger);
    }
    let given = ledger.by_name.into_iter().filter(|(name, _)| book.wanted.contains(name.as_str()));
    (given.map(|(name, address)| (Arc::from(name.as_str()), address)).collect(), conditions)
}

fn grant_known(book: &AddressBook, ledger: &mut Ledger, conditions: &mut Vec<Condition>, now: WallTime) {
    let mut report = |name: &str, message: String| {
        conditions.push(Condition::new(None, format!("ServiceEntry {name}"), Reason::AddressConflict, message));
    };
    for (name, by_cluster) in &book.observed {
        let (address, is_unanimous) = majority(by_cluster);
        let is_wanted = book.wanted.contains(name);
        if !is_unanimous && is_wanted {
            report(
                name,
                format!(
                    "clusters have different addresses for this host; {address}, which most of them have, is kept and \
                     the others are changed, nothing need be done"
                ),
            );
        }
        if let Err(holder) = ledger.grant(name, address)
            && is_wanted
        {
            report(name, format!("{address} belongs to {holder}; this host gets another one, nothing need be done"));
        }
    }
    for (name, address) in &book.recorded {
        let _ = ledger.grant(name, *address);
    }
    let oldest_held_s = now.unix_s().saturating_sub(book.options.address_hold.as_secs());
    let mut releases: Vec<_> = book.released.values().flatten().collect();
    releases.sort_by_key(|(name, release)| (std::cmp::Reverse(release.released_s), *name, release.address));
    for (name, release) in releases {
        if release.released_s > oldest_held_s || book.wanted.contains(name.as_str()) {
            let _ = ledger.grant(name, release.address);
        }
    }
    for (name, address) in book.given.iter().filter(|(name, _)| book.wanted.contains(*name)) {
        let _ = ledger.grant(name, *address);
    }
}

fn grant_new(book: &AddressBook, ledger: &mut Ledger) {
    let blocked: BTreeSet<IpAddr> = book.foreign.values().copied().collect();
    for name in &book.wanted {
        if ledger.by_name.contains_key(name.as_ref()) {
            continue;
        }
        let first = fnv1a(name) % MeshOptions::SLOTS;
        let slots = (0..MeshOptions::SLOTS).map(|step| IpAddr::V4(book.options.address(first + step)));
        let mut free = slots.filter(|slot| !ledger.by_address.contains_key(slot) && !blocked.contains(slot));
        if let Some(address) = free.next() {
            let _ = ledger.grant(name, address);
        }
    }
}

/// Who has what.
#[derive(Default)]
struct Ledger {
    by_name: BTreeMap<String, IpAddr>,
    by_address: BTreeMap<IpAddr, String>,
}

impl Ledger {
    /// Gives `address` to `name`, unless it has one already; the error is the present holder.
    fn grant(&mut self, name: &str, address: IpAddr) -> Result<(), String> {
        if self.by_name.contains_key(name) {
            return Ok(());
        }
        if let Some(holder) = self.by_address.get(&address) {
            return Err(holder.clone());
        }
        self.by_name.insert(name.to_owned(), address);
        self.by_address.insert(address, name.to_owned());
        Ok(())
    }
}
