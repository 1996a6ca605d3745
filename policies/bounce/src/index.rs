//! Which patterns stand in a text: one walk over it, however many patterns there are.
//!
//! Literals form a double-array trie that is entered at every beginning of a word, and by way of a second root everywhere
//! else for those that may stand within words. Of a plain pattern the longest piece is looked for, and then
//! `pattern::matches` verifies the rest. Words of lists are remembered as they come by, and a chain is looked at when
//! its last link is met. The tables are made when the policy is built (`build.rs`), for an operator's own rules when
//! the settings are read. Work grows with the text and with what is found in it, never with the number of patterns.

use crate::pattern::{self, Joint, Pattern, Sequence, Words};
use crate::trie::{hash, State, Trie, BITS, MORE, TAIL, WITHIN, WORD};
use std::borrow::Cow;
use std::collections::HashMap;

/// What a literal belongs to: a rule's plain pattern, or a list of words.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The rule's place in the order, or the list's.
    pub of: u16,
    /// See the constants.
    pub flags: u8,
    /// How many pieces to verify.
    pub count: u8,
    /// The first of the pieces.
    pub first: u32,
}

/// The literal may not be touched by a letter or digit on its right.
pub const ENDS_WORD: u8 = 1;
const BEGINS_TEXT: u8 = 2;
const ENDS_TEXT: u8 = 4;
/// The literal is not all: verify.
const VERIFY: u8 = 8;
/// It belongs to a list of words.
const LIST: u8 = 16;

/// A piece: where its literal begins in `letters`, its length, and its flags.
#[derive(Clone, Copy, Debug)]
pub struct Part(pub u32, pub u16, pub u8);

const PART_BEGINS_WORD: u8 = 1;
const PART_ENDS_WORD: u8 = 2;

/// A chain: its rule, how many links, and each link's list and joint, the last link first.
#[derive(Clone, Copy, Debug)]
pub struct Chain(pub u16, pub u8, pub [(u16, u8); 4]);

/// So many bytes are a few words.
const NEAR: usize = 48;
/// As many occurrences of a list are remembered.
const REMEMBERED: usize = 4;

/// The tables.
#[derive(Clone, Debug)]
pub struct Index {
    /// The trie.
    pub states: Cow<'static, [State]>,
    /// Lists of entries.
    pub ends: Cow<'static, [u32]>,
    /// All entries.
    pub entries: Cow<'static, [Entry]>,
    /// All pieces.
    pub parts: Cow<'static, [Part]>,
    /// All literals to verify.
    pub letters: Cow<'static, [u8]>,
    /// Rests of literals.
    pub tails: Cow<'static, [u8]>,
    /// Two sets of bits, of the roots: whether a literal begins with three letters, by their hash.
    pub begins: Cow<'static, [u32]>,
    /// Chains in order of the list that their last link is of.
    pub chains: Cow<'static, [Chain]>,
    /// For each list where its chains begin; one more at the end.
    pub chains_of: Cow<'static, [u16]>,
}

/// What came by in a text. Made to be used again.
#[derive(Debug, Default)]
pub struct Seen {
    tried: Vec<u64>,
    counts: Vec<u8>,
    last: Vec<[(u16, u16); REMEMBERED]>,
}

impl Seen {
    fn remember(&mut self, list: usize, start: usize, end: usize) {
        let count = &mut self.counts[list];
        self.last[list][usize::from(*count) % REMEMBERED] = (start as u16, end as u16);
        *count = if usize::from(*count) + 1 == 2 * REMEMBERED { REMEMBERED as u8 } else { *count + 1 };
    }

    /// Where the chain begins whose last link starts at `start`.
    fn chain(&self, links: &[(u16, u8)], start: usize, text: &[u8]) -> Option<usize> {
        let Some((_, joint)) = links.first() else { return Some(start) };
        let Some((list, _)) = links.get(1) else { return Some(start) };
        let list = usize::from(*list);
        let count = usize::from(self.counts[list]).min(REMEMBERED);
        self.last[list][..count].iter().find_map(|(from, to)| {
            let to = usize::from(*to);
            let fits = to <= start
                && match joint {
                    0 => start - to <= 4 && text[to..start].iter().all(|byte| !byte.is_ascii_alphanumeric()),
                    1 => start - to <= NEAR && is_one_sentence(&text[to..start]),
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

/// No full stop after a word, no semicolon.
fn is_one_sentence(between: &[u8]) -> bool {
    !between.starts_with(b". ")
        && !between.windows(3).any(|three| {
            (b".!?".contains(&three[1]) && three[2] == b' ' && three[0].is_ascii_alphanumeric())
                || three[1] == b';'
        })
}

impl Index {
    /// Calls `found` with the rule of every pattern that stands in the text, where it begins and where it ends. `wanted`
    /// says beforehand whether a rule is worth looking at.
    pub fn search(
        &self,
        text: &[u8],
        seen: &mut Seen,
        wanted: impl Fn(u16) -> bool,
        mut found: impl FnMut(u16, usize, usize),
    ) {
        let (states, ends, tails, entries) = (&*self.states, &*self.ends, &*self.tails, &*self.entries);
        let (words, within) = self.begins.split_at(BITS / 32);
        let (Some(words), Some(within)) = (words.first_chunk(), within.first_chunk()) else { return };
        let sets: [&[u32; BITS / 32]; 2] = [words, within];
        let lists = self.chains_of.len().saturating_sub(1);
        seen.tried.clear();
        seen.counts.clear();
        seen.counts.resize(lists, 0);
        seen.last.resize(lists.max(seen.last.len()), [(0, 0); REMEMBERED]);
        let mut in_word = false;
        for start in 0..text.len() {
            let root = if in_word { WITHIN } else { WORD };
            in_word = text[start].is_ascii_alphanumeric();
            // The one literal of one letter is @.
            if let Some(&[a, b, c]) = text.get(start..start + 3).filter(|three| three[0] != b'@') {
                let bit = hash(a, b, c);
                if sets[root][bit / 32] & 1 << (bit % 32) == 0 {
                    continue;
                }
            }
            let mut state = root;
            let mut at = start;
            while let Some(byte) = text.get(at) {
                let next = states[state].0 as usize + usize::from(*byte);
                let base = match states.get(next) {
                    Some(State(base, parent, _)) if *parent as usize == state + 1 => *base,
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
                let list = states[state].2;
                if list == 0 {
                    continue;
                }
                let in_word = text[at - 1].is_ascii_alphanumeric()
                    && text.get(at).is_some_and(u8::is_ascii_alphanumeric);
                for end in &ends[list as usize - 1..] {
                    let number = (end & !MORE) as usize;
                    let entry = &entries[number];
                    if !(in_word && entry.flags & ENDS_WORD != 0) {
                        if entry.flags & LIST != 0 {
                            self.chains(entry.of.into(), (start, at), text, seen, &wanted, &mut found);
                        } else if wanted(entry.of) {
                            if entry.flags & VERIFY == 0 {
                                found(entry.of, start, at);
                            } else if let Some((start, end)) = self.verify(number, text, seen) {
                                found(entry.of, start, end);
                            }
                        }
                    }
                    if end & MORE == 0 {
                        break;
                    }
                }
                if is_last {
                    break;
                }
            }
        }
    }

    /// A word of a list came by.
    #[inline]
    fn chains(
        &self,
        list: usize,
        (start, end): (usize, usize),
        text: &[u8],
        seen: &mut Seen,
        wanted: &impl Fn(u16) -> bool,
        found: &mut impl FnMut(u16, usize, usize),
    ) {
        let chains = usize::from(self.chains_of[list])..usize::from(self.chains_of[list + 1]);
        for Chain(rule, count, links) in &self.chains[chains] {
            if wanted(*rule) {
                if let Some(from) = seen.chain(&links[..usize::from(*count)], start, text) {
                    found(*rule, from, end);
                }
            }
        }
        seen.remember(list, start, end);
    }

    /// Whether all of a plain pattern is there. Asked once a text.
    fn verify(&self, number: usize, text: &[u8], seen: &mut Seen) -> Option<(usize, usize)> {
        if seen.tried.is_empty() {
            seen.tried.resize(self.entries.len().div_ceil(64), 0);
        }
        let (word, bit) = (number / 64, 1 << (number % 64));
        if seen.tried[word] & bit != 0 {
            return None;
        }
        seen.tried[word] |= bit;
        let entry = self.entries[number];
        let first = entry.first as usize;
        let parts = &self.parts[first..first + usize::from(entry.count)];
        let pieces = parts.iter().map(|Part(from, length, flags)| {
            let from = *from as usize;
            let literal = &self.letters[from..from + usize::from(*length)];
            (literal, flags & PART_BEGINS_WORD != 0, flags & PART_ENDS_WORD != 0)
        });
        pattern::matches(pieces, entry.flags & BEGINS_TEXT != 0, entry.flags & ENDS_TEXT != 0, text)
    }

    /// Makes the tables of the patterns and their rules. The error is of a chain that names no list of `words`.
    pub fn build(patterns: &[(u16, &Pattern)], words: &[(String, Vec<Sequence>)]) -> Result<Index, String> {
        let mut builder = Builder::default();
        for (rule, pattern) in patterns {
            match pattern {
                Pattern::Plain(sequences) => {
                    sequences.iter().for_each(|sequence| builder.plain(*rule, sequence))
                }
                Pattern::Chain(links) => builder.chain(*rule, links, words)?,
            }
        }
        Ok(builder.finish())
    }
}

#[derive(Default)]
struct Builder {
    trie: Trie,
    entries: Vec<Entry>,
    parts: Vec<Part>,
    letters: Vec<u8>,
    known: HashMap<Vec<u8>, usize>,
    lists: Vec<Words>,
    chains: Vec<Chain>,
}

impl Builder {
    fn plain(&mut self, rule: u16, sequence: &Sequence) {
        let Some(anchor) = sequence.pieces.iter().rev().max_by_key(|piece| piece.literal.len()) else {
            return;
        };
        let verify = sequence.pieces.len() > 1 || sequence.begins_text || sequence.ends_text;
        let flags = u8::from(anchor.ends_word) * ENDS_WORD
            + u8::from(sequence.begins_text) * BEGINS_TEXT
            + u8::from(sequence.ends_text) * ENDS_TEXT
            + u8::from(verify) * VERIFY;
        let first = self.parts.len();
        for piece in sequence.pieces.iter().filter(|_| verify) {
            let letters = &mut self.letters;
            let from = *self.known.entry(piece.literal.clone()).or_insert_with(|| {
                letters.extend_from_slice(&piece.literal);
                letters.len() - piece.literal.len()
            });
            let flags =
                u8::from(piece.begins_word) * PART_BEGINS_WORD + u8::from(piece.ends_word) * PART_ENDS_WORD;
            self.parts.push(Part(from as u32, piece.literal.len() as u16, flags));
        }
        let count = (self.parts.len() - first) as u8;
        self.entry(Entry { of: rule, flags, count, first: first as u32 }, anchor);
    }

    fn entry(&mut self, entry: Entry, literal: &pattern::Piece) {
        let number = self.entries.len() as u32;
        self.entries.push(entry);
        self.trie.insert(WORD, &literal.literal, number);
        if !literal.begins_word {
            self.trie.insert(WITHIN, &literal.literal, number);
        }
    }

    fn chain(
        &mut self,
        rule: u16,
        links: &[(Joint, Words)],
        words: &[(String, Vec<Sequence>)],
    ) -> Result<(), String> {
        let mut chain = Chain(rule, links.len() as u8, [(0, 0); 4]);
        for (place, (joint, words_of)) in links.iter().rev().enumerate() {
            chain.2[place] = (self.list(words_of, words)?, *joint as u8);
        }
        self.chains.push(chain);
        Ok(())
    }

    fn list(&mut self, of: &Words, words: &[(String, Vec<Sequence>)]) -> Result<u16, String> {
        if let Some(place) = self.lists.iter().position(|list| list == of) {
            return Ok(place as u16);
        }
        let sequences = match of {
            Words::Literal(sequences) => sequences,
            Words::Named(name) => {
                let named = words.iter().find(|(known, _)| known == name);
                &named.ok_or_else(|| format!("{{{name}}} is no list of words: use {}", names(words)))?.1
            }
        };
        let list = self.lists.len() as u16;
        for piece in sequences.iter().flat_map(|sequence| &sequence.pieces) {
            let flags = u8::from(piece.ends_word) * ENDS_WORD + LIST;
            self.entry(Entry { of: list, flags, count: 0, first: 0 }, piece);
        }
        self.lists.push(of.clone());
        Ok(list)
    }

    fn finish(mut self) -> Index {
        self.chains.sort_by_key(|chain| chain.2[0].0);
        let lists = self.lists.len() as u16;
        let before = |list: u16| self.chains.iter().filter(|chain| chain.2[0].0 < list).count() as u16;
        let chains_of: Vec<u16> = (0..=lists).map(before).collect();
        let (states, ends, tails) = self.trie.double_array();
        let begins = self.trie.begins();
        Index {
            states: states.into(),
            ends: ends.into(),
            entries: self.entries.into(),
            parts: self.parts.into(),
            letters: self.letters.into(),
            tails: tails.into(),
            begins: begins.into(),
            chains: self.chains.into(),
            chains_of: chains_of.into(),
        }
    }
}

fn names(words: &[(String, Vec<Sequence>)]) -> String {
    words.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str], text: &str) -> Vec<u16> {
        let read: Vec<Pattern> = patterns.iter().map(|pattern| pattern::read(pattern).unwrap()).collect();
        let numbered: Vec<(u16, &Pattern)> =
            read.iter().enumerate().map(|(rule, one)| (rule as u16, one)).collect();
        let words = vec![("who".to_owned(), pattern::parse("(user|mailbox|邮箱)").unwrap())];
        let mut rules = std::collections::BTreeSet::new();
        let index = Index::build(&numbered, &words).unwrap();
        index.search(
            text.as_bytes(),
            &mut Seen::default(),
            |_| true,
            |rule, start, end| {
                assert!(start < end && end <= text.len());
                rules.insert(rule);
            },
        );
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
    fn chains_stand_close_together() {
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
        assert!(Index::build(&[(0, &pattern::read("{nobody} full").unwrap())], &[]).is_err());
    }
}
