//! Decisions before the queue, by Postfix, a milter or postscreen.
//!
//! About a session: `reject: RCPT from host[address]: 554 5.7.1 text; from=<…> to=<…> proto=ESMTP
//! helo=<…>`. About a header or a line of the body: `info: header client-id: value from
//! host[address]; from=<…> …: text`. Not here: which message it was. Invariant: the action is
//! Postfix's first word, never one from a quoted text.

use super::line_end::without_line_end;
use super::session_envelope::{self, SessionEnvelope};
use crate::maillog::logged_status::LoggedStatus;
use crate::smtp_reply::{self, EnhancedStatus};
use memchr::{memchr, memmem};

/// Bytes at the beginning of a reply that its codes are in.
const CODES: usize = 40;

/// What header_checks and body_checks check, and whether it has a name.
const CHECKED: &[(&[u8], bool)] = &[
    (b"header ", true),
    (b"mime-header ", true),
    (b"nested-header ", true),
    (b"body ", false),
    (b"content ", false),
];

/// The word before the first colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlyAction {
    /// `reject`, `milter-reject`: refused, for now or for good, as the reply says.
    Reject,
    /// `hold`, `milter-hold`, `milter-quarantine`: accepted and put on hold.
    Hold,
    /// `discard`, `milter-discard`: accepted and thrown away.
    Discard,
    /// `info`, `warn`, `filter`, `redirect`, `prepend`, `reject_warning` …: the message continues.
    Note,
}

impl EarlyAction {
    /// The status that the decision leads to; None if the message continues.
    pub(crate) fn status(self) -> Option<LoggedStatus> {
        match self {
            EarlyAction::Reject => Some(LoggedStatus::Rejected),
            EarlyAction::Hold => Some(LoggedStatus::Held),
            EarlyAction::Discard => Some(LoggedStatus::Discarded),
            EarlyAction::Note => None,
        }
    }
}

/// A decision about a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionDecision<'a> {
    pub(crate) action: EarlyAction,
    /// When in the session: `CONNECT`, `MAIL`, `RCPT`, `END-OF-MESSAGE` …
    pub(crate) stage: &'a [u8],
    /// `host[address]`, or postscreen's `[address]:port`.
    pub(crate) client: &'a [u8],
    /// Enhanced status code, if the reply has one.
    pub(crate) dsn: &'a [u8],
    /// The reply, with its code.
    pub(crate) reply: &'a [u8],
    pub(crate) envelope: SessionEnvelope<'a>,
}

/// A decision about a header or a line of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderDecision<'a> {
    pub(crate) action: EarlyAction,
    /// The header's name; empty for a line of the body.
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Enhanced status code of a rejection.
    pub(crate) dsn: &'a [u8],
    /// The text of the table.
    pub(crate) reply: &'a [u8],
    pub(crate) envelope: SessionEnvelope<'a>,
}

pub(crate) enum EarlyDecision<'a> {
    Session(SessionDecision<'a>),
    Header(HeaderDecision<'a>),
}

/// Reads what follows the queue id, if it begins with an action.
pub(crate) fn read(text: &[u8]) -> Option<EarlyDecision<'_>> {
    let colon = memchr(b':', &text[..text.len().min(24)])?;
    let action = action(&text[..colon])?;
    let rest = text[colon + 1..].strip_prefix(b" ")?;
    for (kind, has_name) in CHECKED {
        if let Some(line) = rest.strip_prefix(*kind) {
            return Some(EarlyDecision::Header(checked(action, line, *has_name)));
        }
    }
    session(action, rest).map(EarlyDecision::Session)
}

/// `RCPT from host[address]: 554 5.7.1 text; from=<…> …`; a stage may have two words.
fn session(action: EarlyAction, text: &[u8]) -> Option<SessionDecision<'_>> {
    let (stage, client, text) = of_proxy(action, text).or_else(|| of_client(text))?;
    let found = session_envelope::find_at_end(text).or_else(|| session_envelope::find_within(text));
    let (reply, envelope) = match found {
        Some(found) if found.before.is_empty() => (found.after, found.envelope),
        Some(found) => (found.before, found.envelope),
        // There is no envelope before MAIL, only `; proto=SMTP helo=<…>`.
        None => {
            let end = memmem::rfind(text, b"; proto=").unwrap_or(text.len());
            (&text[..end], SessionEnvelope::default())
        }
    };
    let reply = without_line_end(reply);
    Some(SessionDecision { action, stage, client, dsn: enhanced(reply), reply, envelope })
}

/// The stage, the client and what follows: `RCPT from host[address]: `.
fn of_client(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let from = memmem::find(&text[..text.len().min(64)], b" from ")?;
    let (stage, text) = (&text[..from], &text[from + 6..]);
    let colon = memmem::find(text, b": ").or_else(|| text.strip_suffix(b":").map(<[u8]>::len))?;
    Some((stage, &text[..colon], text.get(colon + 2..).unwrap_or_default()))
}

/// What a proxy before the queue answered to a stage, without a client: `END-OF-MESSAGE: `.
fn of_proxy(action: EarlyAction, text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = text.iter().take(24).position(|byte| !byte.is_ascii_uppercase() && *byte != b'-')?;
    let answer = text[end..].strip_prefix(b": ").or_else(|| text[end..].strip_prefix(b":"))?;
    (end > 0 && action == EarlyAction::Reject).then_some((&text[..end], b"", answer))
}

/// `client-id: value from host[address]; from=<…> …: text`.
fn checked(action: EarlyAction, text: &[u8], has_name: bool) -> HeaderDecision<'_> {
    let (before, envelope, reply) = match session_envelope::find_within(text) {
        Some(found) => (found.before, found.envelope, found.after),
        None => (text, SessionEnvelope::default(), &b""[..]),
    };
    let line = memmem::rfind(before, b" from ").map_or(before, |from| &before[..from]);
    let (name, value) = match memchr(b':', line) {
        Some(colon) if has_name => (&line[..colon], line[colon + 1..].trim_ascii()),
        _ => (&b""[..], line),
    };
    HeaderDecision { action, name, value, dsn: enhanced(reply), reply, envelope }
}

fn action(word: &[u8]) -> Option<EarlyAction> {
    Some(match word {
        b"reject" | b"milter-reject" | b"proxy-reject" => EarlyAction::Reject,
        b"hold" | b"milter-hold" | b"quarantine" | b"milter-quarantine" => EarlyAction::Hold,
        b"discard" | b"milter-discard" => EarlyAction::Discard,
        b"info" | b"warn" | b"warning" | b"filter" | b"redirect" | b"prepend" | b"replace" | b"bcc"
        | b"strip" | b"reject_warning" | b"trace" | b"permit" | b"ok" | b"dunno" | b"pass" | b"accept"
        | b"delay" | b"client" | b"add" | b"milter-accept" | b"milter-warning" | b"proxy-accept"
        | b"defer_if_permit" => EarlyAction::Note,
        _ => return None,
    })
}

/// The enhanced status code of a reply: `5.7.1` in `554 5.7.1 text` and in `5.7.1 text`; made from
/// the class of the code if there is only that.
pub(crate) fn enhanced(reply: &[u8]) -> &[u8] {
    let text = utf8_prefix(&reply[..reply.len().min(CODES)]);
    let Some(code) = smtp_reply::leading_code(text) else {
        return EnhancedStatus::leading(text).map_or(b"", |(_, length)| &reply[..length]);
    };
    if let Some((_, end)) = smtp_reply::status_after(&text[3..]) {
        let status = &text[..3 + end];
        let start = status.rfind(|c: char| !c.is_ascii_digit() && c != '.').map_or(0, |before| before + 1);
        return &reply[start..3 + end];
    }
    match code / 100 {
        4 => b"4.0.0",
        5 => b"5.0.0",
        _ => b"",
    }
}

fn utf8_prefix(bytes: &[u8]) -> &str {
    bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid())
}
