//! Lines of a log, and the deliveries that must come of them however the log is cut.

mod cuts;
mod memory;
mod reused_ids;
mod stories;

use super::*;
use crate::maillog::LoggedStatus;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};

const NOW: i64 = 1_767_268_800_000;

/// What the stories compare of a delivery.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    queue_id: Option<String>,
    to: Option<String>,
    original: Option<String>,
    status: LoggedStatus,
    attempts: u32,
    client: Option<String>,
    message: Option<String>,
    dsn: Option<String>,
    parent: Option<String>,
    notification: Option<String>,
    sender: Option<String>,
    size: Option<u64>,
    nrcpt: Option<u32>,
}

#[derive(Default)]
struct Story {
    seen: BTreeMap<u64, Seen>,
    order: Vec<u64>,
    emitted: usize,
    superseded: Vec<(u64, LoggedStatus, u32, i64)>,
}

impl Story {
    fn see(&mut self, delivery: &Delivery<'_>) {
        if delivery.superseded {
            self.superseded.push((delivery.id, delivery.status, delivery.attempts, delivery.last_seen));
            return;
        }
        let text = |text: Option<&str>| text.map(str::to_owned);
        let seen = Seen {
            queue_id: text(delivery.queue_id),
            to: text(delivery.recipient),
            original: text(delivery.original_recipient),
            status: delivery.status,
            attempts: delivery.attempts,
            client: text(delivery.client_id),
            message: text(delivery.message_id),
            dsn: text(delivery.dsn),
            parent: text(delivery.parent),
            notification: text(delivery.notification),
            sender: text(delivery.sender),
            size: delivery.size,
            nrcpt: delivery.nrcpt,
        };
        if self.seen.insert(delivery.id, seen).is_none() {
            self.order.push(delivery.id);
        }
        self.emitted += 1;
    }

    /// The deliveries that differ in another story.
    fn differences<'a>(&'a self, other: &'a Story) -> Vec<(Option<&'a Seen>, Option<&'a Seen>)> {
        let ids: BTreeSet<u64> = self.seen.keys().chain(other.seen.keys()).copied().collect();
        let both = ids.iter().map(|id| (self.seen.get(id), other.seen.get(id)));
        both.filter(|(one, other)| one != other).collect()
    }

    fn all(&self) -> Vec<&Seen> {
        self.order.iter().map(|id| &self.seen[id]).collect()
    }

    /// Recipient, status and attempts, in the order in which they were first seen.
    fn short(&self) -> Vec<(String, LoggedStatus, u32)> {
        self.all().iter().map(|t| (t.to.clone().unwrap_or_default(), t.status, t.attempts)).collect()
    }
}

fn correlator(state: CorrelatorState) -> Correlator {
    let grammar = Grammar { zone: TimeZone::UTC, client_header: "client-id".into(), ..Grammar::default() };
    Correlator::new(&grammar, MemoryLimits::default(), NOW, state)
}

/// All that a correlator knows, with its messages, as if it had no shelf.
fn state_of(correlator: &Correlator) -> CorrelatorState {
    let messages = reachable(correlator).cloned().collect();
    let (pending, recent) = correlator.correlated.sessions.clone().into_stored();
    let strangers = correlator.correlated.strangers.clone();
    CorrelatorState { messages, pending, recent, strangers, newest_ms: correlator.newest_ms }
}

fn reachable(correlator: &Correlator) -> impl Iterator<Item = &QueuedMessage> {
    let table = &correlator.correlated.table;
    table.messages().filter(|(slot, _)| table.is_reachable(*slot)).map(|(_, message)| message)
}

/// Open messages in memory.
fn open_messages(correlator: &Correlator) -> usize {
    reachable(correlator).filter(|message| !message.closed).count()
}

/// A line a second, from texts like `qmgr: 3F1A28C0D2: removed`.
fn log(texts: &[&str]) -> String {
    let line = |(second, text): (usize, &&str)| {
        let (daemon, text) = text.split_once(": ").unwrap();
        format!("2026-01-01T03:{:02}:{:02}Z mx postfix/{daemon}[7]: {text}\n", second / 60, second % 60)
    };
    texts.iter().enumerate().map(line).collect()
}

/// The story of these lines, read as `story_of_lines` does.
fn story_of(texts: &[&str]) -> Story {
    let mut one = correlator(CorrelatorState::default());
    let log = log(texts);
    one.read(log.as_bytes(), &mut ());
    assert_eq!(one.take_reading().lines.unknown, 0, "{texts:?}");
    story_of_lines(&log)
}

/// Reads a log as a whole; line by line, draining first what ended; line by line in a new process
/// each, which has the state that the last one stored; and the same with a shelf. All must see the
/// same.
fn story_of_lines(log: &str) -> Story {
    let mut whole = Story::default();
    let mut one = correlator(CorrelatorState::default());
    one.read(log.as_bytes(), &mut ());
    one.drain(&mut (), |delivery| whole.see(delivery));
    let (mut ended, mut one) = (Story::default(), correlator(CorrelatorState::default()));
    for line in log.split_inclusive('\n') {
        one.read(line.as_bytes(), &mut ());
        one.drain_ended(|delivery| ended.see(delivery));
    }
    one.drain(&mut (), |delivery| ended.see(delivery));
    assert_eq!(whole.differences(&ended), [], "ended\n{log}");
    let mut stepwise = Story::default();
    let mut state = CorrelatorState::default();
    for line in log.split_inclusive('\n') {
        let mut next = correlator(state);
        next.read(line.as_bytes(), &mut ());
        next.drain(&mut (), |delivery| stepwise.see(delivery));
        state = serde_json::from_str(&serde_json::to_string(&state_of(&next)).unwrap()).unwrap();
    }
    assert_eq!(whole.differences(&stepwise), [], "stepwise\n{log}");
    let (mut shelved, mut shelf, mut state) =
        (Story::default(), Drawer::default(), CorrelatorState::default());
    for line in log.split_inclusive('\n') {
        let mut next = correlator(state);
        next.read(line.as_bytes(), &mut shelf);
        next.drain(&mut shelf, |delivery| shelved.see(delivery));
        state = next.shelve(&mut shelf);
    }
    assert_eq!(whole.differences(&shelved), [], "shelved\n{log}");
    whole
}

fn to(address: &str, status: LoggedStatus, attempts: u32) -> (String, LoggedStatus, u32) {
    (address.to_owned(), status, attempts)
}

#[derive(Default)]
struct Drawer(Vec<QueuedMessage>);

impl Shelf for Drawer {
    fn put(&mut self, message: QueuedMessage) {
        self.0.retain(|other| other.queue_ids().last() != message.queue_ids().last());
        self.0.push(message);
    }

    fn take(&mut self, _: &str, queue_id: &str) -> Option<QueuedMessage> {
        let named = |message: &QueuedMessage| message.queue_ids().any(|id| id == queue_id);
        let current = |message: &QueuedMessage| message.queue_ids().last() == Some(queue_id);
        let at = self.0.iter().position(current).or_else(|| self.0.iter().position(named))?;
        Some(self.0.swap_remove(at))
    }
}
