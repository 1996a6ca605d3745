//! Which recipient of a message a line is about.
//!
//! A recipient is named before its aliases and rewriting are known (in the session, by a header
//! check) and after (when it is tried). Invariant: two recipients are taken for one only if the
//! later line says that it came from the earlier address, or if there can be no other.

use super::queued_message::QueuedMessage;
use super::queued_recipient::QueuedRecipient;
use crate::maillog::logged_status::LoggedStatus;

/// The position of the recipient that an attempt is about: the one with the same addresses, one
/// that was named before its aliases were known, or a new one.
pub(crate) fn tried(message: &mut QueuedMessage, address: &str, original: Option<&str>) -> usize {
    let exact = message.find(address, original);
    let at = match exact.or_else(|| named_earlier(message, address, original)) {
        Some(at) => at,
        None => return message.recipients.push(Some(address), original, LoggedStatus::Deferred, 0),
    };
    if message.unattempted > 0 && message.recipients[at].attempts == 0 {
        message.unattempted -= 1;
    }
    if exact.is_none() {
        message.recipients.rename(at, address, original);
    }
    at
}

/// The recipient that was named before its aliases were known.
fn named_earlier(message: &QueuedMessage, address: &str, original: Option<&str>) -> Option<usize> {
    let is_requeued = message.requeued_as().is_some();
    if message.unattempted == 0 && !is_requeued {
        return None;
    }
    let came_in = original.unwrap_or(address);
    let same = |recipient: &QueuedRecipient| match recipient.address() {
        None => true,
        Some(known) if recipient.attempts == 0 => known == came_in || known == address,
        // Requeued messages are rewritten again.
        Some(known) => is_requeued && known == address,
    };
    message.recipients.iter().position(same).or_else(|| only_untried(message))
}

/// The only recipient of the message, if it was named and never tried.
fn only_untried(message: &QueuedMessage) -> Option<usize> {
    if message.nrcpt != Some(1) {
        return None;
    }
    let untried =
        |recipient: &QueuedRecipient| recipient.attempts == 0 && recipient.status != LoggedStatus::Rejected;
    let mut positions = (0..message.recipients.len()).filter(|at| untried(&message.recipients[*at]));
    positions.next().filter(|_| positions.next().is_none())
}

/// The position of the recipient that a decision before the queue names.
pub(crate) fn decided(message: &mut QueuedMessage, address: &str, status: LoggedStatus, at_ms: i64) -> usize {
    message.find(address, None).unwrap_or_else(|| {
        message.unattempted += 1;
        message.recipients.push(Some(address), None, status, at_ms)
    })
}

/// Adds a recipient without an address, which represents all recipients until one is named.
pub(crate) fn unnamed(message: &mut QueuedMessage, status: LoggedStatus, at_ms: i64) -> usize {
    message.unattempted += 1;
    message.recipients.push(None, None, status, at_ms)
}
