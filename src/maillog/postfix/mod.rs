//! What one line of a Postfix log says.
//!
//! Bytes in, borrowed bytes out: nothing is copied. Not here: what several lines say together
//! (`correlate`). Invariant: no text that a stranger chose (an address, a header, a reply) is taken
//! for what Postfix itself says.

mod line_end;
mod queue_id;
mod session_envelope;
mod early_decision;
mod attempt;
mod event;
mod known_texts;
mod event_text;
pub(crate) mod program;
mod logged_headers;
mod line_reader;

pub(crate) use attempt::{Attempt, AttemptResult};
pub(crate) use early_decision::{EarlyAction, HeaderDecision, SessionDecision, enhanced};
pub(crate) use event::{Arrival, Event, NotificationKind, SubmittingClient, TakenUp};
pub(crate) use line_reader::{
    Grammar, LINE, LineReader, LogLine, LogServer, NotPostfix, Parsed, is_unknown, lossy, message,
};
pub(crate) use logged_headers::LoggedHeaders;
pub(crate) use queue_id::is_queue_id;
pub(crate) use session_envelope::{SessionEnvelope, address};

#[cfg(test)]
mod tests;
