//! A delivery attempt: `to=<…>, orig_to=<…>, relay=…, delay=…, delays=a/b/c/d, tls=…, dsn=…,
//! status=sent (text)`.
//!
//! Not here: earlier attempts. Invariant: addresses end where Postfix ends them, whatever they
//! contain, and the reply, which comes last, is never searched for fields. Of a line that can be
//! read in two ways, nobody is the recipient.

use super::line_end::without_line_end;
use super::session_envelope::address;
use crate::maillog::logged_status::LoggedStatus;
use memchr::memchr;
use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Where a recipient ends, for what looks for another end of it in each line.
static END_OF_RECIPIENT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b">, relay="));

/// What Postfix logs about one recipient after trying it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attempt<'a> {
    /// The recipient after aliases and rewriting.
    pub(crate) recipient: &'a [u8],
    /// The recipient as it came in, if aliases changed it.
    pub(crate) original_recipient: Option<&'a [u8]>,
    /// Next hop (`mx.example.com[192.0.2.1]:25`) or transport (`local`); empty for `none`.
    pub(crate) relay: &'a [u8],
    /// Seconds since the message arrived, as Postfix rounds them.
    pub(crate) delay: &'a [u8],
    /// Seconds before the queue manager, in it, for the connection and the transmission: `a/b/c/d`.
    pub(crate) delays: &'a [u8],
    /// The TLS level, which Postfix logs since 3.11: `dane`, `encrypt/(requiretls)`.
    pub(crate) tls: &'a [u8],
    /// Enhanced status code (RFC 3463).
    pub(crate) dsn: &'a [u8],
    pub(crate) result: AttemptResult,
    /// The text in parentheses: the remote server's reply, or Postfix's own text.
    pub(crate) reply: &'a [u8],
    /// Exim's transport; empty for Postfix, whose program names it.
    pub(crate) transport: &'a [u8],
}

/// The word after `status=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AttemptResult {
    /// Delivered, or handed on.
    Sent,
    /// Returned to the sender.
    Bounced,
    /// To be tried again; also a bounce under `soft_bounce`.
    Deferred,
    /// Given up because it is too old.
    Expired,
    /// An address was probed (verify(8), `sendmail -bv`) and is valid; nothing was delivered.
    Deliverable,
    /// An address was probed and is invalid.
    Undeliverable,
}

impl AttemptResult {
    /// The status of the recipient; None where an address was only probed.
    pub(crate) fn status(self) -> Option<LoggedStatus> {
        match self {
            AttemptResult::Sent => Some(LoggedStatus::Sent),
            AttemptResult::Bounced => Some(LoggedStatus::Bounced),
            AttemptResult::Deferred => Some(LoggedStatus::Deferred),
            AttemptResult::Expired => Some(LoggedStatus::Expired),
            AttemptResult::Deliverable | AttemptResult::Undeliverable => None,
        }
    }
}

impl<'a> Attempt<'a> {
    /// Reads what follows `to=<`.
    pub(crate) fn read(text: &'a [u8]) -> Option<Attempt<'a>> {
        let (recipient, mut rest) = address(text, b", ")?;
        let mut attempt = Attempt {
            recipient,
            original_recipient: None,
            relay: b"",
            delay: b"",
            delays: b"",
            tls: b"",
            dsn: b"",
            result: AttemptResult::Sent,
            reply: b"",
            transport: b"",
        };
        if let Some(after) = rest.strip_prefix(b"orig_to=<") {
            let original;
            (original, rest) = address(after, b", ")?;
            attempt.original_recipient = Some(original);
        }
        if let Some(doubtful) = doubtful_recipient(text, rest) {
            (attempt.recipient, attempt.original_recipient) = (doubtful, None);
        }
        loop {
            let (field, after): (Option<&mut &[u8]>, &[u8]) =
                if let Some(after) = rest.strip_prefix(b"status=") {
                    let end = near(b' ', after).unwrap_or(after.len());
                    attempt.result = result(&after[..end])?;
                    attempt.reply = reply(&after[end..]);
                    return Some(attempt);
                } else if let Some(after) = rest.strip_prefix(b"relay=") {
                    let comma = memchr(b',', after)?;
                    attempt.relay = if after.starts_with(b"none,") { b"" } else { &after[..comma] };
                    (None, &after[comma..])
                } else if let Some(after) = rest.strip_prefix(b"delay=") {
                    (Some(&mut attempt.delay), after)
                } else if let Some(after) = rest.strip_prefix(b"delays=") {
                    (Some(&mut attempt.delays), after)
                } else if let Some(after) = rest.strip_prefix(b"dsn=") {
                    (Some(&mut attempt.dsn), after)
                } else if let Some(after) = rest.strip_prefix(b"tls=") {
                    (Some(&mut attempt.tls), after)
                } else {
                    // `conn_use=`, and fields of other versions.
                    let equals = near(b'=', &rest[..rest.len().min(40)])?;
                    (None, &rest[equals + 1..])
                };
            let comma = near(b',', after)?;
            if let Some(field) = field {
                *field = &after[..comma];
            }
            rest = after[comma..].strip_prefix(b", ")?;
        }
    }
}

/// What may be the recipient, if there is another end of it after the first, which `rest` follows.
/// Without the quotes of the external form (`info_log_address_format = internal`, and before
/// Postfix 3.5), what a stranger puts into a local part looks like the rest of a line. The longest
/// one is no mailbox, so nothing follows from it.
fn doubtful_recipient<'a>(text: &'a [u8], rest: &[u8]) -> Option<&'a [u8]> {
    let more = END_OF_RECIPIENT.find(rest)?;
    Some(&text[..text.len() - rest.len() + more])
}

/// Finds a byte that is most likely among the first ones, where `memchr` would be slower.
fn near(byte: u8, text: &[u8]) -> Option<usize> {
    text.iter().position(|&other| other == byte)
}

fn result(word: &[u8]) -> Option<AttemptResult> {
    Some(match word {
        b"sent" => AttemptResult::Sent,
        b"bounced" => AttemptResult::Bounced,
        b"deferred" | b"SOFTBOUNCE" => AttemptResult::Deferred,
        b"expired" => AttemptResult::Expired,
        b"deliverable" => AttemptResult::Deliverable,
        b"undeliverable" => AttemptResult::Undeliverable,
        _ => return None,
    })
}

/// ` (text)` without the parentheses; a line that was cut may lack the closing one.
fn reply(rest: &[u8]) -> &[u8] {
    match rest.strip_prefix(b" (") {
        Some(text) => without_line_end(text.strip_suffix(b")").unwrap_or(text)),
        None => b"",
    }
}
