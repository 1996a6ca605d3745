//! Text that crosses between carom and a guest, bounded both ways.
//!
//! Invariant: what a guest says is cleaned here before anything else of carom sees it.

use crate::text::{bounded, one_line};

/// Longest text that crosses in one piece, in bytes.
pub(crate) const MAX_TEXT: usize = 64 << 10;

/// One line of at most `limit` bytes, as headers and logs need it.
pub(crate) fn line(text: &str, limit: usize) -> String {
    one_line(bounded(text, limit))
}

/// At most [`MAX_TEXT`] bytes.
pub(crate) fn shortened(mut text: String) -> String {
    text.truncate(bounded(&text, MAX_TEXT).len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_holds_no_line_break() {
        assert_eq!(line("250 ok\r\nBcc: x\0", 100), "250 ok  Bcc: x ");
        assert_eq!(line("äöü", 3), "ä");
    }
}
