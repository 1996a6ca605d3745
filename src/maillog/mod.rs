//! Mail logs: what became of every message.
//!
//! Files or the journal are read from where the last tick stopped (`tail`, `journald`), lines
//! become events (`postfix`, `exim`) or records (`powermta`, `kumomta`), events become deliveries
//! (`correlate`): one for each message and recipient (`delivery`). Not here: the index, and why a
//! delivery failed. Invariant: every line is counted in `Lines`, and memory is bounded by a chunk
//! of a log and the open messages.

mod line_places;
pub(crate) mod stable_id;
pub(crate) mod message_ids;
mod logged_status;
pub(crate) mod whose;
pub(crate) mod delivery_route;
pub(crate) mod delivery;
mod whose_delivery;
pub(crate) mod delivery_texts;
pub(crate) mod packed_deliveries;
pub(crate) mod logged_reply;
pub(crate) mod shape;
pub(crate) mod stamp;
pub(crate) mod unread_line;
pub(crate) mod log_fault;
pub(crate) mod unread_form;
pub(crate) mod log_health;
pub(crate) mod tail;
pub(crate) mod postfix;
pub(crate) mod exim;
pub(crate) mod server_lines;
pub(crate) mod wrapped;
pub(crate) mod journald;
mod recent_ids;
pub(crate) mod correlate;
pub(crate) mod logged_message;
mod deferred_deliveries;
pub(crate) mod powermta;
pub(crate) mod kumomta;
pub(crate) mod message_lines;
mod line_form;
pub(crate) mod log_clock;
pub(crate) mod sampled_log;

pub(crate) use correlate::{LifeLine, LineMeaning};
pub(crate) use delivery::Delivery;
pub(crate) use delivery_route::{DeliveryRoute, SourceKind};
pub(crate) use logged_status::LoggedStatus;
pub(crate) use packed_deliveries::PackedDeliveries;
pub(crate) use postfix::AttemptResult;
pub(crate) use whose::Whose;

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// What the lines of a log were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lines {
    /// About a message or a session. `events` of a tick are something else.
    #[serde(rename = "parsed", alias = "events")]
    pub(crate) events: u64,
    /// Known to say nothing about what became of a message.
    pub(crate) ignored: u64,
    /// Of other programs.
    pub(crate) foreign: u64,
    pub(crate) unknown: u64,
    /// Longer than what is read; also counted above.
    pub(crate) cut: u64,
}

impl AddAssign for Lines {
    fn add_assign(&mut self, more: Lines) {
        self.events += more.events;
        self.ignored += more.ignored;
        self.foreign += more.foreign;
        self.unknown += more.unknown;
        self.cut += more.cut;
    }
}

impl Lines {
    pub(crate) fn total(&self) -> u64 {
        self.events + self.ignored + self.foreign + self.unknown
    }
}
