//! The table of faults: what happens to whom, for how long, and what must come of it.

use std::time::Duration;

use rustix::process::Signal;

use super::injector::Refusal;
use crate::process::proxy::Way;

#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// The process ends; healed by a new one.
    Ends(Signal),
    /// SIGSTOP in the midst of writes; healed by SIGCONT.
    Sleeps,
    /// Between instance and table.
    Network(Way),
    /// The kernel drops every packet between instance and table.
    Packets,
    /// What the table says.
    Answers(Refusal),
    /// The wall clock goes forward, and back in the next round, by so many seconds.
    Clock(i64),
    /// The table is deleted; healed by a new one, with the item as it was or without. Between table and item there
    /// is a moment at which the active may find it empty, and then it has lost the lease.
    TableGone {
        keeps_item: bool,
    },
    ItemGone,
    /// The oldest copy of this world comes back.
    ItemOlder,
    /// A Go Admiral's unconditional PutItem.
    ItemForeign,
    /// Between instance and the API server of beta.
    ApiServer(Way),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum On {
    Active,
    Passive,
    /// Both, or what they share.
    All,
}

#[derive(Clone, Copy, Debug)]
pub enum Comes {
    /// The other is active within this time; the fault lasts until 2 s later, but at least so long.
    Takeover(Duration, Duration),
    /// The active stays, its epoch too; the fault lasts so long.
    Nothing(Duration),
    /// Nobody can tell who is active in the end; the fault lasts so long, and this much later exactly one is.
    Either(Duration, Duration),
}

#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub fault: Fault,
    pub on: On,
    pub comes: Comes,
    /// Short enough for every run; the others take part when FLAGSHIP_ROUNDS is above 1.
    pub quick: bool,
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn row(name: &'static str, fault: Fault, on: On, comes: Comes) -> Kind {
    Kind { name, fault, on, comes, quick: true }
}

const fn slow(name: &'static str, fault: Fault, on: On, comes: Comes) -> Kind {
    Kind { name, fault, on, comes, quick: false }
}

const fn says(status: u16, code: &'static str, writes_only: bool) -> Fault {
    Fault::Answers(Refusal { status, code, writes_only })
}

const THROTTLED: &str = "ProvisionedThroughputExceededException";
const INTERNAL: &str = "InternalServerError";
const fn lost(requests: bool, answers: bool) -> Fault {
    Fault::Network(Way::Swallow { requests, answers })
}

/// Lease, margin, one poll, one write are 11.2 s; the rest is for a machine that several worlds share. The bound of
/// promise L1 is tested by tests/process.rs, which has the machine to itself.
const TAKEN_OVER: Duration = s(14);
const AT_LAPSE: Comes = Comes::Takeover(TAKEN_OVER, s(0));
/// The same after one more renewal, which arrived unanswered.
const AFTER_ONE_MORE: Comes = Comes::Takeover(s(16), s(0));
/// One poll, one write, and what a loaded machine adds (tests/process.rs has the strict bound).
const ON_RELEASE: Comes = Comes::Takeover(s(4), s(0));
/// The active sees what became of the item when it renews.
pub const NOTICED: Duration = s(4);
/// How long after healing exactly one must be active: a lease was waited out at most.
const LAPSE: Duration = s(20);

/// Everything but the wall clock, which needs libfaketime.
pub const KINDS: &[Kind] = &[
    row("SIGKILL", Fault::Ends(Signal::KILL), On::Active, AT_LAPSE),
    row("SIGTERM", Fault::Ends(Signal::TERM), On::Active, ON_RELEASE),
    row("SIGSTOP 14 s, SIGCONT", Fault::Sleeps, On::Active, Comes::Takeover(TAKEN_OVER, s(14))),
    row("table: lost both ways", lost(true, true), On::Active, AT_LAPSE),
    row("table: answers lost", lost(false, true), On::Active, AFTER_ONE_MORE),
    slow("table: requests lost", lost(true, false), On::Active, AT_LAPSE),
    row("table: hangs, late delivery", Fault::Network(Way::Hang), On::Active, AT_LAPSE),
    slow("table: reset", Fault::Network(Way::Reset), On::Active, AT_LAPSE),
    slow("table: refused", Fault::Network(Way::Refuse), On::Active, AT_LAPSE),
    slow(
        "table: 1.2 s each way",
        Fault::Network(Way::Delay(Duration::from_millis(1200))),
        On::Active,
        Comes::Either(s(30), LAPSE),
    ),
    slow(
        "table: 0.7 s each way",
        Fault::Network(Way::Delay(Duration::from_millis(700))),
        On::Active,
        Comes::Either(s(20), LAPSE),
    ),
    slow("table: hangs for the passive", Fault::Network(Way::Hang), On::Passive, Comes::Nothing(s(12))),
    slow("table: lost for all, 14 s", lost(true, true), On::All, Comes::Either(s(14), LAPSE)),
    row("writes throttled, active", says(400, THROTTLED, true), On::Active, AT_LAPSE),
    slow("writes throttled, all, 14 s", says(400, THROTTLED, true), On::All, Comes::Either(s(14), LAPSE)),
    slow("all throttled, all, 14 s", says(400, THROTTLED, false), On::All, Comes::Either(s(14), LAPSE)),
    slow("writes 500, active", says(500, INTERNAL, true), On::Active, AT_LAPSE),
    slow("writes 500, all, 14 s", says(500, INTERNAL, true), On::All, Comes::Either(s(14), LAPSE)),
    slow("all 500, active", says(500, INTERNAL, false), On::Active, AT_LAPSE),
    slow("credentials expired", says(400, "ExpiredTokenException", false), On::Active, AT_LAPSE),
    slow("table deleted 3 s, item kept", Fault::TableGone { keeps_item: true }, On::All, Comes::Either(s(3), LAPSE)),
    slow("table deleted 14 s, item kept", Fault::TableGone { keeps_item: true }, On::All, Comes::Either(s(14), LAPSE)),
    row("table deleted 3 s, no item", Fault::TableGone { keeps_item: false }, On::All, Comes::Either(s(3), LAPSE)),
    row("item deleted", Fault::ItemGone, On::All, Comes::Either(NOTICED, LAPSE)),
    row("item from an older copy", Fault::ItemOlder, On::All, Comes::Either(NOTICED, LAPSE)),
    slow("item overwritten by Admiral", Fault::ItemForeign, On::All, Comes::Either(NOTICED, s(50))),
    row("API server hangs 8 s", Fault::ApiServer(Way::Hang), On::Active, Comes::Nothing(s(8))),
    slow("API server resets 8 s", Fault::ApiServer(Way::Reset), On::Active, Comes::Nothing(s(8))),
    slow(
        "API server: answers lost 8 s",
        Fault::ApiServer(Way::Swallow { requests: false, answers: true }),
        On::Active,
        Comes::Nothing(s(8)),
    ),
];

const STEP: Comes = Comes::Nothing(s(4));

/// Only with libfaketime.
pub const CLOCK_KINDS: &[Kind] = &[
    row("wall clock 5 s, active", Fault::Clock(5), On::Active, STEP),
    row("wall clock 60 s, active", Fault::Clock(60), On::Active, STEP),
    row("wall clock 1 day, active", Fault::Clock(86_400), On::Active, STEP),
    row("wall clock 5 s, passive", Fault::Clock(5), On::Passive, STEP),
    row("wall clock 60 s, passive", Fault::Clock(60), On::Passive, STEP),
    row("wall clock 1 day, passive", Fault::Clock(86_400), On::Passive, STEP),
];

/// Only as root with iptables.
pub const PACKET_KINDS: &[Kind] =
    &[row("packets dropped 30 s", Fault::Packets, On::Active, Comes::Takeover(TAKEN_OVER, s(30)))];
