//! Phrases in a file of data, by their beginnings, and the search for all of them in one pass.
//!
//! The file has sections, each with a head that begins with `==`, folded phrases one a line, and
//! comments. Not here: what a section means (`phrases`, `absence`, `challenge`). Invariant: the
//! index is computed by the compiler, so that it costs nothing when the program starts.

/// Buckets of phrases by their first bytes.
const BUCKETS: usize = 1 << BITS;
const BITS: u32 = 14;

/// The phrases of a file by the bucket of their beginning.
pub(crate) struct PhraseIndex<const COUNT: usize> {
    text: &'static str,
    /// One more than the number of the last phrase in a bucket; 0 for none.
    last: [u16; BUCKETS],
    /// Likewise the one before a phrase in its bucket.
    before: [u16; COUNT],
    /// Where a phrase is in the file, from and to, and its section.
    place: [(u16, u16, u8); COUNT],
}

/// A place where a phrase is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoundPhrase {
    /// The index of its first byte in the folded text.
    pub(crate) start: usize,
    /// The index after its last byte.
    pub(crate) end: usize,
    /// The number of its section, from 0.
    pub(crate) section: usize,
}

/// How many phrases a file has.
pub(crate) const fn count(text: &str) -> usize {
    let (mut count, mut at) = (0, 0);
    while at < text.len() {
        count += is_phrase(text.as_bytes(), at) as usize;
        at = next_line(text.as_bytes(), at);
    }
    count
}

impl<const COUNT: usize> PhraseIndex<COUNT> {
    pub(crate) const fn of(text: &'static str) -> PhraseIndex<COUNT> {
        let mut index =
            PhraseIndex { text, last: [0; BUCKETS], before: [0; COUNT], place: [(0, 0, 0); COUNT] };
        let bytes = text.as_bytes();
        let (mut number, mut at, mut section) = (0, 0, 0);
        while at < bytes.len() {
            let next = next_line(bytes, at);
            if bytes[at] == b'=' {
                section += 1;
            } else if is_phrase(bytes, at) {
                let bucket = bucket(bytes, at);
                index.before[number] = index.last[bucket];
                index.place[number] = (at as u16, (next - 1) as u16, section - 1);
                number += 1;
                index.last[bucket] = number as u16;
            }
            at = next;
        }
        index
    }

    /// Every phrase in a folded text, in order, as `made` makes it; of those that overlap so that
    /// one is part of the other, the longer.
    pub(crate) fn find<T>(&self, folded: &str, made: impl Fn(FoundPhrase) -> T) -> Vec<T> {
        #[cfg(test)]
        crate::message::work::add(folded.len());
        let bytes = folded.as_bytes();
        let mut found: Vec<T> = Vec::new();
        let mut covered = 0;
        let end = bytes.len().saturating_sub(3);
        let mut start = 0;
        while start < end {
            let byte = bytes[start];
            if byte == b' ' || matches!(byte, 0x80..0xc0) {
                start += 1;
                continue;
            }
            if let Some(longest) = self.longest_at(bytes, start).filter(|longest| longest.end > covered) {
                covered = longest.end;
                found.push(made(longest));
            }
            start += 1;
            if byte.is_ascii_alphanumeric() {
                // None begins within a word, nor with what ends it.
                let word = bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
                start += word + 1;
            }
        }
        found
    }

    /// The longest phrase that begins at `start`.
    #[inline]
    fn longest_at(&self, bytes: &[u8], start: usize) -> Option<FoundPhrase> {
        let mut number = self.last[bucket(bytes, start)];
        let mut longest: Option<FoundPhrase> = None;
        while number > 0 {
            let (from, to, section) = self.place[usize::from(number) - 1];
            let phrase = &self.text.as_bytes()[usize::from(from)..usize::from(to)];
            let end = start + phrase.len();
            let ends = bytes[start..].starts_with(phrase) && whole_word(phrase, bytes.get(end).copied());
            if ends && longest.is_none_or(|longest| longest.end < end) {
                longest = Some(FoundPhrase { start, end, section: usize::from(section) });
            }
            number = self.before[usize::from(number) - 1];
        }
        longest
    }
}

/// Whether the line at `at` is neither empty nor a comment nor the head of a section.
const fn is_phrase(text: &[u8], at: usize) -> bool {
    !matches!(text[at], b'\n' | b'#' | b'=')
}

/// Where the line after the one at `at` starts.
const fn next_line(text: &[u8], mut at: usize) -> usize {
    while text[at] != b'\n' {
        at += 1;
    }
    at + 1
}

/// The bucket of the four bytes at `at`.
#[inline]
const fn bucket(bytes: &[u8], at: usize) -> usize {
    let four = u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (four.wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS)) as usize
}

/// Whether a phrase may end before this byte: an English word may not go on, others are declined.
fn whole_word(phrase: &[u8], next: Option<u8>) -> bool {
    let last_is_letter = phrase.last().is_some_and(u8::is_ascii_alphanumeric);
    !(phrase.len() < 12 && last_is_letter && next.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fold::folded;

    const TEXT: &str = "# words\n== one\nred shoe\nred shoes for\n\n== two\nblue\n";
    static INDEX: PhraseIndex<{ count(TEXT) }> = PhraseIndex::of(TEXT);

    #[test]
    fn the_longest_of_those_that_overlap_is_found_with_its_section() {
        let found = |text: &str| INDEX.find(text, |found| (found.start, found.end, found.section));
        assert_eq!(found("a red shoes for blue"), [(2, 15, 0), (16, 20, 1)]);
        assert_eq!(found("tired shoe, blues"), []);
    }

    #[test]
    fn the_files_are_folded_and_list_a_phrase_once() {
        for file in [include_str!("phrases.txt"), include_str!("absence.txt"), include_str!("challenge.txt")]
        {
            let mut all: Vec<&str> =
                file.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '='])).collect();
            for phrase in &all {
                assert_eq!(folded(phrase), *phrase);
                assert!(phrase.len() >= 4, "{phrase}");
            }
            assert_eq!(all.len(), count(file));
            assert!(file.ends_with('\n') && file.len() < usize::from(u16::MAX));
            let listed = all.len();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), listed);
        }
    }
}
