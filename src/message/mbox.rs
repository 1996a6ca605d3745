//! Files that hold several messages (mbox, RFC 4155): where each message is, and its bytes without
//! the quoting that mbox adds.
//!
//! Not here: envelopes (`intake::formats`). Invariant: the parts are the file, in order, each byte
//! once.

use super::headers::{line_end, without_line_end};
use std::ops::Range;

/// A message in an mbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MboxPart {
    /// The `From ` line before the message.
    pub(crate) from_line: Range<usize>,
    /// The message itself.
    pub(crate) message: Range<usize>,
}

pub(crate) fn is_mbox(file: &[u8]) -> bool {
    file.starts_with(b"From ")
}

/// The messages of an mbox: each begins after a blank line and a `From ` line, with a header field.
pub(crate) fn split(file: &[u8]) -> MboxParts<'_> {
    MboxParts { file, at: 0, after_blank: true, begun: None }
}

/// The messages of an mbox, in order.
pub(crate) struct MboxParts<'f> {
    file: &'f [u8],
    at: usize,
    after_blank: bool,
    /// The `From ` line of the message that was begun.
    begun: Option<Range<usize>>,
}

impl Iterator for MboxParts<'_> {
    type Item = MboxPart;

    fn next(&mut self) -> Option<MboxPart> {
        while self.at < self.file.len() {
            let start = self.at;
            let end = line_end(self.file, start);
            let line = without_line_end(&self.file[start..end]);
            let begins = || self.begun.is_none() || starts_field(&self.file[end..]);
            let separates = self.after_blank && is_mbox(line) && begins();
            (self.after_blank, self.at) = (line.is_empty(), end);
            if separates && let Some(from_line) = self.begun.replace(start..end) {
                return Some(MboxPart { message: from_line.end..start, from_line });
            }
        }
        let from_line = self.begun.take()?;
        Some(MboxPart { message: from_line.end..self.file.len(), from_line })
    }
}

/// Whether a field name and a colon are next; a sentence in a body that begins with "From" has
/// none.
fn starts_field(bytes: &[u8]) -> bool {
    bytes.iter().take(60).find(|byte| !byte.is_ascii_graphic() || **byte == b':') == Some(&b':')
}

/// A message without the `>` that mbox puts before lines that begin with `From `.
pub(crate) fn unquoted(message: &[u8]) -> Vec<u8> {
    let mut unquoted = Vec::with_capacity(message.len());
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        let bare = line.iter().position(|&byte| byte != b'>').unwrap_or(0);
        let quoted = bare > 0 && is_mbox(&line[bare..]);
        unquoted.extend_from_slice(if quoted { &line[1..] } else { line });
    }
    unquoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_begin_after_a_blank_line_with_a_header() {
        let file = b"From a Tue\r\nA: 1\r\n\r\nFrom here on text\r\n\r\nFrom b Tue\r\nB: 2\r\n";
        let parts: Vec<MboxPart> = split(file).collect();
        let texts: Vec<&[u8]> = parts.iter().map(|part| &file[part.message.clone()]).collect();
        assert_eq!(texts, [&b"A: 1\r\n\r\nFrom here on text\r\n\r\n"[..], b"B: 2\r\n"]);
        assert_eq!(parts[1].from_line, 41..53);
        assert_eq!(split(b"A: 1\n\nno mbox\n").next(), None);
    }

    #[test]
    fn one_quotation_mark_is_removed() {
        assert_eq!(unquoted(b">From x\n>>From y\n> From z\n>"), b"From x\n>From y\n> From z\n>");
    }
}
