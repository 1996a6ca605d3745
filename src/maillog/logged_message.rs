//! A message whose lines are looked for: what its deliveries say of it.
//!
//! Not here: finding the lines (`message_lines`). Invariant: plain data.

use super::correlate::LifeLine;

/// A message, as its deliveries have it.
pub(crate) struct LoggedMessage<'a> {
    /// Empty if the log names none.
    pub(crate) host: &'a str,
    /// Empty if the log names none, as that of PowerMTA.
    pub(crate) queue_id: &'a str,
    pub(crate) requeued_as: Option<&'a str>,
    /// Without brackets.
    pub(crate) message_id: Option<&'a str>,
    /// Of its first line, in milliseconds since 1970.
    pub(crate) first_ms: i64,
    /// Of the last line about a delivery.
    pub(crate) last_ms: i64,
    /// Lines that name other recipients are left out (lower case); `None`: all may be named.
    pub(crate) recipients: Option<Vec<String>>,
    pub(crate) deliveries: Vec<LoggedRecipient<'a>>,
}

/// One of its deliveries.
pub(crate) struct LoggedRecipient<'a> {
    /// The low half of the id that the log gives it.
    pub(crate) hash: u32,
    pub(crate) recipient: &'a str,
}

impl LoggedMessage<'_> {
    /// Whether whoever asks may see the recipients that a line names.
    pub(super) fn shows(&self, line: &LifeLine) -> bool {
        let may_name = |name: &String| self.recipients.as_ref().is_none_or(|known| known.contains(name));
        line.named.iter().all(may_name)
    }
}

/// The lines that were found.
pub(crate) struct FoundLines {
    /// In the order of the log.
    pub(crate) lines: Vec<LifeLine>,
    /// All of the log was searched.
    pub(crate) is_complete: bool,
}
