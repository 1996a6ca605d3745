//! What mail logs say became of every message.
//!
//! Files or the journal are read from where the last tick stopped (`tail`, `journal`), lines become events
//! (`postfix`) or records (`powermta`), events become deliveries (`correlate`), one for each message and
//! recipient (`delivery`). Not here: the database, and why a delivery failed. Invariant: every line is
//! accounted for in `Lines`, and reading keeps no more than a chunk of a log and the messages that are under
//! way.

/// The record: one message, one recipient.
pub(crate) mod delivery;
/// Time stamps at the start of lines.
pub(crate) mod stamp;
/// One line of Postfix.
pub(crate) mod postfix;
/// What lines say together.
pub(crate) mod correlate;
/// PowerMTA's accounting files.
pub(crate) mod powermta;
/// Log files that grow, rotate, are truncated and compressed.
pub(crate) mod tail;
/// `journalctl -o export`.
pub(crate) mod journald;
/// Replies that differ only in what varies.
pub(crate) mod shape;
/// What a policy is asked about a reply.
pub(crate) mod logged_reply;

pub(crate) use delivery::{Delivery, DeliveryStatus};

use serde::{Deserialize, Serialize};

/// How many lines were what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lines {
    /// Said something of a message or session.
    pub(crate) events: u64,
    /// Known, and saying nothing of what becomes of a message.
    pub(crate) ignored: u64,
    /// Of other programs.
    pub(crate) foreign: u64,
    /// Not understood.
    pub(crate) unknown: u64,
    /// Longer than is read; counted above as well.
    pub(crate) cut: u64,
}

impl Lines {
    /// All lines.
    pub(crate) fn total(&self) -> u64 {
        self.events + self.ignored + self.foreign + self.unknown
    }
}
