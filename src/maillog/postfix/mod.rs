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
mod program;
mod logged_headers;
mod line_reader;

pub(crate) use attempt::Attempt;
pub(crate) use early_decision::{EarlyAction, HeaderDecision, SessionDecision};
pub(crate) use event::{Event, NotificationKind, SubmittingClient, TakenUp};
pub(crate) use line_reader::{Grammar, LINE, LineReader, LogLine, NotPostfix, Parsed, lossy, message};
pub(crate) use logged_headers::LoggedHeaders;
pub(crate) use session_envelope::SessionEnvelope;

#[cfg(test)]
mod tests;
