//! Reads what happened from the text of a line, daemon by daemon.
//!
//! Not here: stamps, programs and queue ids, which are read before. Invariant: a text that Postfix
//! is known to write is never `Unknown`, and any other text is.

use super::attempt::Attempt;
use super::early_decision::{self, EarlyDecision};
use super::event::{Event, NotificationKind, SubmittingClient, TakenUp};
use super::known_texts::{is_known_of_message, is_known_without_message};
use super::queue_id::{Prefix, is_queue_id};
use super::session_envelope::address;
use memchr::memmem;

/// Reads the text after its prefix.
pub(crate) fn read<'a>(daemon: &[u8], prefix: Prefix<'_>, text: &'a [u8]) -> Event<'a> {
    match prefix {
        Prefix::QueueId(_) => of_message(daemon, text).unwrap_or(Event::Unknown),
        Prefix::NoQueue => decision(text).unwrap_or_else(|| without_message(text)),
        Prefix::Absent if text.starts_with(b"connect from ") => Event::Connect,
        Prefix::Absent if text.starts_with(b"disconnect from ") => Event::Disconnect,
        Prefix::Absent if is_refusal(daemon, text) => decision(text).unwrap_or_else(|| without_message(text)),
        Prefix::Absent => without_message(text),
    }
}

/// Whether a refusal begins the text without `NOQUEUE:`, as smtpd writes that of its proxy.
fn is_refusal(daemon: &[u8], text: &[u8]) -> bool {
    let refusals: [&[u8]; 3] = [b"proxy-reject: ", b"milter-reject: ", b"reject: "];
    matches!(daemon, b"smtpd" | b"postscreen" | b"cleanup")
        && refusals.iter().any(|refusal| text.starts_with(refusal))
}

fn without_message(text: &[u8]) -> Event<'static> {
    if is_known_without_message(text) { Event::Ignored } else { Event::Unknown }
}

/// A text about a message in the queue.
fn of_message<'a>(daemon: &[u8], text: &'a [u8]) -> Option<Event<'a>> {
    match text.first()? {
        b't' if text.starts_with(b"to=<") => return Attempt::read(&text[4..]).map(Event::Attempt),
        b'f' if text.starts_with(b"from=<") => return queue_manager(&text[6..]),
        b'm' if text.starts_with(b"message-id=") => return Some(Event::MessageId(&text[11..])),
        b'c' if text.starts_with(b"client=") => {
            return Some(Event::Client(SubmittingClient::read(&text[7..])));
        }
        b'u' if text.starts_with(b"uid=") => return pickup(text),
        _ => {}
    }
    match text {
        b"removed" if daemon == b"postsuper" => return Some(Event::Deleted),
        b"removed" => return Some(Event::Removed),
        b"placed on hold" => return Some(Event::Held),
        b"released from hold" => return Some(Event::Released),
        b"requeued" => return Some(Event::Requeued),
        b"expired" => return Some(Event::ToExpire),
        _ => {}
    }
    if matches!(daemon, b"bounce" | b"defer" | b"trace")
        && let Some(notification) = notification(text)
    {
        return Some(notification);
    }
    if matches!(daemon, b"smtpd" | b"cleanup" | b"postscreen" | b"qmqpd" | b"pickup")
        && let Some(decision) = decision(text)
    {
        return Some(decision);
    }
    is_known_of_message(text).then_some(Event::Ignored)
}

/// `from=<…>, size=…, nrcpt=… (queue active)` or `from=<…>, status=expired, returned to sender`.
///
/// What follows the address is the queue manager's own text and has no bracket, so the address ends
/// at the last one.
fn queue_manager(text: &[u8]) -> Option<Event<'_>> {
    let close = memchr::memrchr(b'>', text)?;
    let (sender, rest) = text.split_at(close);
    if let Some(sizes) = rest.strip_prefix(b">, size=") {
        let (size, rest) = integer(sizes);
        if let Some(rest) = rest.strip_prefix(b", nrcpt=") {
            let (recipients, _) = integer(rest);
            let recipients = recipients.try_into().unwrap_or(u32::MAX);
            return Some(Event::TakenUp(TakenUp { sender, size, recipients }));
        }
    }
    let status = rest.strip_prefix(b">, status=")?;
    (status.starts_with(b"expired") || status.starts_with(b"force-expired"))
        .then(|| Event::Expired { forced: status.starts_with(b"force") })
}

/// `uid=1000 from=<…>` and, after `postsuper -r`, ` orig_id=…`.
fn pickup(text: &[u8]) -> Option<Event<'_>> {
    let start = memmem::find(&text[..text.len().min(32)], b" from=<")? + 7;
    let text = &text[start..];
    if let Some(orig) = memmem::rfind(text, b"> orig_id=") {
        let original = text[orig + 10..].trim_ascii_end();
        if is_queue_id(original) {
            return Some(Event::Pickup { sender: &text[..orig], original: Some(original) });
        }
    }
    let (sender, _) = address(text, b"")?;
    let sender = if text.first() == Some(&b'"') { sender } else { text.strip_suffix(b">").unwrap_or(sender) };
    Some(Event::Pickup { sender, original: None })
}

/// `sender non-delivery notification: 4Xyz…`
fn notification(text: &[u8]) -> Option<Event<'_>> {
    let colon = memmem::rfind(text, b" notification: ")?;
    let queue_id = text[colon + 15..].trim_ascii_end();
    let words =
        text[..colon].strip_prefix(b"sender ").or_else(|| text[..colon].strip_prefix(b"postmaster "))?;
    let kind = match words {
        b"non-delivery" => NotificationKind::NonDelivery,
        b"delay" | b"delivery delay" => NotificationKind::Delay,
        b"delivery status" => NotificationKind::Success,
        _ => return None,
    };
    is_queue_id(queue_id).then_some(Event::Notification { kind, queue_id })
}

fn decision(text: &[u8]) -> Option<Event<'_>> {
    Some(match early_decision::read(text)? {
        EarlyDecision::Session(decision) => Event::SessionDecision(decision),
        EarlyDecision::Header(decision) => Event::HeaderDecision(decision),
    })
}

fn integer(text: &[u8]) -> (u64, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let add = |value: u64, byte: &u8| value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
    (text[..end].iter().fold(0, add), &text[end..])
}
