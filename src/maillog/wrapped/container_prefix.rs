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
    service(&without_colours(line)).map(<[u8]>::to_vec)
}

/// The line without a byte order mark, colours, tabs, and brackets around its stamp; None if it has
/// none of them.
pub(crate) fn undecorated(line: &[u8]) -> Option<Vec<u8>> {
    if let Some(marked) = line.strip_prefix(b"\xef\xbb\xbf") {
        return Some(marked.to_vec());
    }
    let plain = without_colours(line);
    let has_tab = memchr(b'\t', &plain[..plain.len().min(LONGEST)]).is_some();
    let bracketed = bracketed_stamp(&plain);
    let is_changed = matches!(plain, Cow::Owned(_)) || has_tab || bracketed.is_some();
    is_changed.then(|| {
        let mut line = bracketed.unwrap_or_else(|| plain.into_owned());
        line.iter_mut().filter(|byte| **byte == b'\t').for_each(|byte| *byte = b' ');
        line
    })
}

/// `2026-01-02 03:04:05 line` of `[2026-01-02 03:04:05] line`.
fn bracketed_stamp(line: &[u8]) -> Option<Vec<u8>> {
    let close = memmem::find(&line[..line.len().min(LONGEST)], b"] ")?;
    let stamp = line.strip_prefix(b"[")?.get(..close.checked_sub(1)?)?;
    let has_time = stamp.windows(3).any(|part| part[0] == b':' && part[1..].iter().all(u8::is_ascii_digit));
    has_time.then(|| [stamp, &line[close + 1..]].concat())
}

/// The time and the line of Kubernetes (CRI) and of `docker logs -t`: `2026-01-02T03:04:05.678Z
/// stdout F line`.
pub(crate) fn stream(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = match line {
        [b'1' | b'2', _, _, _, b'-', _, _, b'-', _, _, b'T' | b'_', ..] => memchr(b' ', line)?,
        [b'1' | b'2', _, _, _, b'-', _, _, b'-', _, _, b' ', time @ ..] => 11 + memchr(b' ', time)?,
        _ => return None,
    };
    let (stamp, rest) = (&line[..end], line[end + 1..].trim_ascii_start());
    let streams: [&[u8]; 4] = [b"stdout F ", b"stderr F ", b"stdout P ", b"stderr P "];
    let found = streams.iter().find_map(|stream| rest.strip_prefix(*stream));
    Some((stamp, found.unwrap_or(rest)))
}

/// What follows the name of a service.
fn service(line: &[u8]) -> Option<&[u8]> {
    let head = &line[..line.len().min(LONGEST)];
    if head.first() == Some(&b'[') && bracketed_stamp(line).is_none() {
        let close = memmem::find(head, b"] ")?;
        return is_name(&head[1..close]).then_some(line[close + 2..].trim_ascii_start());
    }
    let bar = memchr(b'|', head)?;
    let name = head[..bar].strip_suffix(b" ")?.trim_ascii_end();
    let rest = &line[bar + 1..];
    is_name(name).then_some(rest.strip_prefix(b" ").unwrap_or(rest))
}

fn is_name(name: &[u8]) -> bool {
    let may_be_in_one = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_./@: ".contains(byte);
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
