//! Finds the patterns that are in a text, in one walk over it, however many patterns there are.
//!
//! The trie is entered at every beginning of a word, and by a second root everywhere else for
//! literals that may begin within a word. Of a plain pattern the longest piece is looked for; the
//! rest is verified where the pattern can matter. Words of lists are remembered as they come by,
//! and a chain is checked when its last link comes by. Not here: which rule wins (`first_rule`).
//! Invariant: the work grows with the text and with what is found in it, never with the number of
//! patterns.

use crate::index::{
    Chain, End, Index, ANYWHERE, BEGINS_TEXT, EARLIER, ENDS_TEXT, ENDS_WORD, LAST, LIST, PART_BEGINS_WORD,
    PART_ENDS_WORD, PART_FLAGS, PLACE, VERIFY,
};
use crate::matching::matches;
use crate::pattern::Joint;
use crate::trie::{hash, Leaf, BELOW_PLACE, BITS, ENDS, LEAF, MORE, WITHIN, WORD};
use std::ops::Range;

/// The most bytes that count as a few words.
const NEAR: usize = 48;
/// The most bytes that count as punctuation between two words.
const NEXT: usize = 4;
/// Occurrences of a list that are remembered.
const REMEMBERED: usize = 4;

/// Bits of the set of three letters that the words of a text begin with.
const THREES: usize = BITS / 32;

/// A pattern that is in a text, or may be.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// The number of the pattern: the rule's place.
    pub of: u16,
    /// Only its longest piece was seen: [`Seen::has`] looks for the others.
    pub is_open: bool,
    /// Where it begins and ends, as far as it was seen.
    pub start: u16,
    pub end: u16,
    /// The place in `entries`, if it is open.
    entry: u32,
}

impl Hit {
    pub fn span(&self) -> Range<usize> {
        self.start.into()..self.end.into()
    }
}

/// The number of a hit whose pattern is not in the text: after every other.
const NOT_THERE: u16 = u16::MAX;

/// What came by in a text. Searching another text reuses the memory.
#[derive(Debug, Default)]
pub struct Seen {
    /// In the order in which they came by.
    pub hits: Vec<Hit>,
    /// Bits of the entries that are to be verified: each is, once for a text.
    open: Vec<u64>,
    /// The entries whose bit is set.
    opened: Vec<u32>,
    /// Which three letters words begin with: bits of their hashes.
    threes: [u64; THREES / 64],
    /// Occurrences of each list, and the last of them.
    counts: Vec<u8>,
    last: Vec<[(u16, u16); REMEMBERED]>,
}

impl Seen {
    fn forget(&mut self, index: &Index) {
        self.hits.clear();
        for place in self.opened.drain(..) {
            self.open[place as usize / 64] = 0;
        }
        self.open.resize(index.entries.len().div_ceil(64), 0);
        let lists = index.chains_of.len().saturating_sub(1);
        self.counts.clear();
        self.counts.resize(lists, 0);
        self.last.resize(lists, [(0, 0); REMEMBERED]);
    }

    /// Whether the whole pattern of a hit is in the text. Of an open one the rest is looked for,
    /// and the hit then knows where it is.
    pub fn has(&mut self, hit: usize, index: &Index, text: &[u8]) -> bool {
        let hit = &mut self.hits[hit];
        if !hit.is_open {
            return true;
        }
        let entry = index.entries[hit.entry as usize];
        let first = entry.first as usize;
        let pieces = index.parts[first..first + usize::from(entry.count)].iter().map(|part| {
            let from = (part >> PART_FLAGS) as usize;
            let length = u16::from_le_bytes([index.letters[from], index.letters[from + 1]]);
            let literal = &index.letters[from + 2..][..length.into()];
            (literal, part & PART_BEGINS_WORD != 0, part & PART_ENDS_WORD != 0)
        });
        let is_known = |(piece, begins_word, _): (&[u8], bool, bool)| match piece {
            [a, b, c, ..] if begins_word => {
                let bit = hash(*a, *b, *c) / 32;
                self.threes[bit / 64] & 1 << (bit % 64) != 0
            }
            _ => true,
        };
        let (begins, ends) = (entry.flags & BEGINS_TEXT != 0, entry.flags & ENDS_TEXT != 0);
        let is_possible = pieces.clone().all(is_known);
        let found = if is_possible { matches(pieces, begins, ends, text) } else { None };
        let (of, (start, end)) = found.map_or((NOT_THERE, (0, 0)), |span| (hit.of, span));
        *hit = Hit { of, is_open: false, start: start as u16, end: end as u16, ..*hit };
        found.is_some()
    }

    fn remember(&mut self, list: usize, start: usize, end: usize) {
        let count = &mut self.counts[list];
        self.last[list][usize::from(*count) % REMEMBERED] = (start as u16, end as u16);
        *count = if usize::from(*count) + 1 == 2 * REMEMBERED { REMEMBERED as u8 } else { *count + 1 };
    }

    /// Where the chain begins whose last link begins at `start`.
    fn chain(&self, links: &[(u16, u8)], start: usize, text: &[u8]) -> Option<usize> {
        const NEXT_JOINT: u8 = Joint::Next as u8;
        const NEAR_JOINT: u8 = Joint::Near as u8;
        let Some((_, joint)) = links.first() else { return Some(start) };
        let Some((list, _)) = links.get(1) else { return Some(start) };
        let list = usize::from(*list);
        let count = usize::from(self.counts[list]).min(REMEMBERED);
        self.last[list][..count].iter().find_map(|(from, to)| {
            let to = usize::from(*to);
            let fits = to <= start
                && match *joint {
                    NEXT_JOINT => {
                        let between = &text[to..start];
                        start - to <= NEXT
                            && !between.starts_with(b". ")
                            && between.iter().all(|byte| !byte.is_ascii_alphanumeric())
                    }
                    NEAR_JOINT => start - to <= NEAR && is_one_sentence(to..start, text),
                    _ => true,
                };
            if fits {
                self.chain(&links[1..], usize::from(*from), text)
            } else {
                None
            }
        })
    }
}

/// Before a colon after which another text begins: another speaks, or a table's own words follow.
const SPEAKING: [&[u8]; 7] = [
    b"]",
    b" said",
    b"address rejected",
    b"command rejected",
    b"host rejected",
    b"recipient rejected",
    b"sender rejected",
];

/// No full stop after a word, no semicolon, and no `said:`, `]:`, `address rejected:` or `<<<`,
/// after which another text begins.
fn is_one_sentence(between: Range<usize>, text: &[u8]) -> bool {
    let ends = |place: usize| {
        let (before, rest) = text[between.clone()].split_at(place - between.start);
        let is_last = rest.get(1) == Some(&b' ');
        match rest[0] {
            b'.' | b'!' | b'?' => is_last && before.last().is_none_or(u8::is_ascii_alphanumeric),
            b':' => is_last && SPEAKING.iter().any(|words| text[..place].ends_with(words)),
            b'<' => rest.starts_with(b"<<<"),
            _ => true,
        }
    };
    !text[between.clone()]
        .iter()
        .zip(between.clone())
        .any(|(letter, place)| matches!(letter, b'.' | b'!' | b'?' | b':' | b'<' | b';') && ends(place))
}

/// Finds the patterns that are in the text, and those that may be. `hosts` is where it names hosts.
pub fn search(index: &Index, text: &[u8], hosts: &[(u16, u16)], seen: &mut Seen) {
    seen.forget(index);
    Search { index, text, hosts, seen }.run();
}

struct Search<'a> {
    index: &'a Index,
    text: &'a [u8],
    hosts: &'a [(u16, u16)],
    seen: &'a mut Seen,
}

impl Search<'_> {
    fn run(mut self) {
        let Some(begins) = self.index.begins.first_chunk::<{ 2 * BITS / 32 }>() else { return };
        let text = self.text;
        let mut threes = [0; THREES / 64];
        let mut in_word = false;
        for (start, three) in text.windows(3).enumerate() {
            let &[a, b, c] = three else { continue };
            let bit = hash(a, b, c);
            let is_begun = |root: usize| begins[root * BITS / 32 + bit / 32] & 1 << (bit % 32) != 0;
            if std::mem::replace(&mut in_word, a.is_ascii_alphanumeric()) {
                if is_begun(WITHIN) {
                    self.literals_from(WITHIN, start);
                }
                continue;
            }
            if in_word {
                threes[bit / 32 / 64] |= 1 << (bit / 32 % 64);
            }
            // The one literal of one letter is @.
            if is_begun(WORD) || a == b'@' {
                self.literals_from(WORD, start);
            }
        }
        for (start, byte) in text.iter().enumerate().skip(text.len().saturating_sub(2)) {
            let root =
                if std::mem::replace(&mut in_word, byte.is_ascii_alphanumeric()) { WITHIN } else { WORD };
            self.literals_from(root, start);
        }
        self.seen.threes = threes;
    }

    /// Walks down the trie for as long as the text follows.
    #[inline]
    fn literals_from(&mut self, root: usize, start: usize) {
        let (states, text) = (&*self.index.states, self.text);
        let mut base = (states[root] >> BELOW_PLACE) as usize;
        for (byte, at) in text[start..].iter().zip(start + 1..) {
            let Some(state) = states.get(base + usize::from(*byte)).filter(|state| **state as u8 == *byte)
            else {
                break;
            };
            base = (state >> BELOW_PLACE) as usize;
            match state & (ENDS | LEAF) {
                0 => {}
                ENDS => self.literal((states[base] >> 8) as usize, start, at),
                LEAF => return self.leaf(base, start, at),
                _ => return self.literal(base, start, at),
            }
        }
    }

    /// The last branch of the trie: whether the rest of the literal follows.
    #[inline]
    fn leaf(&mut self, place: usize, start: usize, at: usize) {
        let Leaf(tail, end) = self.index.leaves[place];
        let mut tail = self.index.tails[tail as usize..].iter().take_while(|letter| **letter != 0);
        let mut rest = self.text[at..].iter();
        if tail.all(|letter| rest.next() == Some(letter)) {
            self.literal(end as usize, start, self.text.len() - rest.len());
        }
    }

    /// A literal came by: everything that it belongs to, from `list` on in `ends`.
    #[inline]
    fn literal(&mut self, list: usize, start: usize, end: usize) {
        let text = self.text;
        let in_word =
            text[end - 1].is_ascii_alphanumeric() && text.get(end).is_some_and(u8::is_ascii_alphanumeric);
        let is_label = self.is_label(start, end);
        for number in &self.index.ends[list..] {
            let is_meant = !is_label || number & (LIST | ANYWHERE) == ANYWHERE;
            if is_meant && !(in_word && number & ENDS_WORD != 0) {
                if number & LIST != 0 {
                    self.word_of_list(*number, start, end);
                } else if number & VERIFY != 0 {
                    self.open(number & PLACE, start, end);
                } else {
                    self.hit((number & PLACE) as u16, start, end);
                }
            }
            if number & MORE == 0 {
                break;
            }
        }
    }

    /// Whether a literal is only a part of a host's name or a URL, and is not meant to be one.
    #[inline]
    fn is_label(&self, start: usize, end: usize) -> bool {
        let next = self.hosts.partition_point(|(_, to)| usize::from(*to) <= start);
        let Some((from, to)) = self.hosts.get(next) else { return false };
        // `err.nosuchuser`: no word for a failure is a top-level domain.
        let is_last = end == usize::from(*to) && self.text[..start].ends_with(b".");
        usize::from(*from) <= start
            && !is_last
            && !self.text[start..end].iter().any(|byte| b"./=?@".contains(byte))
    }

    /// A pattern of which one piece came by: once for a text.
    #[inline]
    fn open(&mut self, place: u32, start: usize, end: usize) {
        let (word, bit) = (&mut self.seen.open[place as usize / 64], 1 << (place % 64));
        if *word & bit == 0 {
            *word |= bit;
            self.seen.opened.push(place);
            let of = self.index.entries[place as usize].of;
            let (start, end) = (start as u16, end as u16);
            self.seen.hits.push(Hit { of, is_open: true, start, end, entry: place });
        }
    }

    /// A pattern that is in the text.
    #[inline]
    fn hit(&mut self, of: u16, start: usize, end: usize) {
        let (start, end) = (start as u16, end as u16);
        self.seen.hits.push(Hit { of, is_open: false, start, end, entry: 0 });
    }

    #[inline]
    fn word_of_list(&mut self, number: End, start: usize, end: usize) {
        let list = (number & PLACE) as usize;
        if number & LAST != 0 {
            self.chains_of(list, start, end);
        }
        if number & EARLIER != 0 {
            self.seen.remember(list, start, end);
        }
    }

    /// The chains whose last link came by.
    #[inline]
    fn chains_of(&mut self, list: usize, start: usize, end: usize) {
        let chains_of = &self.index.chains_of;
        let chains = usize::from(chains_of[list])..usize::from(chains_of[list + 1]);
        for Chain(rule, count, links) in &self.index.chains[chains] {
            // Most often the word before it did not come by.
            if *count < 2 || self.seen.counts[usize::from(links[1].0)] > 0 {
                if let Some(from) = self.seen.chain(&links[..usize::from(*count)], start, self.text) {
                    self.hit(*rule, from, end);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;
    use crate::pattern::{self, Pattern};
    use crate::sequence::sequences;
    use crate::shared::shared;
    use std::collections::BTreeSet;

    fn found(patterns: &[&str], text: &str) -> Vec<u16> {
        let read: Vec<Pattern> = patterns.iter().map(|pattern| pattern::read(pattern).unwrap()).collect();
        let numbered: Vec<(u16, &Pattern)> =
            read.iter().enumerate().map(|(rule, one)| (rule as u16, one)).collect();
        let lists = [("who".to_owned(), sequences("(user|mailbox|邮箱)").unwrap())];
        let index = compile(&numbered, &lists, shared).unwrap();
        let (mut seen, mut rules) = (Seen::default(), BTreeSet::new());
        search(&index, text.as_bytes(), &[], &mut seen);
        for place in 0..seen.hits.len() {
            if seen.has(place, &index, text.as_bytes()) {
                let hit = seen.hits[place];
                assert!(hit.start < hit.end && usize::from(hit.end) <= text.len());
                rules.insert(hit.of);
            }
        }
        rules.into_iter().collect()
    }

    #[test]
    fn every_pattern_in_the_text_is_found() {
        let patterns = [
            "user unknown",
            "user",
            "*quota",
            "mailbox * full",
            "^no$",
            "unknown",
            "quot*",
            "user unkno",
            "邮箱",
        ];
        assert_eq!(found(&patterns, "user unknown: overquota"), [0, 1, 2, 5]);
        assert_eq!(found(&patterns, "the mailbox of @ is full: quotas"), [3, 6]);
        assert_eq!(found(&patterns, "@: no."), [4]);
        assert_eq!(found(&patterns, "no 邮箱"), [8]);
        assert_eq!(found(&patterns, ""), [0_u16; 0]);
        assert_eq!(found(&[], "user"), [0_u16; 0]);
    }

    #[test]
    fn the_parts_of_a_chain_are_close_together() {
        let patterns = ["{who} ~ (full|满)", "(no|bad) {who}", "{who} * gone", "the {who} ~ {who}"];
        assert_eq!(found(&patterns, "mailbox of @ is full"), [0]);
        assert_eq!(found(&patterns, "mailbox. it is full. no: user"), [1]);
        assert_eq!(found(&patterns, "no such user; bad luck; user full"), [0]);
        assert_eq!(
            found(
                &patterns,
                "bad <user> is far far away and long long ago, as far as anybody knows, he was full and gone"
            ),
            [1, 2]
        );
        assert_eq!(found(&patterns, "邮箱已满, the user of mailbox"), [0, 3]);
        assert!(compile(&[(0, &pattern::read("{nobody} full").unwrap())], &[], shared).is_err());
    }
}
