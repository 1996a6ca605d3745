//! The words of a text in the form in which it is read, and whether a list of `words.toml` has one.
//!
//! Not here: what words mean (`compound`, `clause`, `abroad`, `choice`, `condition`). Invariant: a
//! list that `words.toml` has not ends the build.

pub(crate) use crate::table::List;
use crate::table::LISTS;
use std::iter::successors;
use std::ops::Range;

impl List {
    pub const fn named(name: &str) -> &'static List {
        let mut place = 0;
        while place < LISTS.len() {
            if is_same(LISTS[place].name.as_bytes(), name.as_bytes()) {
                return &LISTS[place];
            }
            place += 1;
        }
        panic!("no list of words.toml has this name")
    }

    /// Whether the list has the word. A `*` ends what words of the list begin with.
    pub fn has(&self, word: &[u8]) -> bool {
        let is = |known: &&str| match known.as_bytes() {
            [begin @ .., b'*'] => word.starts_with(begin),
            known => known == word,
        };
        word.first().is_some_and(|first| self.alike(*first).iter().any(is))
    }

    /// Whether a text holds words of the list, whole where they are of letters.
    pub fn is_in(&self, text: &[u8]) -> bool {
        let may_begin = |at: &usize| match text[*at] {
            0x80..0xc0 => false,
            byte if byte.is_ascii_alphanumeric() => !text[..*at].last().is_some_and(|byte| is_of_name(*byte)),
            _ => true,
        };
        (0..text.len()).filter(may_begin).any(|at| self.begins(&text[at..]))
    }

    /// Whether a text ends with words of the list, whole where they are of letters.
    pub fn ends(&self, text: &[u8]) -> bool {
        let ends = |words: &&str| {
            let before = text.strip_suffix(words.as_bytes());
            let is_whole = |before: &[u8]| !before.last().is_some_and(u8::is_ascii_alphanumeric);
            before.is_some_and(|before| !words.is_ascii() || is_whole(before))
        };
        self.words.iter().any(ends)
    }

    /// Whether words of the list begin with this one.
    pub fn has_first(&self, word: &[u8]) -> bool {
        let is_first = |words: &&str| {
            let rest = words.as_bytes().strip_prefix(word);
            rest.is_some_and(|rest| rest.starts_with(b" "))
        };
        word.first().is_some_and(|first| self.alike(*first).iter().any(is_first))
    }

    /// How long the longest words of the list are with which a text begins, in a script without blanks.
    pub fn longest_first(&self, text: &[u8]) -> Option<usize> {
        let words = self.alike(*text.first()?).iter().filter(|words| text.starts_with(words.as_bytes()));
        words.map(|words| words.len()).max()
    }

    fn begins(&self, text: &[u8]) -> bool {
        let is_whole = |words: &[u8], rest: &[u8]| {
            !(words.last().is_some_and(u8::is_ascii_alphanumeric) && goes_on(rest))
        };
        let begins = |words: &&str| match words.as_bytes() {
            [begin @ .., b'*'] => text.starts_with(begin),
            words => text.strip_prefix(words).is_some_and(|rest| is_whole(words, rest)),
        };
        self.alike(text[0]).iter().any(begins)
    }

    /// The words that may begin with this byte.
    fn alike(&self, first: u8) -> &'static [&'static str] {
        let bucket = bucket(first);
        &self.words[usize::from(self.begins[bucket])..usize::from(self.begins[bucket + 1])]
    }
}

/// Letters of the alphabet are alone in theirs; `build_write.rs` sorts by it.
fn bucket(first: u8) -> usize {
    usize::from(first & 31)
}

/// Bits of a byte: of a word, and of a word that nothing binds.
const WORD: u8 = 1;
const PART: u8 = 2;
static OF_WORD: [u8; 256] = {
    let mut of_word = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let letter = byte as u8;
        if letter.is_ascii_alphanumeric() || matches!(letter, 0x80..|b'\''| b'-' | b'@') {
            of_word[byte] = WORD | PART;
        } else if matches!(letter, b'.' | b'_' | b'/' | b'=') {
            of_word[byte] = WORD;
        }
        byte += 1;
    }
    of_word
};

/// A full stop within a name binds its words: `sample.example.org` is one.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'.'
}

/// Whether a word goes on here.
fn goes_on(rest: &[u8]) -> bool {
    let is_of_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    is_of_word(rest.first()) || rest.first() == Some(&b'.') && is_of_word(rest.get(1))
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    let mut place = 0;
    while place < a.len() && place < b.len() && a[place] == b[place] {
        place += 1;
    }
    place == a.len() && place == b.len()
}

/// The word before a blank; none if there is no blank.
pub(crate) fn before(text: &[u8], at: usize) -> Range<usize> {
    let end = text[..at].trim_ascii_end().len();
    if end < at {
        word_start(text, end)..end
    } else {
        at..at
    }
}

/// The word before, whatever stands between but the end of a sentence.
pub(crate) fn before_mark(text: &[u8], at: usize) -> Option<Range<usize>> {
    let between = text[..at].iter().rev().take_while(|byte| !is_of_word(**byte) || **byte == b'\'').count();
    let end = at - between;
    let is_end = text[end..at].iter().any(|byte| b"!?;".contains(byte));
    (end > 0 && !is_end).then(|| word_start(text, end)..end).filter(|word| !word.is_empty())
}

/// The word after a blank, if there is one.
pub(crate) fn next(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start = at + 1;
    let begins = text.get(at) == Some(&b' ') && text.get(start).is_some_and(|byte| is_of_word(*byte));
    begins.then(|| start..word_end(text, start))
}

/// The words that follow, each after one blank.
pub(crate) fn following(text: &[u8], at: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    successors(next(text, at), |word| next(text, word.end))
}

/// The words of a text without what binds them: `kim.lee` is two.
pub(crate) fn split(text: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    let is_between = |byte: &u8| OF_WORD[usize::from(*byte)] & PART == 0;
    text.split(is_between).filter(|word| !word.is_empty())
}

/// Whether what stands in a place is elsewhere: words of a place follow, and one of them is such as
/// no place of every recipient has. `begins` is asked for the words before a place: whether it
/// begins here, or none, if no place can follow. `is_other` is asked for the words of the place, and
/// answers none if they are at an end.
pub(crate) fn is_elsewhere(
    text: &[u8],
    at: usize,
    begins: impl Fn(&[u8]) -> Option<bool>,
    is_other: impl Fn(&[u8]) -> Option<bool>,
) -> bool {
    let mut is_there = false;
    for word in following(text, at) {
        let word = &text[word];
        let answer = if is_there { is_other(word) } else { begins(word) };
        match answer {
            None => return false,
            Some(true) if is_there => return true,
            Some(true) => is_there = true,
            Some(false) => {}
        }
    }
    false
}

pub(crate) fn word_end(text: &[u8], start: usize) -> usize {
    let length = text[start..].iter().take_while(|byte| is_of_word(**byte)).count();
    // A full stop ends a sentence, and a quote what is quoted.
    let last = text[start..start + length].iter().rposition(|byte| !b".'".contains(byte));
    start + last.map_or(length, |last| last + 1)
}

pub(crate) fn word_start(text: &[u8], end: usize) -> usize {
    let start = end - text[..end].iter().rev().take_while(|byte| is_of_word(**byte)).count();
    start + usize::from(start < end && text[start] == b'\'')
}

pub(crate) fn is_of_word(byte: u8) -> bool {
    OF_WORD[usize::from(byte)] & WORD != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_its_words() {
        for list in LISTS {
            for word in list.words {
                assert!(list.has(word.trim_end_matches('*').as_bytes()), "{} has no {word}", list.name);
            }
            assert!(!list.has(b"") && !list.has(b"qwertz"), "{}", list.name);
        }
        assert!(List::named("no-such").has(b"unknown") && !List::named("no-such").has(b"known"));
    }
}
