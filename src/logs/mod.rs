//! What mail logs say became of every message.
//!
//! Files or the journal are read from where the last tick stopped (`tail`, `journal`), lines become events
//! (`postfix`) or records (`powermta`), events become deliveries (`correlate`), one for each message and
//! recipient (`delivery`). Not here: the database, and why a delivery failed. Invariant: every line is
//! accounted for in `Lines`, and reading keeps no more than a chunk of a log and the messages that are under
//! way.

/// The record: one message, one recipient.
pub mod delivery;
/// Time stamps at the start of lines.
pub mod stamp;
/// One line of Postfix.
pub mod postfix;
/// What lines say together.
pub mod correlate;
/// PowerMTA's accounting files.
pub mod powermta;
/// Log files that grow, rotate, are truncated and compressed.
pub mod tail;
/// `journalctl -o export`.
pub mod journal;
/// Replies that differ only in what varies.
pub mod shape;
/// What a policy is asked about a reply.
pub mod failure;

pub use delivery::{Delivery, Status};

use serde::{Deserialize, Serialize};

/// How many lines were what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lines {
    /// Said something of a message or session.
    pub events: u64,
    /// Known, and saying nothing of what becomes of a message.
    pub ignored: u64,
    /// Of other programs.
    pub foreign: u64,
    /// Not understood.
    pub unknown: u64,
    /// Longer than is read; counted above as well.
    pub cut: u64,
}

impl Lines {
    /// All lines.
    pub fn total(&self) -> u64 {
        self.events + self.ignored + self.foreign + self.unknown
    }
}
