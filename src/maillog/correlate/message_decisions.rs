//! A decision before the queue about a message that has its queue id: by smtpd, cleanup or a
//! milter.
//!
//! Not here: sessions without a queue id (`session_decisions`). Invariant: a decision about the
//! whole message changes only recipients whose status is not final.

use super::queue_line::QueueLine;
use super::queue_table::Slot;
use super::queued_recipient::StatusTexts;
use super::same_recipient;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::message_ids::client_of_message_id;
use crate::maillog::postfix::{EarlyAction, HeaderDecision, LoggedHeaders, SessionDecision, SessionEnvelope};

/// Whom a decision is about.
#[derive(Clone, Copy, PartialEq)]
enum Scope {
    Recipient,
    Message,
}

struct MessageDecision<'l> {
    action: EarlyAction,
    scope: Scope,
    envelope: SessionEnvelope<'l>,
    dsn: &'l [u8],
    reply: &'l [u8],
}

/// A session decided about the message or one of its recipients.
pub(crate) fn in_session<'l>(line: &mut QueueLine<'_, 'l>, decision: &SessionDecision<'l>) {
    let SessionDecision { action, stage, dsn, reply, envelope, .. } = *decision;
    let slot = line.message();
    // smtpd decides about one recipient; after the data, cleanup and milters decide about the
    // message.
    let scope = if stage == b"RCPT" { Scope::Recipient } else { Scope::Message };
    decided(line, slot, &MessageDecision { action, scope, envelope, dsn, reply });
}

/// header_checks or body_checks matched; configured headers name the client and the campaign of the
/// message.
pub(crate) fn on_header<'l>(
    line: &mut QueueLine<'_, 'l>,
    header: &HeaderDecision<'l>,
    headers: &LoggedHeaders,
) {
    let slot = line.message();
    if headers.is_client(header.name) {
        name_client(line, slot, header.value);
    }
    if headers.is_campaign(header.name) {
        name_campaign(line, slot, header.value);
    }
    let HeaderDecision { action, dsn, reply, envelope, .. } = *header;
    decided(line, slot, &MessageDecision { action, scope: Scope::Message, envelope, dsn, reply });
}

/// Sets the client, unless the Message-ID or an earlier header names it.
fn name_client<'l>(line: &mut QueueLine<'_, 'l>, slot: Slot, value: &'l [u8]) {
    let client = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let message = line.table.message(slot);
    let named_by_id = message.message_id().and_then(client_of_message_id).is_some();
    if !client.is_empty() && !named_by_id && message.client_id().is_none() {
        message.set_client_id(&line.line.text(client));
        line.table.touch_all(slot);
    }
}

/// Sets the campaign, unless an earlier header names it.
fn name_campaign<'l>(line: &mut QueueLine<'_, 'l>, slot: Slot, value: &'l [u8]) {
    let message = line.table.message(slot);
    if !value.is_empty() && message.campaign().is_none() {
        message.set_campaign(&line.line.text(value));
        line.table.touch_all(slot);
    }
}

fn decided<'l>(line: &mut QueueLine<'_, 'l>, slot: Slot, decision: &MessageDecision<'l>) {
    let Some(status) = decision.action.status() else { return };
    if let Some(sender) = decision.envelope.sender {
        line.set_sender(slot, sender);
    }
    let (at_ms, of_message) = (line.at_ms(), decision.scope == Scope::Message);
    let address = decision.envelope.recipient.map(|recipient| line.text(recipient));
    let (dsn, reply) = (line.text(decision.dsn), line.text(decision.reply));
    let texts = StatusTexts { dsn, reply, ..StatusTexts::default() };
    let message = line.table.message(slot);
    let named = match address {
        Some(address) => Some(same_recipient::decided(message, &address, status, at_ms)),
        None if of_message && message.recipients.is_empty() => {
            Some(same_recipient::unnamed(message, status, at_ms))
        }
        None => None,
    };
    for (at, recipient) in message.recipients.iter_mut().enumerate() {
        if Some(at) == named || of_message && !recipient.status.is_final() {
            (recipient.status, recipient.last_ms, recipient.changed) = (status, at_ms, true);
            recipient.set_status_texts(&texts);
        }
    }
    line.table.touch(slot);
    if of_message && status != LoggedStatus::Held {
        line.table.close(slot, at_ms);
    }
}
