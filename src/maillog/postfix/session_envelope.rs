//! The envelope at the end of a line about a session, `; from=<…> to=<…> proto=ESMTP helo=<…>`, and
//! the addresses in angle brackets of all lines.
//!
//! Not here: what was decided (`early_decision`). Invariant: a quoted local part may contain
//! anything, brackets and fields included, and ends nothing; HELO is a stranger's text and is never
//! searched.

use memchr::{memchr, memmem};

/// The sender and the recipient of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SessionEnvelope<'a> {
    /// Empty for the null sender.
    pub(crate) sender: Option<&'a [u8]>,
    /// The recipient that the line is about, if it is about one.
    pub(crate) recipient: Option<&'a [u8]>,
}

/// An envelope, and the text around it.
pub(crate) struct FoundEnvelope<'a> {
    pub(crate) before: &'a [u8],
    pub(crate) envelope: SessionEnvelope<'a>,
    pub(crate) after: &'a [u8],
}

/// The address before `>` and `end`, and what follows `end`. The text starts after `<`.
pub(crate) fn address<'a>(text: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let close = closing_bracket(text, |after| after.starts_with(end))?;
    Some((&text[..close], &text[close + 1 + end.len()..]))
}

/// Where the bracket is that ends an address, if `may_follow` accepts what follows it.
fn closing_bracket(text: &[u8], may_follow: impl Fn(&[u8]) -> bool) -> Option<usize> {
    let mut from = 0;
    if text.first() == Some(&b'"') {
        // A quoted string ends the address only after its closing quote. Without one, or if no
        // domain follows it, it is not a quoted string.
        let mut at = 1;
        while at < text.len() && text[at] != b'"' {
            at += 1 + usize::from(text[at] == b'\\');
        }
        from = if matches!(text.get(at + 1), Some(b'@' | b'>')) { at } else { 0 };
    }
    loop {
        let close = from + memchr(b'>', text.get(from..)?)?;
        if may_follow(&text[close + 1..]) {
            return Some(close);
        }
        from = close + 1;
    }
}

const START: &[u8] = b"; from=<";
/// At most this many beginnings of an envelope are tried; real lines have one.
const CANDIDATES: usize = 16;

/// Where Postfix's own text is in a line with an envelope.
#[derive(Clone, Copy, PartialEq)]
enum OwnText {
    Before,
    After,
}

/// Finds an envelope that reaches to the end, as smtpd and postscreen write it. What is before it
/// quotes addresses, so the first candidate that reaches to the end is taken.
pub(crate) fn find_at_end(text: &[u8]) -> Option<FoundEnvelope<'_>> {
    memmem::find_iter(text, START).take(CANDIDATES).find_map(|at| read_at(text, at, OwnText::Before))
}

/// Finds an envelope that Postfix's own text follows, as header_checks and milters have it. Before
/// it is a header, which may contain anything, so the last envelope is Postfix's; but one that is
/// followed by more of an envelope is within an address of the real one.
pub(crate) fn find_within(text: &[u8]) -> Option<FoundEnvelope<'_>> {
    memmem::rfind_iter(text, START)
        .take(CANDIDATES)
        .filter_map(|at| read_at(text, at, OwnText::After))
        .find(|found| memmem::find(found.after, b"> proto=").is_none())
}

fn read_at(text: &[u8], at: usize, own: OwnText) -> Option<FoundEnvelope<'_>> {
    let (envelope, rest) = read(&text[at + b"; ".len()..], own)?;
    let after = match rest {
        [] => rest,
        [b':', b' ', after @ ..] if own == OwnText::After => after,
        _ => return None,
    };
    Some(FoundEnvelope { before: &text[..at], envelope, after })
}

/// `from=<…> to=<…> proto=… helo=<…>`, with or without commas. Each field except the first may be
/// missing, and there may be others before the last.
fn read(text: &[u8], own: OwnText) -> Option<(SessionEnvelope<'_>, &[u8])> {
    let mut envelope = SessionEnvelope::default();
    let mut rest = text.strip_prefix(b"from=")?;
    let mut key: &[u8] = b"from";
    loop {
        let value;
        (value, rest) = value_and_rest(rest)?;
        match key {
            b"from" => envelope.sender = Some(value),
            b"to" => envelope.recipient = Some(value),
            _ => {}
        }
        rest = match rest {
            [b',', b' ', after @ ..] | [b' ', after @ ..] => after,
            _ => return Some((envelope, rest)),
        };
        (key, rest) = key_and_rest(rest)?;
        match key {
            b"from" => return None,
            b"helo" => return Some((envelope, after_helo(rest, own))),
            _ => {}
        }
    }
}

/// `proto=`.
fn key_and_rest(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = memchr(b'=', &text[..text.len().min(24)])?;
    let key = &text[..equals];
    let is_key = key.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_');
    is_key.then_some((key, &text[equals + 1..]))
}

/// `<user@example.com>` or `ESMTP`.
fn value_and_rest(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let may_follow = |byte: Option<&u8>| matches!(byte, None | Some(b' ' | b',' | b':'));
    if let Some(bracketed) = text.strip_prefix(b"<") {
        let close = closing_bracket(bracketed, |after| may_follow(after.first()))?;
        return Some((&bracketed[..close], &bracketed[close + 1..]));
    }
    let end = text.iter().position(|byte| may_follow(Some(byte))).unwrap_or(text.len());
    Some(text.split_at(end))
}

/// What follows the last field, which is a stranger's text: it reaches to the end, or to Postfix's
/// own text.
fn after_helo(text: &[u8], own: OwnText) -> &[u8] {
    let close = if own == OwnText::After { memmem::find(text, b">: ") } else { None };
    &text[close.map_or(text.len(), |close| close + 1)..]
}
