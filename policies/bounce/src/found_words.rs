//! For tests: asks of words in a text what they mean where they stand.

use std::ops::Range;

/// Whether the answer is the same for each text and for the words that a pattern found in it.
pub(crate) fn expect_all(ask: impl Fn(&[u8], &Range<usize>) -> bool, answer: bool, texts: &[(&str, &str)]) {
    for (text, found) in texts {
        let start = text.find(found).unwrap_or_else(|| panic!("{found} is not in {text}"));
        assert_eq!(ask(text.as_bytes(), &(start..start + found.len())), answer, "{text}");
    }
}
