//! What Postfix, a milter or postscreen does with a message or a recipient before any delivery: `reject: RCPT
//! from host[address]: 554 5.7.1 text; from=<…> to=<…> proto=ESMTP helo=<…>`, and what header_checks and
//! body_checks say: `info: header client-id: value from host[address]; from=<…> …: text`.
//!
//! Not here: which message it was. Invariant: the action is Postfix's first word, never one from the quoted
//! text.

use super::session_envelope::{self, SessionEnvelope};
use crate::maillog::delivery::DeliveryStatus;
use memchr::{memchr, memmem};

/// The word before the first colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EarlyAction {
    /// `reject`, `milter-reject`: refused, for now or for good, as the reply says.
    Reject,
    /// `hold`, `milter-hold`, `milter-quarantine`: accepted and put on hold.
    Hold,
    /// `discard`, `milter-discard`: accepted and thrown away.
    Discard,
    /// `info`, `warn`, `filter`, `redirect`, `prepend`, `replace`, `reject_warning` …: the message goes on.
    Note,
}

impl EarlyAction {
    /// The status of what was decided about; None if it goes on.
    pub(crate) fn status(self) -> Option<DeliveryStatus> {
        match self {
            EarlyAction::Reject => Some(DeliveryStatus::Rejected),
            EarlyAction::Hold => Some(DeliveryStatus::Held),
            EarlyAction::Discard => Some(DeliveryStatus::Discarded),
            EarlyAction::Note => None,
        }
    }
}

/// A decision on a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionDecision<'a> {
    /// What was decided.
    pub(crate) action: EarlyAction,
    /// When in the session: `CONNECT`, `MAIL`, `RCPT`, `END-OF-MESSAGE` …
    pub(crate) stage: &'a [u8],
    /// `host[address]`, or `[address]:port` in postscreen.
    pub(crate) client: &'a [u8],
    /// Enhanced status code, if the reply has one.
    pub(crate) dsn: &'a [u8],
    /// The reply, with its code.
    pub(crate) reply: &'a [u8],
    /// Who sent to whom, so far as it was known.
    pub(crate) envelope: SessionEnvelope<'a>,
}

/// A decision on a header or body line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderDecision<'a> {
    /// What was decided.
    pub(crate) action: EarlyAction,
    /// The header's name; empty for a body line.
    pub(crate) name: &'a [u8],
    /// The header's text, up to where Postfix says from whom it came.
    pub(crate) value: &'a [u8],
    /// Enhanced status code of a rejection.
    pub(crate) dsn: &'a [u8],
    /// The text of the table.
    pub(crate) reply: &'a [u8],
    /// Who sent to whom, so far as it was known.
    pub(crate) envelope: SessionEnvelope<'a>,
}

/// Either, as one line has it.
pub(crate) enum EarlyDecision<'a> {
    Session(SessionDecision<'a>),
    Header(HeaderDecision<'a>),
}

/// Reads what follows the queue id, if it begins with an action.
pub(crate) fn read(text: &[u8]) -> Option<EarlyDecision<'_>> {
    let colon = memchr(b':', &text[..text.len().min(24)])?;
    let action = action(&text[..colon])?;
    let rest = text[colon + 1..].strip_prefix(b" ")?;
    for kind in [&b"header "[..], b"body ", b"mime-header ", b"nested-header ", b"content "] {
        if let Some(line) = rest.strip_prefix(kind) {
            return Some(EarlyDecision::Header(header(
                action,
                line,
                kind != b"body " && kind != b"content ",
            )));
        }
    }
    // `RCPT from host[address]: `; a stage may have two words.
    let from = memmem::find(&rest[..rest.len().min(64)], b" from ")?;
    let (stage, rest) = (&rest[..from], &rest[from + 6..]);
    let colon = memmem::find(rest, b": ").or_else(|| rest.strip_suffix(b":").map(<[u8]>::len))?;
    let (client, rest) = (&rest[..colon], rest.get(colon + 2..).unwrap_or_default());
    let found = session_envelope::find(rest, false).or_else(|| session_envelope::find(rest, true));
    // Before MAIL there is no envelope, only `; proto=SMTP helo=<…>`.
    let session = || memmem::rfind(rest, b"; proto=").map_or(rest, |proto| &rest[..proto]);
    let (before, envelope, after) = found.unwrap_or_else(|| (session(), SessionEnvelope::default(), b""));
    let reply = if before.is_empty() { after } else { before };
    Some(EarlyDecision::Session(SessionDecision {
        action,
        stage,
        client,
        dsn: enhanced(reply),
        reply,
        envelope,
    }))
}

/// `client-id: value from host[address]; from=<…> …: text`.
fn header(action: EarlyAction, line: &[u8], named: bool) -> HeaderDecision<'_> {
    let (before, envelope, reply) =
        session_envelope::find(line, true).unwrap_or((line, SessionEnvelope::default(), b""));
    let before = memmem::rfind(before, b" from ").map_or(before, |from| &before[..from]);
    let (name, value) = match memchr(b':', before).filter(|_| named) {
        Some(colon) => (&before[..colon], before[colon + 1..].trim_ascii()),
        None => (&b""[..], before),
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

/// The enhanced status code of a reply: `5.7.1` in `554 5.7.1 text` and in `5.7.1 text`; made from the class
/// of the code where there is only that.
fn enhanced(reply: &[u8]) -> &[u8] {
    let (code, rest) = match reply {
        [a @ b'2'..=b'5', b, c, b' ' | b'-', rest @ ..] if b.is_ascii_digit() && c.is_ascii_digit() => {
            (*a, rest)
        }
        _ => (0, reply),
    };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit() && *byte != b'.').unwrap_or(rest.len());
    let word = &rest[..end];
    let dots = word.iter().filter(|&&byte| byte == b'.').count();
    if dots == 2 && matches!(word, [b'2' | b'4' | b'5', b'.', ..]) && word.len() <= 9 {
        return word;
    }
    match code {
        b'4' => b"4.0.0",
        b'5' => b"5.0.0",
        _ => b"",
    }
}
