//! What the queue manager and the operator's postsuper do with a message in the queue.
//!
//! Not here: single recipients (`recipient_tried`). Invariant: what happens to a message changes
//! only recipients whose status is not final.

use super::queue_id_reuse::has_left_the_queue;
use super::queue_line::QueueLine;
use super::queue_table::Slot;
use super::same_recipient;
use super::strangers_messages::StrangersMessages;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::TakenUp;

/// qmgr: the message is tried now.
pub(crate) fn taken_up<'l>(
    line: &mut QueueLine<'_, 'l>,
    event: &TakenUp<'l>,
    strangers: &mut StrangersMessages,
) {
    let known = line.known().filter(|slot| !has_left_the_queue(line.table.message(*slot)));
    let slot = line.known_or_new(line.queue_id, known);
    let message = line.table.message(slot);
    message.active = true;
    let before = (message.size, message.nrcpt);
    message.size = message.size.or(Some(event.size));
    // At a retry, the queue manager counts only who is left.
    message.nrcpt = message.nrcpt.max(Some(event.recipients));
    if (message.size, message.nrcpt) != before {
        line.table.touch_all(slot);
    }
    line.set_sender(slot, event.sender);
    strangers.meet(line, slot);
    end_hold(line, slot);
}

/// postsuper: the message is no longer on hold.
pub(crate) fn released(line: &mut QueueLine<'_, '_>) {
    if let Some(slot) = line.known() {
        end_hold(line, slot);
    }
}

fn end_hold(line: &mut QueueLine<'_, '_>, slot: Slot) {
    let (held, deferred) = (LoggedStatus::Held, LoggedStatus::Deferred);
    if line.table.message(slot).set_open_recipients(Some(held), deferred, line.line.at_ms) {
        line.table.touch(slot);
    }
}

/// postsuper: the message is on hold.
pub(crate) fn held(line: &mut QueueLine<'_, '_>) {
    set_open_recipients(line, LoggedStatus::Held);
}

/// qmgr: the message is too old, or an operator gave it up.
pub(crate) fn expired(line: &mut QueueLine<'_, '_>) {
    set_open_recipients(line, LoggedStatus::Expired);
}

/// postsuper: an operator deleted the message.
pub(crate) fn deleted(line: &mut QueueLine<'_, '_>) {
    let slot = set_open_recipients(line, LoggedStatus::Deleted);
    line.table.close(slot, line.line.at_ms);
}

/// qmgr: nothing is left to do.
pub(crate) fn removed(line: &mut QueueLine<'_, '_>) {
    if let Some(slot) = line.known() {
        line.table.close(slot, line.line.at_ms);
    }
}

/// Sets the status of all recipients that have no final one. A message without a known recipient
/// gets one without an address, so that what happened to it is reported.
fn set_open_recipients(line: &mut QueueLine<'_, '_>, status: LoggedStatus) -> Slot {
    let (slot, at_ms) = (line.message(), line.at_ms());
    let message = line.table.message(slot);
    let changed = if message.recipients.is_empty() {
        same_recipient::unnamed(message, status, at_ms);
        true
    } else {
        message.set_open_recipients(None, status, at_ms)
    };
    if changed {
        line.table.touch(slot);
    }
    slot
}
