//! An attempt: `=> user@example.com <alias@example.org> R=dnslookup T=remote_smtp H=mx.example.com
//! [192.0.2.1] X=TLS1.3:…:256 CV=no C="250 OK"`, and what failed after a colon.
//!
//! Not here: the flag in front. Invariant: what a server replied is kept as it was logged; what is
//! within a quoted local part, which Exim shows without its quotes, names nobody and ends nothing.

use super::exim_fields::{EximField, EximFields, quoted_length};
use crate::maillog::postfix::{Attempt, AttemptResult, address, enhanced};
use memchr::{memchr, memmem, memrchr};

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
        if let Some((original, rest)) = shown_without_quotes(text) {
            return EximRecipient { shown: original, original: None, rest };
        }
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

/// The quoted address of a recipient that is shown without its quotes, and what follows it:
/// `a b@example.com <"a b"@example.com> R=…`. What a stranger puts into the quotes may look like
/// such a place too, so the last one is the one that Exim wrote.
fn shown_without_quotes(text: &[u8]) -> Option<(&[u8], &[u8])> {
    memmem::rfind_iter(text, b" <").find_map(|at| {
        let local = &text[..memrchr(b'@', &text[..at])?];
        let after = &text[at + 2..];
        let begins = length_of_quoted(after, local)?;
        let close = begins + memchr(b'>', &after[begins..])?;
        Some((&after[..close], &after[close + 1..]))
    })
}

/// The length of a local part in quotes, or partly in quotes, that means this one and is before an
/// `@`.
fn length_of_quoted(text: &[u8], local: &[u8]) -> Option<usize> {
    let is_quoting = |byte: u8| matches!(byte, b'"' | b'\\');
    let mut shown = local.iter().filter(|byte| !is_quoting(**byte));
    for (at, byte) in text.iter().enumerate().filter(|(_, byte)| !is_quoting(**byte)) {
        match shown.next() {
            Some(wanted) if wanted.eq_ignore_ascii_case(byte) => {}
            None if *byte == b'@' && text[..at].contains(&b'"') => return Some(at),
            _ => return None,
        }
    }
    None
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
    attempt.dsn = enhanced(said_by_server(attempt.reply).1.unwrap_or(attempt.reply));
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
/// else the whole text. After another command the words before the reply stay: what is said before
/// a recipient is named is not about it.
fn reply(text: &[u8]) -> &[u8] {
    let text = without_time(text);
    match said_by_server(text) {
        (Some(command), Some(said)) if is_about_recipient(command) => said,
        _ => text,
    }
}

/// The command that was answered, as Exim names it, and the answer.
fn said_by_server(text: &[u8]) -> (Option<&[u8]>, Option<&[u8]>) {
    const INTRODUCTION: &[u8] = b" error from remote mail server after ";
    let is_reply = |rest: &[u8]| rest.len() > 3 && rest[..3].iter().all(u8::is_ascii_digit);
    let Some(after) = memmem::find(&text[..text.len().min(64)], INTRODUCTION) else { return (None, None) };
    let (start, mut from) = (after + INTRODUCTION.len(), after);
    while let Some(colon) = memmem::find(&text[from..], b": ") {
        from += colon + 2;
        if is_reply(&text[from..]) {
            return (text.get(start..from - 2), Some(&text[from..]));
        }
    }
    (None, None)
}

/// Whether a command names the recipient, or comes after one that does.
fn is_about_recipient(command: &[u8]) -> bool {
    const COMMANDS: [&[u8]; 5] = [b"RCPT", b"DATA", b"BDAT", b"end of data", b"sending data block"];
    let command = command.strip_prefix(b"pipelined ").unwrap_or(command);
    COMMANDS.iter().any(|start| command.starts_with(start))
}

/// A text without ` DT=0.100s`, the time that the attempt took.
fn without_time(text: &[u8]) -> &[u8] {
    let Some(at) = memmem::rfind(text, b" DT=") else { return text };
    let is_time =
        |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b's' | b'm' | b'h' | b'd' | b'w');
    if text[at + 4..].iter().all(is_time) { &text[..at] } else { text }
}
