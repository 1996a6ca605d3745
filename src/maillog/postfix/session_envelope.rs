//! Addresses between angle brackets, and the envelope at the end of a line about a session:
//! `; from=<…> to=<…> proto=ESMTP helo=<…>`.
//!
//! Invariant: a quoted local part may contain anything, brackets and fields included, and ends nothing.

use memchr::{memchr, memmem};

/// Who sent to whom in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionEnvelope<'a> {
    /// The sender; empty for the null sender.
    pub(crate) sender: Option<&'a [u8]>,
    /// The recipient the line is about, if it is about one.
    pub(crate) recipient: Option<&'a [u8]>,
}

/// The address before `>` and `end`, and what follows `end`. The text starts after `<`.
pub(crate) fn address<'a>(text: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let close = closing(text, |after| after.starts_with(end))?;
    Some((&text[..close], &text[close + 1 + end.len()..]))
}

/// Where the bracket is that ends an address, when `end` can follow.
fn closing(text: &[u8], end: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let mut from = 0;
    if text.first() == Some(&b'"') {
        // A quoted string cannot end the address before its closing quote; one that never closes is no such
        // string.
        let mut at = 1;
        while at < text.len() && text[at] != b'"' {
            at += 1 + usize::from(text[at] == b'\\');
        }
        from = if at < text.len() { at } else { 0 };
    }
    loop {
        let close = from + memchr(b'>', text.get(from..)?)?;
        if end(&text[close + 1..]) {
            return Some(close);
        }
        from = close + 1;
    }
}

/// So many beginnings of an envelope are tried in one line; a true line has one.
const CANDIDATES: usize = 16;

/// Finds the envelope in `text`: what stands before it, the envelope, what stands after it. `tail`: Postfix
/// writes text of its own after the envelope (header_checks and milters do), instead of before it.
pub(crate) fn find(text: &[u8], tail: bool) -> Option<(&[u8], SessionEnvelope<'_>, &[u8])> {
    const START: &[u8] = b"; from=<";
    let read = |at: usize| {
        let (envelope, rest) = read(&text[at + 2..], tail)?;
        let after = match rest {
            [] => rest,
            [b':', b' ', after @ ..] if tail => after,
            _ => return None,
        };
        Some((&text[..at], envelope, after))
    };
    if tail {
        // What stands before is a header, where anything may stand: the last envelope is Postfix's. One that
        // seems to be followed by more of an envelope stands in an address of the true one.
        memmem::rfind_iter(text, START)
            .take(CANDIDATES)
            .filter_map(read)
            .find(|(_, _, after)| memmem::find(after, b"> proto=").is_none())
    } else {
        // What stands before quotes addresses. Only the true envelope reaches to the end of the line.
        memmem::find_iter(text, START).take(CANDIDATES).find_map(read)
    }
}

/// `from=<…> to=<…> proto=… helo=<…>`, with or without commas, each but the first optional, and fields to
/// come before the last.
fn read(text: &[u8], tail: bool) -> Option<(SessionEnvelope<'_>, &[u8])> {
    let mut envelope = SessionEnvelope::default();
    let mut rest = text;
    let mut first = true;
    loop {
        let equals = memchr(b'=', &rest[..rest.len().min(24)])?;
        let (key, after) = (&rest[..equals], &rest[equals + 1..]);
        if !key.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_') || first != (key == b"from") {
            return None;
        }
        first = false;
        if key == b"helo" {
            // The last field is what a stranger says, brackets and fields included: it goes to the end, or to Postfix's own text.
            let end = if tail { memmem::find(after, b">: ").map(|close| close + 1) } else { None };
            return Some((envelope, &after[end.unwrap_or(after.len())..]));
        }
        let value;
        (value, rest) = if let Some(bracketed) = after.strip_prefix(b"<") {
            let close = closing(bracketed, |after| matches!(after.first(), None | Some(b' ' | b',' | b':')))?;
            (&bracketed[..close], &bracketed[close + 1..])
        } else {
            let end = after.iter().position(|byte| matches!(byte, b' ' | b',' | b':')).unwrap_or(after.len());
            after.split_at(end)
        };
        match key {
            b"from" => envelope.sender = Some(value),
            b"to" => envelope.recipient = Some(value),
            _ => {}
        }
        rest = match rest {
            [b',', b' ', after @ ..] | [b' ', after @ ..] => after,
            _ => return Some((envelope, rest)),
        };
    }
}
