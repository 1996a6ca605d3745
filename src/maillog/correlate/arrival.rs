//! A message arrives in the queue: what smtpd, pickup and cleanup log then.
//!
//! Not here: when an arrival is that of another message (`queue_id_reuse`). Invariant: what the
//! first lines say of sender and Message-ID is kept; later lines do not overwrite it.

use super::queue_id_reuse::{has_other_message_id, is_same_arrival};
use super::queue_line::QueueLine;
use super::queue_table::Slot;
use super::queued_recipient::StatusTexts;
use super::related_message;
use super::same_recipient;
use super::session_decisions::{DecidedInSession, SessionDecisions};
use super::strangers_messages::StrangersMessages;
use crate::maillog::message_ids::client_of_message_id;
use crate::maillog::postfix::{Arrival, NotificationKind, SubmittingClient};
use crate::maillog::whose::Submitter;
use std::borrow::Cow;

/// smtpd or qmqpd: a client submits the message, for which its session may have decided something.
pub(crate) fn from_client<'l>(
    line: &mut QueueLine<'_, 'l>,
    client: &SubmittingClient<'l>,
    sessions: &mut SessionDecisions,
) {
    let slot = arrived(line);
    let submitter = submitter(line, client);
    submitted_by(line, slot, submitter);
    while let Some(decision) = sessions.claim(line.line, client.name) {
        take_over(line, slot, &decision);
    }
}

/// Who hands the message in. A content filter that gives a message back does so for whoever handed
/// it in before.
fn submitter<'l>(line: &mut QueueLine<'_, 'l>, client: &SubmittingClient<'l>) -> Submitter {
    let before = client.original_queue_id().and_then(|queue_id| line.find(queue_id));
    let known = before.map(|slot| line.table.message(slot).submitter);
    let of_client = || {
        let name = client.original().unwrap_or(client.name);
        Submitter::of_client(line.own, name, client.is_authenticated())
    };
    known.filter(|submitter| !submitter.is_unknown()).unwrap_or_else(of_client)
}

fn submitted_by(line: &mut QueueLine<'_, '_>, slot: Slot, submitter: Submitter) {
    let message = line.table.message(slot);
    if message.submitter.is_unknown() && !submitter.is_unknown() {
        message.submitter = submitter;
        line.table.touch_all(slot);
    }
}

fn take_over(line: &mut QueueLine<'_, '_>, slot: Slot, decision: &DecidedInSession) {
    let (at_ms, status) = (line.at_ms(), decision.status);
    let message = line.table.message(slot);
    let at = match &decision.recipient {
        Some(address) => same_recipient::decided(message, address, status, at_ms),
        None => same_recipient::unnamed(message, status, at_ms),
    };
    let reply = Cow::Borrowed(&*decision.reply);
    message.recipients[at].set_status_texts(&StatusTexts { reply, ..StatusTexts::default() });
    line.table.touch_all(slot);
}

/// Exim: the message arrived; one line says it all.
pub(crate) fn in_one_line<'l>(
    line: &mut QueueLine<'_, 'l>,
    arrival: &Arrival<'l>,
    strangers: &mut StrangersMessages,
) {
    let slot = line.message();
    let submitter = match arrival.client {
        Some(client) => Submitter::of_client(line.own, client, arrival.authenticated),
        None => Submitter::of(line.own.has_local()),
    };
    let message = line.table.message(slot);
    message.active = true;
    message.size = message.size.or(arrival.size);
    message.nrcpt = message.nrcpt.or(arrival.recipients);
    // A bounce is as much our own as what it reports on.
    if let Some(parent) = arrival.parent {
        let QueueLine { line: log_line, queue_id, table, own, shelf } = line;
        let mut of_parent = QueueLine { line: log_line, queue_id: parent, table, own, shelf: &mut **shelf };
        related_message::notified(&mut of_parent, NotificationKind::NonDelivery, queue_id);
    }
    submitted_by(line, slot, submitter);
    line.set_sender(slot, arrival.sender);
    if let Some(message_id) = arrival.message_id {
        name_message(line, slot, message_id);
    }
    strangers.meet(line, slot);
}

/// pickup: the message was submitted locally.
pub(crate) fn from_pickup<'l>(line: &mut QueueLine<'_, 'l>, sender: &'l [u8]) {
    let slot = arrived(line);
    submitted_by(line, slot, Submitter::of(line.own.has_local()));
    line.set_sender(slot, sender);
}

/// pickup: the message arrives again, after `postsuper -r`, and had another queue id before.
pub(crate) fn requeued<'l>(line: &mut QueueLine<'_, 'l>, queue_id_before: &'l [u8], sender: &'l [u8]) {
    let known = line.find(queue_id_before);
    let slot = line.known_or_new(queue_id_before, known);
    let queue_id = line.text(line.queue_id);
    line.table.requeue(slot, &queue_id);
    let message = line.table.message(slot);
    (message.active, message.closed) = (false, false);
    line.table.touch_all(slot);
    line.set_sender(slot, sender);
}

fn arrived(line: &mut QueueLine<'_, '_>) -> Slot {
    let (known, at_ms) = (line.known(), line.at_ms());
    known
        .filter(|slot| is_same_arrival(line.table.message(*slot), at_ms))
        .unwrap_or_else(|| line.begin(line.queue_id))
}

/// cleanup: the message has this Message-ID, which may name its client.
pub(crate) fn has_message_id<'l>(line: &mut QueueLine<'_, 'l>, message_id: &'l [u8]) {
    let text = line.text(message_id.trim_ascii());
    let id = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(&text);
    let known = line.known().filter(|slot| !has_other_message_id(line.table.message(*slot), id));
    let slot = line.known_or_new(line.queue_id, known);
    name_message(line, slot, message_id);
}

fn name_message<'l>(line: &mut QueueLine<'_, 'l>, slot: Slot, message_id: &'l [u8]) {
    let text = line.text(message_id.trim_ascii());
    let id = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(&text);
    let message = line.table.message(slot);
    if message.message_id().is_none() && !id.is_empty() {
        message.set_message_id(id);
        if let Some(client) = client_of_message_id(id) {
            message.set_client_id(client);
        }
        line.table.touch_all(slot);
    }
}
