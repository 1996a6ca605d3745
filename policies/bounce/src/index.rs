//! Which patterns stand in a text: one walk over it, however many patterns there are.
//!
//! Of each pattern the longest piece is an anchor. The anchors form a double-array trie that is entered at every beginning
//! of a word, and by way of a second root everywhere else for the anchors that may stand within words. Whoever is
//! found this way is verified by `pattern::matches`. The tables are made when the policy is built (`build.rs`), for an
//! operator's own rules when the settings are read. Work grows with the text and with what is found in it, never with
//! the number of patterns.

use crate::pattern::{self, Sequence};
use std::borrow::Cow;

/// One state of the trie: where its successors begin, who leads here (plus one; 0 is nobody), and where in `ends` the
/// patterns stand whose anchor ends here (plus one; 0 is none).
#[derive(Clone, Copy, Debug, Default)]
pub struct State(pub u32, pub u32, pub u32);

/// A pattern: its rule, its flags, its pieces.
#[derive(Clone, Copy, Debug)]
pub struct Pattern {
    /// The rule's place in the order.
    pub rule: u16,
    /// See the constants.
    pub flags: u8,
    /// How many pieces.
    pub count: u8,
    /// The first of its pieces.
    pub first: u32,
}

/// The anchor may not be touched by a letter or digit on its right.
pub const ENDS_WORD: u8 = 1;
/// See `Sequence`.
pub const BEGINS_TEXT: u8 = 2;
/// See `Sequence`.
pub const ENDS_TEXT: u8 = 4;
/// The anchor is not all: verify.
pub const VERIFY: u8 = 8;

/// A piece: where its literal begins in `letters`, its length, and its flags.
#[derive(Clone, Copy, Debug)]
pub struct Part(pub u32, pub u16, pub u8);

/// `Piece::begins_word`
pub const PART_BEGINS_WORD: u8 = 1;
/// `Piece::ends_word`
pub const PART_ENDS_WORD: u8 = 2;

/// States 0 and 1 are the roots: of all anchors, and of those that may stand within words.
const WORD: usize = 0;
const WITHIN: usize = 1;
/// In `ends`: more follow.
const MORE: u32 = 1 << 31;

/// The tables.
#[derive(Clone, Debug)]
pub struct Index {
    /// The trie.
    pub states: Cow<'static, [State]>,
    /// Lists of patterns.
    pub ends: Cow<'static, [u32]>,
    /// All patterns.
    pub patterns: Cow<'static, [Pattern]>,
    /// All pieces.
    pub parts: Cow<'static, [Part]>,
    /// All literals.
    pub letters: Cow<'static, [u8]>,
}

/// Which patterns were tried in a text. Made to be used again.
#[derive(Debug, Default)]
pub struct Tried(Vec<u64>);

impl Index {
    /// Calls `found` with the rule of every pattern that stands in the text, where it begins and where it ends. `wanted`
    /// says beforehand whether a rule is worth verifying.
    pub fn search(
        &self,
        text: &[u8],
        tried: &mut Tried,
        wanted: impl Fn(u16) -> bool,
        mut found: impl FnMut(u16, usize, usize),
    ) {
        let (states, ends) = (&*self.states, &*self.ends);
        tried.0.clear();
        let mut in_word = false;
        for start in 0..text.len() {
            let byte = text[start];
            let root = if in_word { WITHIN } else { WORD };
            in_word = byte.is_ascii_alphanumeric();
            let mut state = root;
            let mut at = start;
            while let Some(byte) = text.get(at) {
                let next = states[state].0 as usize + usize::from(*byte);
                match states.get(next) {
                    Some(State(_, parent, _)) if *parent as usize == state + 1 => {}
                    _ => break,
                }
                state = next;
                at += 1;
                let list = states[state].2;
                if list != 0 {
                    let whole_word = !text.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() && text[at - 1].is_ascii_alphanumeric());
                    let mut place = list as usize - 1;
                    loop {
                        let entry = ends[place];
                        self.check(entry & !MORE, (start, at), whole_word, text, tried, &wanted, &mut found);
                        if entry & MORE == 0 {
                            break;
                        }
                        place += 1;
                    }
                }
            }
        }
    }

    #[inline]
    fn check(
        &self,
        number: u32,
        (start, end): (usize, usize),
        whole_word: bool,
        text: &[u8],
        tried: &mut Tried,
        wanted: &impl Fn(u16) -> bool,
        found: &mut impl FnMut(u16, usize, usize),
    ) {
        let pattern = self.patterns[number as usize];
        if pattern.flags & ENDS_WORD != 0 && !whole_word || !wanted(pattern.rule) {
            return;
        }
        if pattern.flags & VERIFY == 0 {
            return found(pattern.rule, start, end);
        }
        if tried.0.is_empty() {
            tried.0.resize(self.patterns.len().div_ceil(64), 0);
        }
        let (word, bit) = (number as usize / 64, 1 << (number % 64));
        if tried.0[word] & bit != 0 {
            return;
        }
        tried.0[word] |= bit;
        let first = pattern.first as usize;
        let pieces = self.parts[first..first + usize::from(pattern.count)].iter().map(|Part(from, length, flags)| {
            let from = *from as usize;
            let literal = &self.letters[from..from + usize::from(*length)];
            (literal, flags & PART_BEGINS_WORD != 0, flags & PART_ENDS_WORD != 0)
        });
        let (begins, ends) = (pattern.flags & BEGINS_TEXT != 0, pattern.flags & ENDS_TEXT != 0);
        if let Some((start, end)) = pattern::matches(pieces, begins, ends, text) {
            found(pattern.rule, start, end);
        }
    }

    /// Makes the tables of the sequences and their rules.
    pub fn build(sequences: &[(u16, Sequence)]) -> Index {
        let mut trie = Trie::default();
        let (mut patterns, mut parts, mut letters) = (Vec::new(), Vec::new(), Vec::new());
        let mut known = std::collections::HashMap::new();
        for (rule, sequence) in sequences {
            let Some(anchor) = sequence.pieces.iter().rev().max_by_key(|piece| piece.literal.len()) else { continue };
            let number = patterns.len() as u32;
            let verify = sequence.pieces.len() > 1 || sequence.begins_text || sequence.ends_text;
            let flags = u8::from(anchor.ends_word) * ENDS_WORD
                + u8::from(sequence.begins_text) * BEGINS_TEXT
                + u8::from(sequence.ends_text) * ENDS_TEXT
                + u8::from(verify) * VERIFY;
            let first = parts.len() as u32;
            if verify {
                for piece in &sequence.pieces {
                    let from = *known.entry(piece.literal.clone()).or_insert_with(|| {
                        letters.extend_from_slice(&piece.literal);
                        letters.len() - piece.literal.len()
                    });
                    let flags =
                        u8::from(piece.begins_word) * PART_BEGINS_WORD + u8::from(piece.ends_word) * PART_ENDS_WORD;
                    parts.push(Part(from as u32, piece.literal.len() as u16, flags));
                }
            }
            let count = (parts.len() - first as usize) as u8;
            patterns.push(Pattern { rule: *rule, flags, count, first });
            trie.insert(WORD, &anchor.literal, number);
            if !anchor.begins_word {
                trie.insert(WITHIN, &anchor.literal, number);
            }
        }
        let (states, ends) = trie.double_array();
        Index { states: states.into(), ends: ends.into(), patterns: patterns.into(), parts: parts.into(), letters: letters.into() }
    }
}

/// A trie with lists of successors, from which the double array is made.
struct Trie {
    next: Vec<std::collections::BTreeMap<u8, usize>>,
    ends: Vec<Vec<u32>>,
}

impl Default for Trie {
    fn default() -> Trie {
        Trie { next: vec![Default::default(); 2], ends: vec![Vec::new(); 2] }
    }
}

impl Trie {
    fn insert(&mut self, root: usize, literal: &[u8], pattern: u32) {
        let mut node = root;
        for byte in literal {
            let fresh = self.next.len();
            node = *self.next[node].entry(*byte).or_insert(fresh);
            if node == fresh {
                self.next.push(Default::default());
                self.ends.push(Vec::new());
            }
        }
        self.ends[node].push(pattern);
    }

    fn double_array(&self) -> (Vec<State>, Vec<u32>) {
        let mut states = vec![State::default(); 1024];
        let mut ends = Vec::new();
        states[WORD].1 = u32::MAX;
        states[WITHIN].1 = u32::MAX;
        let mut free_from = 2;
        let mut queue = std::collections::VecDeque::from([(WORD, WORD), (WITHIN, WITHIN)]);
        while let Some((node, slot)) = queue.pop_front() {
            if let Some((last, others)) = self.ends[node].split_last() {
                states[slot].2 = ends.len() as u32 + 1;
                ends.extend(others.iter().map(|pattern| pattern | MORE));
                ends.push(*last);
            }
            let Some(lowest) = self.next[node].keys().next().map(|byte| usize::from(*byte)) else { continue };
            while states.get(free_from).is_some_and(|state| state.1 != 0) {
                free_from += 1;
            }
            let mut base = free_from.saturating_sub(lowest);
            loop {
                if states.len() < base + 256 {
                    states.resize(base + 1024, State::default());
                }
                if self.next[node].keys().all(|byte| states[base + usize::from(*byte)].1 == 0) {
                    break;
                }
                base += 1;
            }
            states[slot].0 = base as u32;
            for (byte, child) in &self.next[node] {
                let at = base + usize::from(*byte);
                states[at].1 = slot as u32 + 1;
                queue.push_back((*child, at));
            }
        }
        let used = states.iter().rposition(|state| state.1 != 0).map_or(0, |last| last + 1);
        states.truncate(used);
        (states, ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(patterns: &[&str], text: &str) -> Vec<u16> {
        let mut sequences = Vec::new();
        for (rule, pattern) in patterns.iter().enumerate() {
            sequences.extend(pattern::parse(pattern).unwrap().into_iter().map(|sequence| (rule as u16, sequence)));
        }
        let mut rules = std::collections::BTreeSet::new();
        Index::build(&sequences).search(text.as_bytes(), &mut Tried::default(), |_| true, |rule, start, end| {
            assert!(start < end && end <= text.len());
            rules.insert(rule);
        });
        rules.into_iter().collect()
    }

    #[test]
    fn every_pattern_in_the_text_is_found() {
        let patterns = ["user unknown", "user", "*quota", "mailbox * full", "^no$", "unknown", "quot*", "user unkno", "邮箱"];
        assert_eq!(found(&patterns, "user unknown: overquota"), [0, 1, 2, 5]);
        assert_eq!(found(&patterns, "the mailbox of @ is full: quotas"), [3, 6]);
        assert_eq!(found(&patterns, "@: no."), [4]);
        assert_eq!(found(&patterns, "no 邮箱"), [8]);
        assert_eq!(found(&patterns, ""), [0_u16; 0]);
        assert_eq!(found(&[], "user"), [0_u16; 0]);
    }
}
