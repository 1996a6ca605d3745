//! The trace by which an answer of carom is known: a header field and the form of the Message-ID.
//!
//! Not here: which messages are answers for other reasons (`action::loops`). Invariant: every mail
//! that carom sends because of another one has the trace, in two places: some servers remove fields
//! that they do not know, and some write a new Message-ID.

use super::Message;

/// The header field; its value is the host that answered.
pub(crate) const ANSWER_FIELD: &str = "X-Carom-Answer";
/// How the Message-IDs of answers begin.
pub(crate) const ANSWER_ID: &str = "carom-answer.";

/// Whether a carom wrote the message, or a program that answered a carom.
pub(crate) fn is_of_carom(message: &Message<'_>) -> bool {
    let names_ours = |name: &str| {
        let ids = message.header(name).unwrap_or_default();
        ids.split(['<', ' ', '\t', ',']).any(|id| id.starts_with(ANSWER_ID))
    };
    message.header(ANSWER_FIELD).is_some()
        || ["Message-ID", "Resent-Message-ID", "In-Reply-To", "References"].into_iter().any(names_ours)
}
