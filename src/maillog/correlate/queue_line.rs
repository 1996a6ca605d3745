//! A line about a queued message, with the messages that it may change.
//!
//! Not here: what it changes (`apply`). Invariant: a line about an unknown queue id begins a
//! message, so that nothing is lost when the lines before are missing.

use super::eviction::Shelf;
use super::queue_key::QueueKey;
use super::queue_table::{QueueTable, Slot};
use crate::config::OwnMail;
use crate::maillog::postfix::LogLine;
use std::borrow::Cow;

pub(crate) struct QueueLine<'c, 'l> {
    pub(crate) line: &'c LogLine<'l>,
    /// The queue id in front of the text.
    pub(crate) queue_id: &'l [u8],
    pub(crate) table: &'c mut QueueTable,
    /// Which mail is our own.
    pub(crate) own: &'c OwnMail,
    pub(crate) shelf: &'c mut dyn Shelf,
}

impl<'l> QueueLine<'_, 'l> {
    pub(crate) fn at_ms(&self) -> i64 {
        self.line.at_ms
    }

    pub(crate) fn text(&self, part: &'l [u8]) -> Cow<'l, str> {
        self.line.text(part)
    }

    /// The message with this queue id, from memory or from the shelf.
    pub(crate) fn find(&mut self, queue_id: &'l [u8]) -> Option<Slot> {
        let QueueLine { line, table, shelf, .. } = self;
        table.find(&QueueKey::new(line.host, queue_id)).or_else(|| {
            let message = shelf.take(&line.text(line.host), &line.text(queue_id))?;
            Some(table.insert(message))
        })
    }

    /// The message that the line is about, if it is known.
    pub(crate) fn known(&mut self) -> Option<Slot> {
        self.find(self.queue_id)
    }

    /// The message that the line is about; a new one if it is unknown.
    pub(crate) fn message(&mut self) -> Slot {
        let known = self.known();
        self.known_or_new(self.queue_id, known)
    }

    /// The known message, or else a new one with this queue id; the line is its latest.
    pub(crate) fn known_or_new(&mut self, queue_id: &'l [u8], known: Option<Slot>) -> Slot {
        let slot = known.unwrap_or_else(|| self.begin(queue_id));
        let message = self.table.message(slot);
        message.last_ms = message.last_ms.max(self.line.at_ms);
        slot
    }

    /// Begins a message with this queue id.
    pub(crate) fn begin(&mut self, queue_id: &'l [u8]) -> Slot {
        let (host, queue_id) = (self.text(self.line.host), self.text(queue_id));
        self.table.begin(&host, &queue_id, self.line.at_ms)
    }

    /// Sets the sender of a message, unless it is known.
    pub(crate) fn set_sender(&mut self, slot: Slot, sender: &'l [u8]) {
        let message = self.table.message(slot);
        // pickup names a local user alone, and qmgr with the domain.
        let is_whole = |known: &str| known.is_empty() || known.contains('@') || !sender.contains(&b'@');
        if !message.sender().is_some_and(is_whole) {
            message.set_sender(&self.line.text(sender));
            self.table.touch_all(slot);
        }
    }
}
