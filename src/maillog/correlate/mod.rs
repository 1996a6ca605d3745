//! What lines say together: a message's id, sender and client with each recipient's fate.
//!
//! Not here: reading files, the database, and what a reply means. Invariant: a state is told of one
//! recipient, not of a queue id, and only a line about that recipient or about the whole message changes it.

mod apply;
mod decided_in_session;
mod queued_message;
mod superseded_attempt;
mod queued_recipient;
mod queue_table;
mod packed_texts;

pub(crate) use queue_table::Shelf;

pub(crate) use queued_message::{QUEUE_ID, QueuedMessage, REQUEUED_AS};

use super::delivery::Delivery;
use super::postfix::{self, Event, Grammar, LogLine, Parsed};
use super::{DeliveryStatus, Lines};
use crate::clock::{DAY_MS, HOUR_MS};
use decided_in_session::{DecidedInSession, RefusedInSession};
use memchr::memchr_iter;
use queue_table::QueueTable;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use superseded_attempt::SupersededAttempt;

/// A closed message is kept this long (milliseconds of the log), because lines of several processes may be
/// out of order.
const GRACE_MS: i64 = 10_000;
/// Messages are looked through for old ones once in so many milliseconds of the log.
const SWEEP_MS: i64 = HOUR_MS;
/// Stamps may be this far ahead of the reference before they are not believed to be the time.
const AHEAD_MS: i64 = 36 * HOUR_MS;

/// Bounds of what is kept in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryLimits {
    /// Bytes of messages under way.
    pub(crate) bytes: u64,
    /// A message that no line names for so many milliseconds is not waited for.
    pub(crate) age_ms: i64,
}

impl Default for MemoryLimits {
    /// 64 MiB, about 100,000 messages; six days, one more than Postfix's maximal_queue_lifetime.
    fn default() -> MemoryLimits {
        MemoryLimits { bytes: 64 << 20, age_ms: 6 * DAY_MS }
    }
}

/// What was seen, apart from deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Counts {
    /// Sessions of clients.
    pub(crate) connections: u64,
    /// Messages taken in, from the network and locally.
    pub(crate) messages: u64,
    /// Delivery attempts by outcome; one recipient may have many.
    pub(crate) sent: u64,
    /// See `sent`.
    pub(crate) bounced: u64,
    /// See `sent`.
    pub(crate) deferred: u64,
    /// Messages that were too old.
    pub(crate) expired: u64,
    /// Recipients or sessions that were refused.
    pub(crate) rejected: u64,
    /// Addresses that were probed.
    pub(crate) probes: u64,
    /// Notifications that were sent.
    pub(crate) notifications: u64,
    /// Messages that had to leave memory before their end was seen.
    pub(crate) evicted: u64,
}

/// Turns lines into deliveries.
pub(crate) struct Correlator {
    reader: postfix::LineReader,
    limits: MemoryLimits,
    reference_ms: i64,
    table: QueueTable,
    /// Refusals that no message came of, until they are drained.
    loose: Vec<RefusedInSession>,
    /// Attempts that another followed, until they are drained.
    superseded: Vec<SupersededAttempt>,
    /// What a session decided before its message had a queue id.
    pending: VecDeque<DecidedInSession>,
    /// Ids of the last refusals, and how many equal ones followed.
    recent: VecDeque<(u64, u64)>,
    newest_ms: i64,
    swept_ms: i64,
    lines: Lines,
    counts: Counts,
}

/// All that a correlator knows, to be written down when everything is drained, and read back in the next
/// process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CorrelatorState {
    messages: Vec<QueuedMessage>,
    pending: VecDeque<DecidedInSession>,
    recent: VecDeque<(u64, u64)>,
    newest_ms: i64,
}

#[derive(Serialize)]
struct CorrelatorStateRef<'a> {
    messages: Vec<&'a QueuedMessage>,
    pending: &'a VecDeque<DecidedInSession>,
    recent: &'a VecDeque<(u64, u64)>,
    newest_ms: i64,
}

impl Correlator {
    /// Starts where another stopped; `CorrelatorState::default()` is a beginning. No line is younger than
    /// `reference_ms`: the last modification of the file, or now for the journal.
    pub(crate) fn new(
        grammar: &Grammar,
        limits: MemoryLimits,
        reference_ms: i64,
        state: CorrelatorState,
    ) -> Correlator {
        let mut table = QueueTable::default();
        for message in state.messages {
            table.insert(message);
        }
        let mut reader = postfix::LineReader::new(grammar, reference_ms);
        reader.go_on_from(state.newest_ms);
        Correlator {
            reader,
            limits,
            reference_ms,
            table,
            loose: Vec::new(),
            superseded: Vec::new(),
            pending: state.pending,
            recent: state.recent,
            newest_ms: state.newest_ms,
            swept_ms: state.newest_ms,
            lines: Lines::default(),
            counts: Counts::default(),
        }
    }

    /// Sets what no line that follows is younger than, for the next file.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.reference_ms = reference_ms;
        self.reader.set_reference(reference_ms);
    }

    /// Reads whole lines.
    pub(crate) fn read(&mut self, lines: &[u8], shelf: &mut dyn Shelf) {
        // To look through all of them together is cheaper than through every part that is kept.
        let text = std::str::from_utf8(lines).ok();
        let mut start = 0;
        let unfinished = (lines.last() != Some(&b'\n') && !lines.is_empty()).then_some(lines.len());
        for end in memchr_iter(b'\n', lines).chain(unfinished) {
            self.lines.cut += u64::from(end - start > postfix::LINE);
            let parsed = match text.and_then(|text| text.get(start..end)) {
                Some(line) => self.reader.read_text(line),
                None => self.reader.read(&lines[start..end]),
            };
            start = end + 1;
            self.take(&parsed, shelf);
        }
    }

    /// Takes one line that was read already, as the journal has them.
    pub(crate) fn take(&mut self, parsed: &Parsed<'_>, shelf: &mut dyn Shelf) {
        match parsed {
            Parsed::Postfix(LogLine { event: Event::Ignored, .. }) => self.lines.ignored += 1,
            Parsed::Postfix(LogLine { event: Event::Unknown, .. }) | Parsed::Unknown => {
                self.lines.unknown += 1
            }
            Parsed::Foreign => self.lines.foreign += 1,
            Parsed::Postfix(line) => {
                self.lines.events += 1;
                self.newest_ms = self.newest_ms.max(line.at_ms.min(self.reference_ms + AHEAD_MS));
                self.apply(line, shelf);
            }
        }
    }

    /// Gives the deliveries of messages that came to their end since the last call to `each`, as `drain` does: a message is taken to
    /// pieces while it is still in the processor's caches, and one that is under way need not be told in each of its states.
    pub(crate) fn drain_ended(&mut self, mut each: impl FnMut(&Delivery<'_>)) {
        self.superseded.drain(..).for_each(|superseded| each(&superseded.delivery()));
        self.table.drain(true, |message| tell(message, &mut each));
        self.table.forget_closed(self.newest_ms - GRACE_MS);
    }

    /// Gives every delivery that changed since the last call to `each`, once, in its present state, and before that every attempt that
    /// another followed, in the state that it left; then
    /// forgets messages that are over and evicts those that are too many. To be called often: changes are
    /// kept until then.
    pub(crate) fn drain(&mut self, shelf: &mut dyn Shelf, mut each: impl FnMut(&Delivery<'_>)) {
        for loose in self.loose.drain(..) {
            each(&loose.delivery());
        }
        self.superseded.drain(..).for_each(|superseded| each(&superseded.delivery()));
        self.table.drain(false, |message| tell(message, &mut each));
        self.table.forget_closed(self.newest_ms - GRACE_MS);
        if self.newest_ms - self.swept_ms > SWEEP_MS || self.table.weight() > self.limits.bytes {
            let oldest = self.newest_ms - self.limits.age_ms;
            self.table.forget_idle(self.newest_ms);
            self.counts.evicted += self.table.evict(oldest, self.limits.bytes, shelf);
            self.swept_ms = self.newest_ms;
        }
        while self.pending.front().is_some_and(|pending| pending.at_ms < self.newest_ms - SWEEP_MS) {
            self.pending.pop_front();
        }
    }

    /// What the next process has to know, for serde. Only complete after `drain`.
    pub(crate) fn state(&self) -> impl Serialize + '_ {
        CorrelatorStateRef {
            messages: self.table.messages().collect(),
            pending: &self.pending,
            recent: &self.recent,
            newest_ms: self.newest_ms,
        }
    }

    /// Ends by putting everything that is under way on the shelf, so that the next process loads only the
    /// messages that its lines name. What is left to write down is small. Only complete after `drain`.
    pub(crate) fn shelve(self, shelf: &mut dyn Shelf) -> CorrelatorState {
        self.table.messages().for_each(|message| shelf.put(message));
        CorrelatorState {
            messages: Vec::new(),
            pending: self.pending,
            recent: self.recent,
            newest_ms: self.newest_ms,
        }
    }

    /// What the lines were, since the last call.
    pub(crate) fn take_lines(&mut self) -> Lines {
        std::mem::take(&mut self.lines)
    }

    /// What was seen apart from deliveries, since the last call.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// The latest time of a line, milliseconds since 1970.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.newest_ms
    }

    /// Messages that are under way.
    pub(crate) fn under_way(&self) -> usize {
        self.table.messages().filter(|message| !message.closed).count()
    }
}

fn tell(message: &mut QueuedMessage, each: &mut impl FnMut(&Delivery<'_>)) {
    for at in 0..message.recipients.len() {
        if std::mem::take(&mut message.recipients[at].changed) && !message.probe {
            each(&message.delivery(at));
            let recipient = &mut message.recipients[at];
            recipient.told = Some(recipient.stands());
        }
    }
}

#[cfg(test)]
mod tests;
