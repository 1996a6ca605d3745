//! Where the lines of a piece of a log are.
//!
//! Not here: which pieces there are (`tail`). Invariant: each byte is in one line, or ends one.

use memchr::memchr_iter;
use std::ops::Range;

/// The places of the lines, without their ends. The last one may have none.
pub(super) fn line_places(piece: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let unfinished = (piece.last() != Some(&b'\n') && !piece.is_empty()).then_some(piece.len());
    let mut start = 0;
    memchr_iter(b'\n', piece).chain(unfinished).map(move |end| {
        let place = start..end;
        start = end + 1;
        place
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_needs_no_end_and_may_be_empty() {
        let lines = |text: &'static str| -> Vec<&str> {
            line_places(text.as_bytes()).map(|place| &text[place]).collect()
        };
        assert_eq!(lines("a\n\nbc\n"), ["a", "", "bc"]);
        assert_eq!(lines("a\nb"), ["a", "b"]);
        assert!(lines("").is_empty());
    }
}
