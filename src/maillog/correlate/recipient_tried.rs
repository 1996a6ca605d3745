//! A recipient was tried: what Postfix's delivery agents log.
//!
//! Not here: which recipient that is (`same_recipient`). Invariant: an attempt always counts for
//! the recipient it names, even after a final status, because the line is about that recipient.

use super::queue_line::QueueLine;
use super::queued_recipient::StatusTexts;
use super::{related_message, same_recipient};
use crate::maillog::delivery_route::USUAL_INSTANCE;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::postfix::{Attempt, LogLine};
use crate::maillog::{Delivery, PackedDeliveries};
use memchr::memrchr;
use std::borrow::Cow;

pub(crate) fn tried<'l>(
    line: &mut QueueLine<'_, 'l>,
    attempt: &Attempt<'l>,
    superseded: &mut PackedDeliveries,
) {
    let Some(status) = attempt.result.status() else {
        if let Some(slot) = line.known() {
            line.table.message(slot).probe = true;
        }
        return;
    };
    let slot = line.message();
    let message = line.table.message(slot);
    let address = line.line.text(attempt.recipient);
    let original = attempt.original_recipient.map(|original| line.line.text(original));
    let at = same_recipient::tried(message, &address, original.as_deref());
    let recipient = &message.recipients[at];
    if recipient.attempts > recipient.reported().map_or(0, |reported| reported.attempts) {
        let delivery = message.delivery(at, line.own);
        let whose = delivery.route.whose();
        superseded.push(&Delivery { superseded: true, ..delivery });
        message.recipients[at].note_report(whose);
    }
    let recipient = &mut message.recipients[at];
    recipient.status = status;
    recipient.attempts += 1;
    recipient.last_ms = line.line.at_ms;
    recipient.changed = true;
    recipient.set_status_texts(&StatusTexts {
        relay: relay(line.line, attempt),
        dsn: line.line.text(attempt.dsn),
        delay: line.line.text(attempt.delay),
        delays: line.line.text(attempt.delays),
        reply: reply(line.line, attempt),
        tls: line.line.text(attempt.tls),
        syslog_name: syslog_name(line.line, attempt),
    });
    line.table.touch(slot);
    if status == LoggedStatus::Sent {
        let is_forwarded = related_message::goes_on(line, slot, attempt);
        line.table.message(slot).recipients[at].status = match is_forwarded {
            true => LoggedStatus::Forwarded,
            false if is_thrown_away(line.line, attempt) => LoggedStatus::Discarded,
            false => LoggedStatus::Sent,
        };
    }
}

/// By discard(8), or by local(8) for an alias of `/dev/null`.
fn is_thrown_away(line: &LogLine<'_>, attempt: &Attempt<'_>) -> bool {
    line.tag.ends_with(b"/discard") || attempt.relay == b"local" && attempt.reply == b"discarded"
}

/// The next hop, which Exim writes as `mx.example [192.0.2.1]:25`.
fn relay<'l>(line: &LogLine<'l>, attempt: &Attempt<'l>) -> Cow<'l, str> {
    let relay = line.text(attempt.relay);
    if attempt.transport.is_empty() { relay } else { relay.replacen(" [", "[", 1).into() }
}

/// The reply, whose lines Exim joins with `\n`.
fn reply<'l>(line: &LogLine<'l>, attempt: &Attempt<'l>) -> Cow<'l, str> {
    let reply = line.text(attempt.reply);
    if attempt.transport.is_empty() || !reply.contains("\\n") {
        reply
    } else {
        reply.replace("\\n", " ").into()
    }
}

fn syslog_name<'l>(line: &LogLine<'l>, attempt: &Attempt<'l>) -> Cow<'l, str> {
    if attempt.transport.is_empty() {
        return line.text(other_syslog_name(line.tag));
    }
    format!("exim/{}", line.text(attempt.transport)).into()
}

/// The syslog name in `postfix-out/smtp` or `postfix/smtp-marketing/smtp`; empty if it is the usual
/// one.
fn other_syslog_name(tag: &[u8]) -> &[u8] {
    let name = memrchr(b'/', tag).map_or(&b""[..], |slash| &tag[..slash]);
    if name == USUAL_INSTANCE.as_bytes() { b"" } else { name }
}
