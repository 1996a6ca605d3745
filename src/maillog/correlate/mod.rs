//! From lines to deliveries: a message's id, sender and client with what became of each recipient.
//!
//! In reading order: the data, where they are kept, the decisions, the events. Not here: reading
//! files, the index, and what a reply means. Invariant: a status belongs to a recipient, not to a
//! queue id, and only a line about that recipient or about the whole message changes it.

mod packed_texts;
mod faded_recipients;
mod queued_recipient;
mod recipient_list;
mod queued_message;
mod queue_key;
mod queue_id_reuse;
mod line_meaning;
mod queue_life;
mod queue_table;
mod eviction;
mod refused_in_session;
mod session_decisions;
mod same_recipient;
mod queue_line;
mod strangers_messages;
mod arrival;
mod message_decisions;
mod related_message;
mod recipient_tried;
mod queue_events;
mod apply;

pub(crate) use eviction::Shelf;
pub(crate) use faded_recipients::FadedRecipient;
pub(crate) use line_meaning::LineMeaning;
pub(crate) use queue_life::{LifeLine, QueueLife};
pub(crate) use queued_message::QueuedMessage;
pub(crate) use queued_recipient::QueuedRecipient;

use super::Lines;
use super::delivery::Delivery;
use super::line_places::line_places;
use super::log_health::LogReading;
use super::postfix::{self, Event, Grammar, LogLine, NotPostfix, Parsed, is_unknown};
use super::recent_ids::RecentIds;
use super::server_lines::ServerLines;
use super::unread_line::UnreadLine;
use super::wrapped::Unwrapper;
use crate::clock::{DAY_MS, HOUR_MS};
use crate::config::OwnMail;
use crate::memory;
use apply::Correlated;
use serde::{Deserialize, Serialize};
use session_decisions::{DecidedInSession, SessionDecisions};
use std::collections::VecDeque;
use std::sync::Arc;
use strangers_messages::StrangersMessages;

/// A closed message is kept this long (milliseconds of the log), because lines of several processes
/// may be logged in the wrong order.
const GRACE_MS: i64 = 10_000;
/// Interval between two searches for old messages (milliseconds of the log).
const SWEEP_MS: i64 = HOUR_MS;
/// A stamp that is further ahead of the reference is not taken for the time of the log.
const AHEAD_MS: i64 = 36 * HOUR_MS;

/// Bounds of what is kept in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MemoryLimits {
    /// Bytes of messages.
    pub(crate) bytes: u64,
    /// Bytes of one message: with more, only the states of most of its recipients are in memory.
    pub(crate) message: usize,
    /// A message without a line for this many milliseconds is evicted.
    pub(crate) age_ms: i64,
}

impl Default for MemoryLimits {
    /// 64 MiB, about 100,000 messages; 56 MiB, about 150,000 recipients of one message, or the
    /// states of 1.1 million; six days, one more than Postfix's maximal_queue_lifetime.
    fn default() -> MemoryLimits {
        MemoryLimits { bytes: 64 << 20, message: 56 << 20, age_ms: 6 * DAY_MS }
    }
}

/// Turns lines into deliveries.
pub(crate) struct Correlator {
    reader: ServerLines,
    limits: MemoryLimits,
    own: Arc<OwnMail>,
    reference_ms: i64,
    correlated: Correlated,
    newest_ms: i64,
    swept_ms: i64,
    lines: Lines,
    unwrapper: Unwrapper,
    unread: UnreadLine,
    stranger: UnreadLine,
}

/// What a correlator leaves to the next process, beside the messages on the shelf.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct CorrelatorState {
    /// Messages that are not on the shelf.
    messages: Vec<QueuedMessage>,
    pending: VecDeque<DecidedInSession>,
    recent: RecentIds,
    strangers: StrangersMessages,
    newest_ms: i64,
}

impl Correlator {
    /// Starts where another stopped, or with `CorrelatorState::default()`. No line is younger than
    /// `reference_ms`: the last modification of the file, or now for the journal.
    pub(crate) fn new(
        grammar: &Grammar,
        limits: MemoryLimits,
        reference_ms: i64,
        state: CorrelatorState,
    ) -> Correlator {
        let sessions = SessionDecisions::new(state.pending, state.recent);
        let mut correlated = Correlated { sessions, strangers: state.strangers, ..Correlated::default() };
        for message in state.messages {
            correlated.table.insert(message);
        }
        let mut reader = ServerLines::new(grammar, reference_ms);
        reader.go_on_from(state.newest_ms);
        Correlator {
            reader,
            limits,
            own: grammar.own.clone(),
            reference_ms,
            correlated,
            newest_ms: state.newest_ms,
            swept_ms: state.newest_ms,
            lines: Lines::default(),
            unwrapper: Unwrapper::default(),
            unread: UnreadLine::default(),
            stranger: UnreadLine::default(),
        }
    }

    /// Sets the reference for the next file.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.reference_ms = reference_ms;
        self.reader.set_reference(reference_ms);
    }

    /// Reads whole lines.
    pub(crate) fn read(&mut self, lines: &[u8], shelf: &mut dyn Shelf) {
        // One UTF-8 check of all lines costs less than a check of each part that is kept.
        let text = std::str::from_utf8(lines).ok();
        for place in line_places(lines) {
            let line = &lines[place.clone()];
            self.lines.cut += u64::from(line.len() > postfix::LINE);
            let parsed = match text.and_then(|text| text.get(place)) {
                Some(text) => self.reader.read_text(text),
                None => self.reader.read(line),
            };
            match &parsed {
                Ok(LogLine { event: Event::Unknown, .. }) | Err(NotPostfix::Unknown) => {
                    self.take_unknown(line, &parsed, shelf);
                }
                Err(NotPostfix::Foreign) => {
                    self.stranger.note(line);
                    self.take(&parsed, shelf);
                }
                Ok(_) => self.take(&parsed, shelf),
            }
        }
    }

    /// Takes a line that is not understood as it is: it may be wrapped.
    fn take_unknown(&mut self, line: &[u8], parsed: &Parsed<'_>, shelf: &mut dyn Shelf) {
        let mut unwrapper = std::mem::take(&mut self.unwrapper);
        match unwrapper.read(&line[..line.len().min(postfix::LINE)], &mut self.reader) {
            Some(unwrapped) if !is_unknown(&unwrapped) => self.take(&unwrapped, shelf),
            _ => {
                self.unread.note(line);
                self.take(parsed, shelf);
            }
        }
        self.unwrapper = unwrapper;
    }

    /// Takes one line that is parsed already, as those of the journal are.
    pub(crate) fn take(&mut self, parsed: &Parsed<'_>, shelf: &mut dyn Shelf) {
        match parsed {
            Ok(LogLine { event: Event::Ignored, .. }) => self.lines.ignored += 1,
            Ok(LogLine { event: Event::Unknown, .. }) | Err(NotPostfix::Unknown) => {
                self.lines.unknown += 1;
            }
            Err(NotPostfix::Foreign) => self.lines.foreign += 1,
            Ok(line) => {
                self.lines.events += 1;
                self.newest_ms = self.newest_ms.max(line.at_ms.min(self.reference_ms + AHEAD_MS));
                self.correlated.apply(line, self.reader.headers(), &self.own, shelf);
            }
        }
    }

    /// Gives the deliveries of messages that were closed since the last call to `each`. To be
    /// called between two calls of `drain`: a message is still in the processor's caches then, and
    /// the states of an open one need not be reported one by one.
    pub(crate) fn drain_ended(&mut self, mut each: impl FnMut(&Delivery<'_>)) {
        self.drain_superseded(&mut each);
        let own = &*self.own;
        self.correlated.table.drain_ended(|message| report_changes(message, own, &mut each));
        self.correlated.table.forget_closed(self.newest_ms - GRACE_MS);
    }

    /// Gives every delivery that changed since the last call to `each`, once, in its latest state,
    /// and before it the attempts that were superseded. Then forgets messages that are over and
    /// evicts what exceeds the limits. To be called often, because changes are kept until then.
    pub(crate) fn drain(&mut self, shelf: &mut dyn Shelf, mut each: impl FnMut(&Delivery<'_>)) {
        self.correlated.sessions.drain_refused(|refused| each(&refused.delivery()));
        self.drain_superseded(&mut each);
        let (table, own) = (&mut self.correlated.table, &*self.own);
        let (most, mut were_larger) = (self.limits.message, false);
        table.drain(|message| {
            report_changes(message, own, &mut each);
            were_larger |= message.bound(most);
        });
        if were_larger {
            memory::give_small_blocks_back();
        }
        table.forget_closed(self.newest_ms - GRACE_MS);
        if self.newest_ms - self.swept_ms > SWEEP_MS || table.weight() > self.limits.bytes {
            eviction::forget_idle(table, self.newest_ms);
            let oldest_ms = self.newest_ms - self.limits.age_ms;
            eviction::evict(table, oldest_ms, self.limits.bytes, shelf);
            self.swept_ms = self.newest_ms;
        }
        self.correlated.sessions.forget(self.newest_ms - SWEEP_MS);
    }

    fn drain_superseded(&mut self, each: &mut impl FnMut(&Delivery<'_>)) {
        self.correlated.superseded.iter().for_each(|attempt| each(&attempt));
        self.correlated.superseded.clear();
    }

    /// Ends: puts all messages on the shelf, so that the next process loads only those that its
    /// lines name. Only complete after `drain`.
    pub(crate) fn shelve(mut self, shelf: &mut dyn Shelf) -> CorrelatorState {
        self.correlated.table.take_reachable(|message| shelf.put(message));
        let Correlated { sessions, strangers, .. } = self.correlated;
        let (pending, recent) = sessions.into_stored();
        CorrelatorState { messages: Vec::new(), pending, recent, strangers, newest_ms: self.newest_ms }
    }

    /// What was read since the last call, and the first lines that were not understood.
    pub(crate) fn take_reading(&mut self) -> LogReading {
        LogReading {
            lines: std::mem::take(&mut self.lines),
            unread: self.unread.take(),
            stranger: self.stranger.take(),
            refusal: None,
        }
    }

    /// Bytes of memory of the messages under way.
    pub(crate) fn weight(&self) -> u64 {
        self.correlated.table.weight()
    }

    /// The latest time of a line, milliseconds since 1970.
    pub(crate) fn newest_ms(&self) -> i64 {
        self.newest_ms
    }
}

fn report_changes(message: &mut QueuedMessage, own: &OwnMail, each: &mut impl FnMut(&Delivery<'_>)) {
    for at in 0..message.recipients.len() {
        if std::mem::take(&mut message.recipients[at].changed) && !message.probe {
            let delivery = message.delivery(at, own);
            each(&delivery);
            let whose = delivery.route.whose();
            message.recipients.note_report(at, whose);
        }
    }
}

#[cfg(test)]
mod tests;
