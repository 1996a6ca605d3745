//! Which kinds of words stand near those that a pattern found, in one walk, so that only what may
//! be there is looked for: `or`, `if`, `each time`, `template`.
//!
//! Not here: whether they mean something where they stand (`choice`, `condition`, `clause`,
//! `quotation`, `abroad`). Invariant: a kind that is there is never missed; one that is not there may
//! be seen.

use crate::choice::{BEFORE_DUTCH_OR, SHORT_OR};
use crate::clause::{IN_CLAUSES, LISTS_OF_OTHERS, PERHAPS, RELATIVES, SOURCES, SPEAKERS};
use crate::condition::PLURALS;
use crate::table::List;
use std::ops::Range;

/// Kinds of words.
pub(crate) const CHOICE: u8 = 1;
pub(crate) const CONDITION: u8 = 2;
pub(crate) const MANY: u8 = 4;
pub(crate) const CLAUSE: u8 = 8;
pub(crate) const GUESS: u8 = 16;
pub(crate) const QUOTATION: u8 = 32;
pub(crate) const SENDING: u8 = 64;
/// Any of them.
const ALL: u8 = u8::MAX;
/// No kind: a letter.
const OF_PART: u8 = 128;

/// How much of the text before the words and after them is looked at: as much as any of those who
/// ask does.
const BEFORE: usize = 64;
const BEYOND: usize = 64;

/// Lists of whole words of `words.toml`, each with the kind of its words.
const LISTS: [(&List, u8); 9] = [
    (List::named("or"), CHOICE),
    (List::named("if"), CONDITION),
    (List::named("if-inverted"), CONDITION),
    (List::named("whenever"), CONDITION),
    (List::named("must-not"), CONDITION),
    (List::named("many-abroad"), MANY),
    (List::named("quoted-after"), QUOTATION),
    (List::named("quoted-before"), QUOTATION),
    (List::named("sending-clause"), SENDING),
];
/// Words of those who ask.
const WORDS: [(&[&[u8]], u8); 9] = [
    (&SHORT_OR, CHOICE),
    (&BEFORE_DUTCH_OR, CHOICE),
    (&PLURALS, MANY),
    (&PERHAPS, GUESS),
    (&SOURCES, CLAUSE),
    (&RELATIVES, CLAUSE),
    (&SPEAKERS, CLAUSE),
    (&LISTS_OF_OTHERS, CLAUSE),
    (&IN_CLAUSES, CLAUSE),
];

/// As many bits has the place of a word.
const BITS: usize = 14;
/// The kinds of words by [`place`].
static KINDS: [u8; 1 << BITS] = kinds();

/// The kinds of words near a place.
#[derive(Clone, Copy)]
pub(crate) struct Near(u8);

impl Near {
    pub fn to(text: &[u8], span: &Range<usize>) -> Near {
        let from = span.start.saturating_sub(BEFORE);
        let near = &text[from..text.len().min(span.end + BEYOND)];
        let mut kinds = 0;
        let mut start = 0;
        for (at, byte) in near.iter().enumerate() {
            match BYTES[*byte as usize] {
                OF_PART => {}
                ALL => return Near(ALL),
                mark => {
                    kinds |= of_part(near, start, at) | mark;
                    start = at + 1;
                }
            }
        }
        Near(kinds | of_part(near, start, near.len()))
    }

    pub fn may_be(self, kind: u8) -> bool {
        self.0 & kind != 0
    }
}

fn of_part(near: &[u8], start: usize, end: usize) -> u8 {
    if start == end {
        return 0;
    }
    let quoted = if near[start] == b'\'' { QUOTATION } else { 0 };
    KINDS[place(near, start, end)] | quoted
}

/// What a byte says: the kinds that a mark may mean, or that it is of a part.
static BYTES: [u8; 256] = {
    let mut bytes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        bytes[byte] = match byte as u8 {
            0x80.. => ALL,
            b'%' => MANY,
            b',' => CLAUSE,
            b'"' | b'`' => QUOTATION,
            byte if is_of_part(byte) => OF_PART,
            _ => 0,
        };
        byte += 1;
    }
    bytes
};

/// Of a part: few others have the same place.
const fn place(text: &[u8], start: usize, end: usize) -> usize {
    let (first, middle, last) = (text[start], text[(start + end - 1) / 2], text[end - 1]);
    let bytes = u32::from_le_bytes([first, middle, last, (end - start) as u8]);
    (bytes.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}

const fn is_of_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, 0x80..|b'\''| b'-' | b'@')
}

const fn kinds() -> [u8; 1 << BITS] {
    let mut kinds = [0; 1 << BITS];
    let mut list = 0;
    while list < LISTS.len() {
        let mut word = 0;
        while word < LISTS[list].0.words.len() {
            add_longest(&mut kinds, LISTS[list].0.words[word].as_bytes(), LISTS[list].1);
            word += 1;
        }
        list += 1;
    }
    let mut list = 0;
    while list < WORDS.len() {
        let mut word = 0;
        while word < WORDS[list].0.len() {
            add_longest(&mut kinds, WORDS[list].0[word], WORDS[list].1);
            word += 1;
        }
        list += 1;
    }
    kinds
}

/// The longest part of words, which is the rarest.
const fn add_longest(kinds: &mut [u8; 1 << BITS], words: &[u8], kind: u8) {
    let (mut start, mut longest) = (0, 0..0);
    let mut at = 0;
    while at <= words.len() {
        if at == words.len() || !is_of_part(words[at]) {
            if at - start >= longest.end - longest.start && !is_common(words, start, at) {
                longest = start..at;
            }
            start = at + 1;
        }
        at += 1;
    }
    assert!(longest.start < longest.end && words[words.len() - 1] != b'*', "whole words only");
    kinds[place(words, longest.start, longest.end)] |= kind;
}

/// "such" stands in many refusals, and in `such as`.
const fn is_common(words: &[u8], start: usize, end: usize) -> bool {
    end - start == 4 && words[start] == b's' && words[start + 1] == b'u' && words[end - 1] == b'h'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_is_there_is_not_missed() {
        for (list, kind) in LISTS {
            for words in list.words {
                let text = format!("we say {} user unknown", words.trim_end_matches('*'));
                let near = Near::to(text.as_bytes(), &(text.len() - 12..text.len()));
                assert!(near.may_be(kind), "{}: {words}", list.name);
            }
        }
        for (words, kind) in WORDS {
            for word in words {
                let text = [b"user ", *word, b" unknown"].concat();
                assert!(Near::to(&text, &(0..4)).may_be(kind), "{}", String::from_utf8_lossy(word));
            }
        }
        for (text, kind) in [
            ("no such user or so", CHOICE),
            ("80% unknown", MANY),
            ("users unknown", MANY),
            ("user 'unknown' here", QUOTATION),
            ("the \"user unknown\" text", QUOTATION),
        ] {
            assert!(Near::to(text.as_bytes(), &(0..4)).may_be(kind), "{text}");
        }
    }

    #[test]
    fn most_refusals_hold_none() {
        for text in ["no such user here", "recipient address rejected: user unknown in local recipient table"]
        {
            let seen = Near::to(text.as_bytes(), &(0..text.len())).0 & !CLAUSE;
            assert!(seen == 0, "{seen}: {text}");
        }
    }
}
