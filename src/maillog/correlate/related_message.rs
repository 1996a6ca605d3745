//! A message that comes of another one: forwarded, back from a content filter, or a notification.
//!
//! Invariant: a message that goes on has the Message-ID of the one it comes from, so that a reply
//! that a stranger wrote connects no two messages.

use super::queue_line::QueueLine;
use super::queue_table::Slot;
use crate::maillog::postfix::{Attempt, NotificationKind};
use crate::maillog::whose::Submitter;
use memchr::{memchr, memmem};

/// A recipient was delivered: if the message goes on under another queue id, it keeps its client,
/// and this was no delivery. Returns whether it does.
pub(crate) fn goes_on<'l>(line: &mut QueueLine<'_, 'l>, slot: Slot, attempt: &Attempt<'l>) -> bool {
    let is_forwarded = attempt.reply.starts_with(FORWARDED);
    let Some(queue_id) = next_queue_id(attempt) else { return false };
    let Some(child_slot) = line.find(queue_id).filter(|child| *child != slot) else { return is_forwarded };
    let parent = line.table.message(slot);
    let texts = [parent.queue_id(), parent.client_id(), parent.message_id()];
    let [queue_id, client, message_id] = texts.map(|text| text.map(str::to_owned));
    let submitter = parent.submitter;
    let child = line.table.message(child_slot);
    let is_same = child.message_id() == message_id.as_deref();
    // A filter that renames messages makes none of them ours.
    if !is_same && submitter == Submitter::Stranger {
        child.submitter = submitter;
        line.table.touch_all(child_slot);
        return is_forwarded;
    }
    if child.parent().is_none() && is_same {
        child.set_parent(queue_id.as_deref());
        // A content filter gives it back from this host, whoever sent it.
        if !submitter.is_unknown() {
            child.submitter = submitter;
        }
        if let (None, Some(client)) = (child.client_id(), client) {
            child.set_client_id(&client);
        }
        line.table.touch_all(child_slot);
    }
    is_forwarded || is_same
}

/// What local(8) writes of a message that it sends on.
const FORWARDED: &[u8] = b"forwarded as ";

/// The queue id that the message goes on under: local(8) forwarded it, or it was given to a program
/// of this host, which gave it back to Postfix.
fn next_queue_id<'l>(attempt: &Attempt<'l>) -> Option<&'l [u8]> {
    const LOCAL: [&[u8]; 4] = [b"127.", b"::1]", b"/", b"private/"];
    let is_local = || {
        let address = memchr(b'[', attempt.relay).map_or(&b""[..], |bracket| &attempt.relay[bracket + 1..]);
        LOCAL.iter().any(|local| address.starts_with(local))
    };
    let text = match attempt.reply.strip_prefix(FORWARDED) {
        Some(text) => text,
        None if is_local() => &attempt.reply[memmem::find(attempt.reply, b"queued as ")? + 10..],
        None => return None,
    };
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric()).unwrap_or(text.len());
    Some(&text[..end])
}

/// bounce: a notification about the message was sent; it has its own queue id.
pub(crate) fn notified<'l>(line: &mut QueueLine<'_, 'l>, kind: NotificationKind, queue_id: &'l [u8]) {
    let slot = line.message();
    let message = line.table.message(slot);
    let submitter = Submitter::of(message.is_own(line.own));
    let parent = message.queue_id().map(str::to_owned);
    for recipient in message.recipients.iter_mut().filter(|recipient| recipient.is_subject_of(kind)) {
        recipient.set_notification(&line.line.text(queue_id));
        recipient.notified |= kind == NotificationKind::NonDelivery;
        recipient.changed = true;
    }
    line.table.touch(slot);
    let known = line.find(queue_id);
    let child = line.known_or_new(queue_id, known);
    if child != slot {
        let child_message = line.table.message(child);
        child_message.set_parent(parent.as_deref());
        child_message.submitter = submitter;
        line.table.touch_all(child);
    }
}
