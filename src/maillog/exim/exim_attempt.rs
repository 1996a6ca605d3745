//! An attempt: `=> user@example.com <alias@example.org> R=dnslookup T=remote_smtp H=mx.example.com
//! [192.0.2.1] X=TLS1.3:…:256 CV=no C="250 OK"`, and what failed after a colon.
//!
//! Not here: the flag in front. Invariant: what a server replied is kept as it was logged.

use super::exim_fields::{EximField, EximFields, quoted_length};
use crate::maillog::postfix::{Attempt, AttemptResult, address, enhanced};
use memchr::memmem;

/// No host is tried again before its time.
const NOT_YET: &[u8] = b"retry time not reached";

/// What Exim shows in place of an address whose mail it throws away.
const BLACKHOLE: &[u8] = b":blackhole:";

/// Whom a line is about, and what follows.
pub(super) struct EximRecipient<'a> {
    /// The address in the end; a local user, a file, a pipe, or `:blackhole:`.
    shown: &'a [u8],
    /// The address as it came in.
    original: Option<&'a [u8]>,
    rest: &'a [u8],
}

impl<'a> EximRecipient<'a> {
    /// Reads what follows the flag.
    pub(super) fn read(text: &'a [u8]) -> EximRecipient<'a> {
        const ENDS: [&[u8]; 10] =
            [b" <", b" (", b" Q=", b" R=", b" F=<", b" P=<", b" T=", b" defer (", b" routing defer (", b": "];
        let from = opening_length(text);
        let end = ENDS.iter().filter_map(|end| memmem::find(&text[from..], end)).min();
        let end = end.map_or(text.len(), |end| from + end);
        let (shown, rest) = text.split_at(end);
        // `(b@example.org, c@example.org)`: the addresses between the first and the last.
        let between = rest.starts_with(b" (").then(|| memmem::find(rest, b") <")).flatten();
        let rest = between.map_or(rest, |end| &rest[end + 1..]);
        let ancestor = rest.strip_prefix(b" <").and_then(|after| {
            let ends = [&b" "[..], b": "].into_iter();
            let close = ends.filter_map(|end| Some(address(after, end)?.0.len())).min();
            let close = close.or_else(|| after.strip_suffix(b">").map(<[u8]>::len))?;
            Some((&after[..close], &after[close + 1..]))
        });
        match ancestor {
            Some((original, rest)) => EximRecipient { shown, original: Some(original), rest },
            None => EximRecipient { shown, original: None, rest },
        }
    }

    pub(super) fn is_blackhole(&self) -> bool {
        self.shown == BLACKHOLE
    }

    /// The recipient after aliases, and as it came in if that differs. Exim shows a quoted local
    /// part without its quotes, and a local user without a domain.
    pub(super) fn addresses(&self) -> (&'a [u8], Option<&'a [u8]>) {
        let Some(original) = self.original else { return (self.shown, None) };
        let is_address =
            self.shown.contains(&b'@') && !matches!(self.shown.first(), Some(b'|' | b'/' | b'>'));
        let unquoted = || original.iter().filter(|byte| !matches!(byte, b'"' | b'\\'));
        match is_address && !unquoted().eq(self.shown.iter()) {
            true if original.eq_ignore_ascii_case(self.shown) => (original, None),
            true => (self.shown, Some(original)),
            false => (original, None),
        }
    }
}

/// The beginning of an address, or of a command, in which nothing ends it: `:blackhole:`, and what
/// is in quotes.
fn opening_length(text: &[u8]) -> usize {
    if text.starts_with(BLACKHOLE) {
        return BLACKHOLE.len();
    }
    let quoted = usize::from(text.starts_with(b"|"));
    match text.get(quoted) {
        Some(b'"') => quoted + quoted_length(&text[quoted..]),
        _ => 0,
    }
}

/// None if nothing was tried.
pub(super) fn read<'a>(result: AttemptResult, text: &'a [u8]) -> Option<Attempt<'a>> {
    let found = EximRecipient::read(text);
    let (recipient, original_recipient) = found.addresses();
    let (delay, delays): (&[u8], &[u8]) = (b"", b"");
    let mut attempt = Attempt {
        recipient,
        original_recipient,
        relay: b"",
        delay,
        delays,
        tls: b"",
        dsn: b"",
        result,
        reply: b"",
        transport: b"",
    };
    let (mut host, mut is_encrypted, mut verified): (&[u8], bool, &[u8]) = (b"", false, b"");
    let (mut fields, mut before) = (EximFields::new(found.rest), EximField::Word(b""));
    while let Some(field) = fields.next() {
        match field {
            EximField::Value(b"T", transport) => attempt.transport = transport,
            EximField::Value(b"H", named) => host = named.strip_suffix(b"*").unwrap_or(named),
            EximField::Value(b"X", _) => is_encrypted = true,
            EximField::Value(b"CV", value) => verified = value,
            EximField::Value(b"C", quoted) => attempt.reply = unquoted(quoted),
            EximField::Text(text) if result == AttemptResult::Deferred && text.starts_with(NOT_YET) => {
                return None;
            }
            EximField::Text(text) => {
                let (said, more) = if is_system_error(before) { before_host(text) } else { (text, None) };
                attempt.reply = reply(said);
                fields = more.map_or(fields, EximFields::new);
            }
            EximField::Value(..) | EximField::Word(_) => {}
        }
        before = field;
    }
    attempt.relay = if host.is_empty() { attempt.transport } else { host };
    attempt.tls = match verified {
        _ if host.is_empty() => b"",
        b"yes" if is_encrypted => b"verify",
        b"dane" if is_encrypted => b"dane",
        _ if is_encrypted => b"encrypt",
        _ if result == AttemptResult::Sent => b"none",
        _ => b"",
    };
    attempt.dsn = enhanced(attempt.reply);
    let is_over = memmem::find(attempt.reply, b"retry timeout exceeded").is_some();
    if result == AttemptResult::Bounced && is_over {
        attempt.result = AttemptResult::Expired;
    }
    Some(attempt)
}

/// Whether it is `(111)`, an error of the system. Exim's own errors are negative.
fn is_system_error(field: EximField<'_>) -> bool {
    let EximField::Word(word) = field else { return false };
    let number = word.strip_prefix(b"(").and_then(|rest| rest.strip_suffix(b")"));
    number.is_some_and(|number| !number.is_empty() && number.iter().all(u8::is_ascii_digit))
}

/// `Connection refused` in `Connection refused H=mx.example.com [192.0.2.1]:25: more`, and the
/// fields after it.
fn before_host(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    match memmem::find(text, b" H=") {
        Some(end) => (&text[..end], Some(&text[end..])),
        None => (text, None),
    }
}

fn unquoted(quoted: &[u8]) -> &[u8] {
    let open = quoted.strip_prefix(b"\"").unwrap_or(quoted);
    open.strip_suffix(b"\"").unwrap_or(open)
}

/// What the server replied in `SMTP error from remote mail server after RCPT TO:<…>: 550 text`;
/// else the whole text.
fn reply(text: &[u8]) -> &[u8] {
    let text = without_time(text);
    let is_reply = |rest: &[u8]| rest.len() > 3 && rest[..3].iter().all(u8::is_ascii_digit);
    let after = memmem::find(&text[..text.len().min(64)], b" error from remote mail server after ");
    let Some(after) = after else { return text };
    let mut from = after;
    while let Some(colon) = memmem::find(&text[from..], b": ") {
        from += colon + 2;
        if is_reply(&text[from..]) {
            return &text[from..];
        }
    }
    text
}

/// A text without ` DT=0.100s`, the time that the attempt took.
fn without_time(text: &[u8]) -> &[u8] {
    let Some(at) = memmem::rfind(text, b" DT=") else { return text };
    let is_time =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b's' | b'm' | b'h' | b'd' | b'w');
    if text[at + 4..].iter().all(is_time) { &text[..at] } else { text }
}
