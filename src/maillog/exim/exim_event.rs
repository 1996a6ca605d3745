//! What a text of Exim says happened, by its flag or its first words.
//!
//! Not here: time, host and message (`exim_lines`). Invariant: a text about a message that has no
//! known flag changes nothing.

use super::exim_attempt::{self, EximRecipient};
use super::{exim_arrival, exim_refusal};
use crate::maillog::postfix::{AttemptResult, EarlyAction, Event, SessionDecision, SessionEnvelope};

/// What a text about a message says.
pub(super) fn of_message(text: &[u8]) -> Event<'_> {
    let flag = text.get(..3).unwrap_or_default();
    let rest = text.get(3..).unwrap_or_default();
    match flag {
        b"<= " => Event::Arrived(exim_arrival::read(rest)),
        b"=> " | b"-> " | b">> " => delivered(rest),
        b"** " => attempt(AttemptResult::Bounced, rest),
        b"== " => attempt(AttemptResult::Deferred, rest),
        _ => other(text),
    }
}

fn attempt(result: AttemptResult, text: &[u8]) -> Event<'_> {
    exim_attempt::read(result, text).map_or(Event::Ignored, Event::Attempt)
}

/// Delivered, or thrown away.
fn delivered(text: &[u8]) -> Event<'_> {
    let discard = |stage, recipient, reply| {
        let envelope = SessionEnvelope { sender: None, recipient };
        let action = EarlyAction::Discard;
        Event::SessionDecision(SessionDecision { action, stage, client: b"", dsn: b"", reply, envelope })
    };
    if text.starts_with(b"blackhole (") {
        return discard(b"DATA", None, text);
    }
    let found = EximRecipient::read(text);
    match found.is_blackhole() {
        true => discard(b"RCPT", Some(found.addresses().0), b":blackhole:"),
        false => attempt(AttemptResult::Sent, text),
    }
}

fn other(text: &[u8]) -> Event<'_> {
    let begins = |words: &[&[u8]]| words.iter().any(|word| text.starts_with(word));
    match text {
        _ if begins(&[b"Completed"]) => Event::Removed,
        _ if begins(&[b"Frozen", b"*** Frozen", b"frozen by "]) || text.ends_with(b" (frozen)") => {
            Event::Held
        }
        _ if begins(&[b"Unfrozen by ", b"unfrozen by "]) => Event::Released,
        _ if begins(&[b"removed by "]) => Event::Deleted,
        _ if begins(&[b"cancelled by "]) => Event::Expired { forced: true },
        _ => exim_refusal::read(text).map_or(Event::Ignored, Event::SessionDecision),
    }
}

/// What a text without a message says.
pub(super) fn of_session(text: &[u8]) -> Event<'_> {
    if let Some(refused) = exim_refusal::read(text) {
        return Event::SessionDecision(refused);
    }
    let is_known = KNOWN.iter().any(|known| text.starts_with(known));
    if is_known { Event::Ignored } else { Event::Unknown }
}

/// How lines begin that say nothing about what became of a message.
const KNOWN: &[&[u8]] = &[
    b"H=",
    b"U=",
    b"[",
    b"(",
    b"cwd=",
    b"exim ",
    b"Start queue run",
    b"End queue run",
    b"SMTP ",
    b"TLS ",
    b"Warning: ",
    b"no host name found",
    b"no IP address found",
    b"unexpected ",
    b"DKIM: ",
    b"ident connection",
    b"unqualified ",
    b"refused connection",
    b"Connection from ",
    b"connection ",
    b"authentication ",
    b"login ",
    b"plain ",
    b"lowest numbered MX",
    b"Message ",
    b"retry ",
    b"re-exec ",
    b"daemon ",
    b"pid ",
    b"failed to ",
    b"Failed to ",
    b"Exim configuration error",
    b"socket bind() ",
    b"listening for ",
    b"malware acl condition",
    b"spam acl condition",
    b"rejected ",
    b"auth_",
    b"dovecot_",
    b"queue run",
    b"Remote host ",
    b"remote host ",
    b"sender verify ",
    b"Sender verify ",
    b"VRFY ",
    b"EXPN ",
    b"ETRN ",
];
