//! The text of a part as lines, each with its place in the message.
//!
//! Not here: what the lines say. Invariant: CRLF, LF and CR all end a line; HTML gives the lines
//! that a reader sees; the text and the number of lines are bounded.

use super::html_text;
use crate::message::{MimePart, decode};
use memchr::{memchr_iter, memchr2};
use std::borrow::Cow;

/// Text for people is read up to this many bytes, as they are in the message.
pub(crate) const MAX_NOTICE: usize = 1024 * 1024;
/// Fields for programs are read up to this many bytes.
pub(crate) const MAX_FIELDS: usize = 8 * 1024 * 1024;
/// A longer line is read as several.
const MAX_LINE: usize = 8 * 1024;
/// Lines of a part that are read, at most.
const MAX_LINES: usize = 100_000;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NumberedLine<'a> {
    /// Without its end and the space before that.
    pub(crate) text: &'a str,
    /// Its number in the message; of an encoded part, where that part starts.
    pub(crate) number: u32,
}

impl<'a> NumberedLine<'a> {
    /// Without the space at its beginning.
    pub(crate) fn trimmed(&self) -> &'a str {
        self.text.trim_start()
    }

    /// How far it is indented. A tab counts as eight.
    pub(crate) fn indent(&self) -> usize {
        let space = self.text.bytes().take_while(|&byte| matches!(byte, b' ' | b'\t'));
        space.map(|byte| if byte == b'\t' { 8 } else { 1 }).sum()
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.text.is_empty()
    }
}

/// The text of a part.
#[derive(Debug)]
pub(crate) struct PartText<'a> {
    text: Cow<'a, str>,
    first: u32,
    counts: bool,
}

impl<'a> PartText<'a> {
    /// The first `limit` bytes of a part of the message `raw`.
    pub(crate) fn of(part: &MimePart<'a>, raw: &[u8], limit: usize) -> PartText<'a> {
        let body = &part.body[..part.body.len().min(limit)];
        let (bytes, _) = decode::transfer(part.encoding, body);
        let encoded = matches!(bytes, Cow::Owned(_));
        let label = part.content_type.parameter("charset");
        let plain = label.is_none_or(|label| {
            ["us-ascii", "utf-8", "ascii"].iter().any(|name| label.eq_ignore_ascii_case(name))
        });
        let label = if plain && std::str::from_utf8(&bytes).is_err() { Some("windows-1252") } else { label };
        let (text, _) = decode::charset(label, bytes);
        let html = part.content_type.kind == "text/html";
        let html = html
            && ["<br", "<BR", "<p", "<P", "<div", "<DIV", "<td", "<TD"].iter().any(|tag| text.contains(tag));
        let text = if html { Cow::Owned(html_text::shown(&text)) } else { text };
        PartText { text, first: number_of(raw, part.body), counts: !encoded && !html }
    }

    #[cfg(test)]
    /// Of this text, which begins on a line.
    pub(crate) fn plain(text: &'a str, first: u32) -> PartText<'a> {
        PartText { text: Cow::Borrowed(text), first, counts: true }
    }

    /// All of it.
    pub(crate) fn whole(&self) -> &str {
        &self.text
    }

    /// Its lines.
    pub(crate) fn lines(&self) -> Vec<NumberedLine<'_>> {
        self.lines_without(char::is_whitespace)
    }

    /// Its lines where they are fields for programs. Blanks beyond ASCII are kept: they may be part
    /// of an address.
    pub(crate) fn field_lines(&self) -> Vec<NumberedLine<'_>> {
        self.lines_without(|c| matches!(c, ' ' | '\t'))
    }

    /// Its lines without such characters at their ends.
    fn lines_without(&self, is_blank: fn(char) -> bool) -> Vec<NumberedLine<'_>> {
        let mut rest: &str = &self.text;
        let mut lines = Vec::with_capacity(memchr_iter(b'\n', rest.as_bytes()).count().min(MAX_LINES) + 1);
        while !rest.is_empty() && lines.len() < MAX_LINES {
            let bytes = rest.as_bytes();
            let part = &bytes[..bytes.len().min(MAX_LINE)];
            let end = memchr2(b'\n', b'\r', part).unwrap_or_else(|| whole(rest, part.len()));
            let returns = bytes[end..].iter().take(3).take_while(|&&byte| byte == b'\r').count();
            let next = match bytes.get(end + returns) {
                Some(b'\n') => end + returns + 1,
                _ => end + returns.min(1),
            };
            let past = if self.counts { u32::try_from(lines.len()).unwrap_or(u32::MAX) } else { 0 };
            let text = rest[..end].trim_end_matches(is_blank);
            lines.push(NumberedLine { text, number: self.first.saturating_add(past) });
            rest = &rest[next..];
        }
        lines
    }
}

/// The last place up to `at` between two characters.
fn whole(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The number of the line of a message where a piece of it starts.
pub(crate) fn number_of(raw: &[u8], piece: &[u8]) -> u32 {
    let offset = (piece.as_ptr() as usize).wrapping_sub(raw.as_ptr() as usize);
    count(raw.get(..offset).unwrap_or_default()).saturating_add(1)
}

/// How many lines end in a text.
pub(crate) fn count(raw: &[u8]) -> u32 {
    u32::try_from(memchr_iter(b'\n', raw).count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(u32, String)> {
        PartText::plain(text, 5).lines().iter().map(|line| (line.number, line.text.to_owned())).collect()
    }

    #[test]
    fn every_line_end_is_one() {
        let want: Vec<(u32, String)> =
            [(5, "a"), (6, ""), (7, " b"), (8, "c"), (9, "d")].map(|(n, t)| (n, t.into())).into();
        assert_eq!(texts("a\r\n\r\n b \nc\rd"), want);
        assert_eq!(texts("a\r\r\n\r\r\n b\r\r\nc\nd\n"), want);
    }
}
