//! What containers put in front of a line: the name of the service, colours, the time and the
//! stream.
//!
//! Not here: JSON (`json_line`). Invariant: a prefix is recognized only at the start of a line.

use memchr::{memchr, memmem};
use std::borrow::Cow;

/// Bytes of the name of a service and the blanks after it.
const LONGEST: usize = 128;

/// The line after `postfix-1  | ` or `[pod/postfix-0/postfix] `, without colours.
pub(crate) fn without_prefix(line: &[u8]) -> Option<Vec<u8>> {
    let plain = without_colours(line);
    match service(&plain) {
        Some(rest) => Some(rest.to_vec()),
        None => matches!(plain, Cow::Owned(_)).then(|| plain.into_owned()),
    }
}

/// The time and the line of Kubernetes (CRI) and of `docker logs -t`: `2026-01-02T03:04:05.678Z
/// stdout F line`.
pub(crate) fn stream(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_time = matches!(line, [b'1' | b'2', _, _, _, b'-', _, _, b'-', _, _, b'T', ..]);
    let space = memchr(b' ', line).filter(|_| is_time)?;
    let (stamp, rest) = (&line[..space], &line[space + 1..]);
    let streams: [&[u8]; 4] = [b"stdout F ", b"stderr F ", b"stdout P ", b"stderr P "];
    let found = streams.iter().find_map(|stream| rest.strip_prefix(*stream));
    Some((stamp, found.unwrap_or(rest)))
}

/// What follows the name of a service.
fn service(line: &[u8]) -> Option<&[u8]> {
    let head = &line[..line.len().min(LONGEST)];
    if head.first() == Some(&b'[') {
        let close = memmem::find(head, b"] ")?;
        return is_name(&head[1..close]).then_some(line[close + 2..].trim_ascii_start());
    }
    let bar = memchr(b'|', head)?;
    let name = head[..bar].strip_suffix(b" ")?.trim_ascii_end();
    let rest = &line[bar + 1..];
    is_name(name).then_some(rest.strip_prefix(b" ").unwrap_or(rest))
}

fn is_name(name: &[u8]) -> bool {
    let may_be_in_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./@:".contains(byte);
    name.iter().any(u8::is_ascii_alphabetic) && name.iter().all(may_be_in_one)
}

/// A line without escape sequences of colours.
fn without_colours(line: &[u8]) -> Cow<'_, [u8]> {
    if memchr(0x1b, line).is_none() {
        return Cow::Borrowed(line);
    }
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(escape) = memchr(0x1b, rest) {
        plain.extend_from_slice(&rest[..escape]);
        let sequence = &rest[escape + 1..];
        let is_end = |byte: &u8| (0x40..=0x7e).contains(byte);
        rest = match sequence.strip_prefix(b"[") {
            Some(parameters) => &parameters[parameters.iter().position(is_end).map_or(0, |end| end + 1)..],
            None => sequence,
        };
    }
    plain.extend_from_slice(rest);
    Cow::Owned(plain)
}
