//! What of a state matters to its future, as a list of numbers: two states with the same list are one to the checker.
//!
//! The list is taken from what the derived `Hash` of the production types feeds to a hasher, so that it covers every
//! field there is, also those to come. It leaves out or renames only what no rule can tell apart:
//! - *Absolute time.* Every instant is taken relative to its instance's own clock, and one further back than the
//!   longest wait of any rule ([`AGES`]) is merely past. No rule compares an instant with anything but that clock.
//! - *Names.* Owners, instance ids and nonces are compared for equality alone; they are numbered in the order in which
//!   they appear. Instances come in the order of their own lists, so that states which differ only in which of them is
//!   which are one (symmetry).
//! - *Epochs.* Rules compare two, add one, or take the wall clock's seconds: only the distances between neighbours
//!   count, and one beyond [`GAP`] cannot be walked in steps of one with the claims that so few faults allow.
//! - *Request ids.* Compared for equality with the one under way.
//! - *Writes that cannot take effect any more* and were not seen to have: no item will ever show their version.
//! - *The wall clock*, but for how far it has moved against the boot clock since the last look (rule 7), and times and
//!   texts that are for people.

use std::hash::{Hash, Hasher};

use flagship::lease::record::{
    Attribute, INSTANCE_ID, LEASE_DURATION_MS, LEASE_OWNER, PAUSED, RawItem, SWITCHOVER_TO, UPDATED_TIME, VERSION,
};
use flagship::lease::{Outcome, RequestKind};

use super::state::{Doing, FIRST_EPOCH, Message, Node, ORIGIN, State, WALL_S};

/// Ticks after which no rule asks how long ago something was: the longest wait is that for a foreign item.
const AGES: u64 = 9;
/// Epochs further apart than this are just far apart.
const GAP: u64 = 8;

const PAST: u64 = 1 << 40;
const TIME: u64 = 2 << 40;
const NAME: u64 = 3 << 40;
const ID: u64 = 4 << 40;
const EPOCH: u64 = 5 << 40;
const TEXT: u64 = 6 << 40;
const PEOPLE: u64 = 7 << 40;

/// What a type feeds to a hasher.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    /// Discriminants, lengths, flags.
    Small(u64),
    Half(u64),
    Long(u64),
    /// A part of the recorder's text.
    Text(usize, usize),
}

#[derive(Default)]
struct Recorder {
    tokens: Vec<Token>,
    text: Vec<u8>,
}

impl Hasher for Recorder {
    fn finish(&self) -> u64 {
        0
    }
    fn write(&mut self, bytes: &[u8]) {
        self.tokens.push(Token::Text(self.text.len(), bytes.len()));
        self.text.extend_from_slice(bytes);
    }
    fn write_u8(&mut self, value: u8) {
        self.tokens.push(Token::Small(value.into()));
    }
    fn write_u32(&mut self, value: u32) {
        self.tokens.push(Token::Half(value.into()));
    }
    fn write_u64(&mut self, value: u64) {
        self.tokens.push(Token::Long(value));
    }
    fn write_usize(&mut self, value: usize) {
        self.tokens.push(Token::Small(value as u64));
    }
    fn write_isize(&mut self, value: isize) {
        self.tokens.push(Token::Small(value.cast_unsigned() as u64));
    }
}

/// Names and epochs of one list, before they are numbered.
#[derive(Default)]
struct List<'a> {
    out: Vec<u64>,
    names: Vec<&'a [u8]>,
    epochs: Vec<(usize, u64)>,
    /// Versions that an item may still show.
    live: &'a [Vec<u8>],
    wall_s: u64,
    clock: u64,
    last_id: u64,
}

/// The whole of `state`.
pub fn canonical(state: &State) -> Vec<u64> {
    let live = live_versions(state);
    let recorded: Vec<Recorder> = state.nodes.iter().enumerate().map(|(i, node)| record(state, i, node)).collect();
    let mut order: Vec<(Vec<u64>, usize)> = (0..state.nodes.len())
        .map(|index| {
            let mut alone = List { live: &live, ..List::at(state, index) };
            alone.take(&recorded[index]);
            // Epochs are left out here: which instance comes first is a matter of convenience.
            (alone.out, index)
        })
        .collect();
    order.sort();
    let order: Vec<usize> = order.into_iter().map(|(_, index)| index).collect();
    let rest = rest(state, &order);
    let mut list = List { live: &live, out: Vec::with_capacity(512), ..List::at(state, 0) };
    for index in order {
        (list.clock, list.last_id) = (List::at(state, index).clock, state.nodes[index].process.last_id);
        list.take(&recorded[index]);
    }
    list.take(&rest);
    list.epoch(state.highest.0);
    list.finish()
}

impl<'a> List<'a> {
    fn at(state: &State, index: usize) -> Self {
        Self {
            wall_s: WALL_S + u64::from(state.real),
            clock: ORIGIN + state.clocks[index],
            last_id: state.nodes[index].process.last_id,
            ..Self::default()
        }
    }

    fn take(&mut self, from: &'a Recorder) {
        let tokens = &from.tokens;
        let mut at = 0;
        while at < tokens.len() {
            at += self.step(from, at);
        }
    }

    /// Takes what begins at `at`; how many tokens that was.
    fn step(&mut self, from: &'a Recorder, at: usize) -> usize {
        let rest = &from.tokens[at..];
        match *rest {
            [Token::Small(count), ..] if count > 0 && is_sent_write(&rest[1..]) => return self.sent(from, at, count),
            // `Now`: only how far the wall clock has moved against the boot clock since then.
            [Token::Long(boot), Token::Half(_), Token::Long(wall), Token::Small(0)] if boot >= ORIGIN => {
                let moved = (self.wall_s * 1000).saturating_sub(wall).saturating_sub((self.clock - boot) * 1000);
                self.out.push(PEOPLE | moved.min(2000));
                return 4;
            }
            [Token::Long(seconds), Token::Half(nanos), ..] => {
                self.time(seconds, nanos);
                return 2;
            }
            [Token::Long(value), ..] if is_epoch(value) => self.epoch(value),
            [Token::Long(value), ..] if value >= WALL_S => self.out.push(PEOPLE),
            [Token::Long(0), ..] => self.out.push(0),
            [Token::Long(id), ..] => self.out.push(ID | self.last_id.wrapping_sub(id)),
            [Token::Small(value) | Token::Half(value), ..] => self.out.push(value),
            [Token::Text(start, length), ..] => self.text(&from.text[start..start + length]),
            [] => {}
        }
        1
    }

    /// A log of unanswered writes, without those of which nothing will be heard.
    fn sent(&mut self, from: &'a Recorder, at: usize, count: u64) -> usize {
        let mut kept = 0;
        let mut next = at + 1;
        let length = self.out.len();
        self.out.push(0);
        for _ in 0..count {
            if !is_sent_write(&from.tokens[next..]) {
                break;
            }
            let Token::Text(start, bytes) = from.tokens[next] else { break };
            let version = &from.text[start..start + bytes];
            if self.live.iter().any(|live| live == version) {
                kept += 1;
                let end = next + SENT_WRITE;
                while next < end {
                    next += self.step(from, next);
                }
            } else {
                next += SENT_WRITE;
            }
        }
        self.out[length] = kept;
        next - at
    }

    fn time(&mut self, seconds: u64, nanos: u64) {
        let past = seconds == 0 || (seconds >= ORIGIN && seconds + AGES <= self.clock);
        let value = match seconds {
            _ if past => PAST,
            ORIGIN.. => TIME | ((seconds + AGES - self.clock) << 31) | nanos,
            _ => (seconds << 31) | nanos,
        };
        self.out.push(value);
    }

    fn epoch(&mut self, value: u64) {
        self.epochs.push((self.out.len(), value));
        self.out.push(EPOCH);
    }

    fn text(&mut self, text: &'a [u8]) {
        match text.first() {
            Some(b'%') => {
                let number = self.names.iter().position(|name| *name == text).unwrap_or_else(|| {
                    self.names.push(text);
                    self.names.len() - 1
                });
                self.out.push(NAME | number as u64);
            }
            Some(b'0'..=b'9') => {
                let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0);
                if is_epoch(number) { self.epoch(number) } else { self.out.push(TEXT | number) }
            }
            _ if text.contains(&b' ') => self.out.push(PEOPLE),
            _ => {
                let mixed = text.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
                });
                self.out.push(TEXT ^ mixed);
            }
        }
    }

    /// Puts distances in the place of epochs.
    fn finish(mut self) -> Vec<u64> {
        let mut values: Vec<u64> = self.epochs.iter().map(|(_, value)| *value).chain([self.wall_s]).collect();
        values.sort_unstable();
        values.dedup();
        let mut codes = vec![0; values.len()];
        for at in 1..values.len() {
            codes[at] = codes[at - 1] + (values[at] - values[at - 1]).min(GAP);
        }
        for (at, value) in &self.epochs {
            self.out[*at] = EPOCH | codes[values.binary_search(value).unwrap_or_default()];
        }
        self.out.push(codes[values.binary_search(&self.wall_s).unwrap_or_default()]);
        self.out
    }
}

/// Tokens of a `SentWrite`: its version, epoch, purpose, instant, and a time for people.
const SENT_WRITE: usize = 7;

fn is_sent_write(tokens: &[Token]) -> bool {
    matches!(
        tokens,
        [
            Token::Text(..),
            Token::Small(0xff),
            Token::Long(_),
            Token::Small(0..4),
            Token::Long(ORIGIN..),
            Token::Half(_),
            Token::Long(acquired),
            ..
        ] if *acquired >= WALL_S
    )
}

fn is_epoch(value: u64) -> bool {
    (FIRST_EPOCH..FIRST_EPOCH + 1000).contains(&value) || (WALL_S..WALL_S + 1_000_000).contains(&value)
}

fn record(state: &State, index: usize, node: &Node) -> Recorder {
    let mut to = Recorder::default();
    let (clock, process) = (state.clocks[index], &node.process);
    (node.stopped, node.armed).hash(&mut to);
    node.busy_until.saturating_sub(clock).min(AGES).to_small(&mut to);
    match &process.doing {
        // The driver's own place in its loop, and nothing else of a process that is gone.
        Doing::Down => 0_u64.to_small(&mut to),
        Doing::Ended => 1_u64.to_small(&mut to),
        Doing::Sleeping(until) => (3 + until.saturating_sub(clock)).to_small(&mut to),
        Doing::Requesting(_, until) => (1000 + until.saturating_sub(clock)).to_small(&mut to),
        Doing::Draining(until) => (2000 + until.saturating_sub(clock)).to_small(&mut to),
    }
    if matches!(process.doing, Doing::Down | Doing::Ended) {
        return to;
    }
    if let Some((_, outcome)) = &process.answer {
        std::mem::discriminant(outcome).hash(&mut to);
        match outcome {
            Outcome::Read(found) | Outcome::ConditionFailed(found) => item(found.as_ref(), &mut to),
            Outcome::Applied(found) => item(Some(found), &mut to),
            Outcome::Unknown(_) => {}
        }
    }
    process.answer.is_some().hash(&mut to);
    process.lease.hash(&mut to);
    // `Now` is found by its place at the end, before the list of notices, which are always taken.
    assert!(to.tokens.last() == Some(&Token::Small(0)), "the lease's last field is not its empty notices");
    to
}

/// All that does not belong to one instance.
fn rest(state: &State, order: &[usize]) -> Recorder {
    let mut to = Recorder::default();
    for index in order {
        let messages: Vec<&Message> =
            state.wire.iter().map(AsRef::as_ref).filter(|message| message.from.0 == *index).collect();
        messages.len().hash(&mut to);
        for message in messages {
            (state.awaits(message), message.held).hash(&mut to);
            match &message.kind {
                RequestKind::Read => 0_u8.hash(&mut to),
                RequestKind::Write(write) => {
                    write.purpose.hash(&mut to);
                    write.expect.hash(&mut to);
                    write.remove.hash(&mut to);
                    for name in [LEASE_OWNER, INSTANCE_ID, VERSION, "epoch"] {
                        write.set.get(name).hash(&mut to);
                    }
                }
            }
        }
    }
    item(state.table.as_deref(), &mut to);
    let (_, (index, incarnation)) = state.highest;
    let author = order.iter().position(|at| *at == index && state.nodes[index].process.incarnation == incarnation);
    author.hash(&mut to);
    (state.drift_in, state.faults, state.leaderless, state.prompt_steps).hash(&mut to);
    (state.outage, state.epoch_broken, state.stuck, state.since, state.shown).hash(&mut to);
    to
}

/// What of an item rules look at: the time only where there is no version.
fn item(item: Option<&RawItem>, to: &mut Recorder) {
    item.is_some().hash(to);
    let Some(item) = item else { return };
    for name in [LEASE_OWNER, VERSION, "epoch", INSTANCE_ID, LEASE_DURATION_MS, SWITCHOVER_TO, PAUSED] {
        item.get(name).hash(to);
    }
    if !item.contains_key(VERSION) {
        item.get(UPDATED_TIME).hash(to);
    }
}

/// Versions that the item shows or may come to show.
fn live_versions(state: &State) -> Vec<Vec<u8>> {
    let mut live = Vec::new();
    let mut add = |attribute: Option<&Attribute>| {
        if let Some(Attribute::S(version)) = attribute {
            live.push(version.clone().into_bytes());
        }
    };
    add(state.table.as_ref().and_then(|item| item.get(VERSION)));
    for message in &state.wire {
        if let RequestKind::Write(write) = &message.kind {
            add(write.set.get(VERSION));
        }
    }
    for node in &state.nodes {
        let answer = node.process.answer.as_ref().map(|(_, outcome)| outcome);
        if let Some(Outcome::Read(Some(item)) | Outcome::ConditionFailed(Some(item)) | Outcome::Applied(item)) = answer
        {
            add(item.get(VERSION));
        }
    }
    live
}

trait ToSmall {
    fn to_small(self, to: &mut Recorder);
}

impl ToSmall for u64 {
    fn to_small(self, to: &mut Recorder) {
        to.tokens.push(Token::Small(self));
    }
}
