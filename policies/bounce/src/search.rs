//! Finds the patterns that are in a text, in one walk over it, however many patterns there are.
//!
//! The trie is entered at every beginning of a word, and by a second root everywhere else for
//! literals that may begin within a word. Of a plain pattern the longest piece is looked for, and
//! then `matching` verifies the rest. Words of lists are remembered as they come by, and a chain is
//! checked when its last link comes by. Not here: which rule wins (`first_rule`). Invariant: the
//! work grows with the text and with what is found in it, never with the number of patterns.

use crate::index::{
    Chain, Index, Part, BEGINS_TEXT, ENDS_TEXT, ENDS_WORD, LIST, PART_BEGINS_WORD, PART_ENDS_WORD, VERIFY,
};
use crate::matching::matches;
use crate::pattern::Joint;
use crate::trie::{hash, State, BITS, MORE, TAIL, WITHIN, WORD};

/// The most bytes that count as a few words.
const NEAR: usize = 48;
/// The most bytes that count as punctuation between two words.
const NEXT: usize = 4;
/// Occurrences of a list that are remembered.
const REMEMBERED: usize = 4;

/// What came by in a text. Searching another text reuses the memory.
#[derive(Debug, Default)]
pub struct Seen {
    /// Bits of the entries that were verified: each is, once for a text.
    tried: Vec<u64>,
    /// Occurrences of each list, and the last of them.
    counts: Vec<u8>,
    last: Vec<[(u16, u16); REMEMBERED]>,
}

impl Seen {
    fn forget(&mut self, lists: usize) {
        self.tried.clear();
        self.counts.clear();
        self.counts.resize(lists, 0);
        self.last.resize(lists.max(self.last.len()), [(0, 0); REMEMBERED]);
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
                    NEAR_JOINT => start - to <= NEAR && is_one_sentence(&text[to..start]),
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

/// No full stop after a word, no semicolon, and no `said:`, `]:` or `<<<` after which another
/// speaks.
fn is_one_sentence(between: &[u8]) -> bool {
    let ends = |(place, byte): (usize, &u8)| {
        let before = &between[..place];
        let is_last = between.get(place + 1) == Some(&b' ');
        match byte {
            b'.' | b'!' | b'?' => is_last && before.last().is_none_or(u8::is_ascii_alphanumeric),
            b':' => is_last && (before.ends_with(b"]") || before.ends_with(b" said")),
            b'<' => between[place..].starts_with(b"<<<"),
            _ => *byte == b';',
        }
    };
    !between.iter().enumerate().any(ends)
}

/// Whether a word is a label of a host's name, as in `mx.customer.example`.
#[inline]
fn is_in_host(text: &[u8], start: usize, end: usize) -> bool {
    let touches = start > 0 && text[start - 1] == b'.' || text.get(end) == Some(&b'.');
    let is_inside = |byte: &u8| byte.is_ascii_alphanumeric() || b".-_".contains(byte);
    touches && {
        let before = text[..start].iter().rev().take_while(|byte| is_inside(byte)).count();
        let after = text[end..].iter().take_while(|byte| is_inside(byte)).count();
        let name = text[start - before..end + after].trim_ascii_end();
        let name = name.strip_suffix(b".").unwrap_or(name);
        name.iter().filter(|byte| **byte == b'.').count() > 1 && !name.windows(2).any(|two| two == b"..")
    }
}

/// Calls `found` with the rule of every pattern in the text, where it begins and where it ends.
/// `wanted` says beforehand whether a rule is worth looking at.
pub fn search(
    index: &Index,
    text: &[u8],
    seen: &mut Seen,
    wanted: impl Fn(u16) -> bool,
    found: impl FnMut(u16, usize, usize),
) {
    seen.forget(index.chains_of.len().saturating_sub(1));
    Search { index, text, seen, wanted, found }.run();
}

struct Search<'a, Wanted, Found> {
    index: &'a Index,
    text: &'a [u8],
    seen: &'a mut Seen,
    wanted: Wanted,
    found: Found,
}

impl<Wanted: Fn(u16) -> bool, Found: FnMut(u16, usize, usize)> Search<'_, Wanted, Found> {
    fn run(mut self) {
        let (words, within) = self.index.begins.split_at(BITS / 32);
        let (Some(words), Some(within)) = (words.first_chunk(), within.first_chunk()) else { return };
        let sets: [&[u32; BITS / 32]; 2] = [words, within];
        let mut in_word = false;
        for start in 0..self.text.len() {
            let root = if in_word { WITHIN } else { WORD };
            in_word = self.text[start].is_ascii_alphanumeric();
            // The one literal of one letter is @.
            if let Some(&[a, b, c]) = self.text.get(start..start + 3).filter(|three| three[0] != b'@') {
                let bit = hash(a, b, c);
                if sets[root][bit / 32] & 1 << (bit % 32) == 0 {
                    continue;
                }
            }
            self.literals_from(root, start);
        }
    }

    /// Walks down the trie for as long as the text follows.
    #[inline]
    fn literals_from(&mut self, root: usize, start: usize) {
        let (states, tails, text) = (&*self.index.states, &*self.index.tails, self.text);
        let mut state = root;
        let mut at = start;
        while let Some(byte) = text.get(at) {
            let next = states[state].0 as usize + usize::from(*byte);
            let base = match states.get(next) {
                Some(State(base, end)) if *end as u8 == *byte => *base,
                _ => break,
            };
            state = next;
            at += 1;
            let is_last = base & TAIL != 0;
            if is_last {
                let tail = &tails[(base & !TAIL) as usize..];
                let tail = &tail[1..=usize::from(tail[0])];
                if !text[at..].starts_with(tail) {
                    break;
                }
                at += tail.len();
            }
            let list = (states[state].1 >> 8) as usize;
            if list != 0 {
                self.literal(list - 1, start, at);
            }
            if is_last {
                break;
            }
        }
    }

    /// A literal came by: everything that it belongs to, from `list` on in `ends`.
    #[inline]
    fn literal(&mut self, list: usize, start: usize, end: usize) {
        let text = self.text;
        let in_word =
            text[end - 1].is_ascii_alphanumeric() && text.get(end).is_some_and(u8::is_ascii_alphanumeric);
        for number in &self.index.ends[list..] {
            let place = (number & !MORE) as usize;
            let entry = &self.index.entries[place];
            if !(in_word && entry.flags & ENDS_WORD != 0) {
                if entry.flags & LIST != 0 {
                    self.word_of_list(entry.of.into(), start, end);
                } else if (self.wanted)(entry.of) {
                    if entry.flags & VERIFY == 0 {
                        (self.found)(entry.of, start, end);
                    } else if let Some((start, end)) = self.verify(place) {
                        (self.found)(entry.of, start, end);
                    }
                }
            }
            if number & MORE == 0 {
                break;
            }
        }
    }

    #[inline]
    fn word_of_list(&mut self, list: usize, start: usize, end: usize) {
        if is_in_host(self.text, start, end) {
            return;
        }
        let chains_of = &self.index.chains_of;
        let chains = usize::from(chains_of[list])..usize::from(chains_of[list + 1]);
        for Chain(rule, count, links) in &self.index.chains[chains] {
            // Most often the word before it did not come by.
            let may_be = *count < 2 || self.seen.counts[usize::from(links[1].0)] > 0;
            if may_be && (self.wanted)(*rule) {
                if let Some(from) = self.seen.chain(&links[..usize::from(*count)], start, self.text) {
                    (self.found)(*rule, from, end);
                }
            }
        }
        self.seen.remember(list, start, end);
    }

    /// Whether the whole plain pattern is there, and where. Asked once for a text.
    fn verify(&mut self, place: usize) -> Option<(usize, usize)> {
        let index = self.index;
        let tried = &mut self.seen.tried;
        if tried.is_empty() {
            tried.resize(index.entries.len().div_ceil(64), 0);
        }
        let (word, bit) = (place / 64, 1 << (place % 64));
        if tried[word] & bit != 0 {
            return None;
        }
        tried[word] |= bit;
        let entry = index.entries[place];
        let first = entry.first as usize;
        let pieces =
            index.parts[first..first + usize::from(entry.count)].iter().map(|Part(from, length, flags)| {
                let from = *from as usize;
                let literal = &index.letters[from..from + usize::from(*length)];
                (literal, flags & PART_BEGINS_WORD != 0, flags & PART_ENDS_WORD != 0)
            });
        matches(pieces, entry.flags & BEGINS_TEXT != 0, entry.flags & ENDS_TEXT != 0, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::compile;
    use crate::pattern::{self, Pattern};
    use crate::sequence::sequences;
    use std::collections::BTreeSet;

    fn found(patterns: &[&str], text: &str) -> Vec<u16> {
        let read: Vec<Pattern> = patterns.iter().map(|pattern| pattern::read(pattern).unwrap()).collect();
        let numbered: Vec<(u16, &Pattern)> =
            read.iter().enumerate().map(|(rule, one)| (rule as u16, one)).collect();
        let lists = [("who".to_owned(), sequences("(user|mailbox|邮箱)").unwrap())];
        let index = compile(&numbered, &lists).unwrap();
        let mut rules = BTreeSet::new();
        let collect = |rule, start, end| {
            assert!(start < end && end <= text.len());
            rules.insert(rule);
        };
        search(&index, text.as_bytes(), &mut Seen::default(), |_| true, collect);
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
        assert!(compile(&[(0, &pattern::read("{nobody} full").unwrap())], &[]).is_err());
    }
}
