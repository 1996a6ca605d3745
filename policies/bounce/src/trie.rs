//! The trie in which literals are looked for, as a double array: a step is one addition and one
//! comparison.
//!
//! It is built here and walked in `search`. It knows bytes and numbers, not what they mean.

use std::collections::VecDeque;
use std::ops::Range;

/// One state: where its successors begin; and in one number the letter that leads to it (the low
/// byte; 0: unused) and the place in `ends`, plus one, of the entries whose literal ends here (0:
/// none). No two states begin their successors at the same place, so the letter alone tells whose
/// successor a state is. Where only one way leads on, the first is `TAIL` and a place in `tails`,
/// and the entries are those at the end of that way.
#[derive(Clone, Copy, Debug, Default)]
pub struct State(pub u32, pub u32);

/// The state is the last; the rest of the literal is in `tails`, its length first.
pub const TAIL: u32 = 1 << 31;

/// States 0 and 1 are the roots: of all literals, and of those that may begin within a word.
pub const WORD: usize = 0;
pub const WITHIN: usize = 1;
/// Bits of a set in `begins`.
pub const BITS: usize = 1 << 15;

/// The bit of three letters.
pub fn hash(a: u8, b: u8, c: u8) -> usize {
    (u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> 17) as usize
}

/// In `ends`: more entries follow.
pub const MORE: u32 = 1 << 31;

/// Literals in order, from which the double array is made: those below a state follow one another.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    literals: Vec<Literal>,
    letters: Vec<u8>,
}

/// The root, where the letters are, and the entry, in the order in which they were added.
#[derive(Clone, Debug)]
struct Literal(usize, Range<usize>, u32);

/// A state that has no successors yet: its literals, how many letters lead to it, and its place.
struct Open {
    literals: Range<usize>,
    depth: usize,
    slot: usize,
}

impl Trie {
    /// Adds a literal below a root.
    pub fn insert(&mut self, root: usize, literal: &[u8], entry: u32) {
        let from = self.letters.len();
        self.letters.extend_from_slice(literal);
        self.literals.push(Literal(root, from..self.letters.len(), entry));
    }

    fn letters(&self, Literal(_, place, _): &Literal) -> &[u8] {
        &self.letters[place.clone()]
    }

    /// The literals in order; equal ones as they were added. Call it after the last `insert`.
    pub fn sort(&mut self) {
        let mut literals = std::mem::take(&mut self.literals);
        literals.sort_by(|a, b| (a.0, self.letters(a)).cmp(&(b.0, self.letters(b))));
        self.literals = literals;
    }

    /// The bits of `begins` in `Index`.
    pub fn begins(&self) -> Vec<u32> {
        let mut bits = vec![0; 2 * BITS / 32];
        let any = 0..=u8::MAX;
        for literal in &self.literals {
            let mut set = |a: u8, b: u8, c: u8| {
                let bit = hash(a, b, c);
                bits[literal.0 * BITS / 32 + bit / 32] |= 1 << (bit % 32);
            };
            match *self.letters(literal) {
                [] | [b'@', ..] => {}
                [a] => any.clone().for_each(|b| any.clone().for_each(|c| set(a, b, c))),
                [a, b] => any.clone().for_each(|c| set(a, b, c)),
                [a, b, c, ..] => set(a, b, c),
            }
        }
        bits
    }

    /// The only way on from a state, if there is one and nothing ends before its end.
    fn tail(&self, open: &Open) -> Option<&[u8]> {
        let (first, last) = (&self.literals[open.literals.start], &self.literals[open.literals.end - 1]);
        let letters = self.letters(first);
        let is_only = open.slot > WITHIN && letters == self.letters(last);
        is_only.then(|| &letters[open.depth..]).filter(|tail| tail.len() <= 255)
    }

    /// States, ends and tails.
    pub fn double_array(&self) -> (Vec<State>, Vec<u32>, Vec<u8>) {
        let (mut ends, mut tails) = (Vec::new(), Vec::new());
        let mut array = DoubleArray::new();
        let within = self.literals.partition_point(|literal| literal.0 == WORD);
        let roots = [(0..within, WORD), (within..self.literals.len(), WITHIN)];
        let root = |(literals, slot)| Open { literals, depth: 0, slot };
        let mut queue: VecDeque<Open> =
            roots.into_iter().filter(|(literals, _)| !literals.is_empty()).map(root).collect();
        let mut next: Vec<(u8, Range<usize>)> = Vec::new();
        while let Some(open) = queue.pop_front() {
            let mut end = open.literals.end;
            if let Some(letters) = self.tail(&open) {
                array.states[open.slot].0 = TAIL | tails.len() as u32;
                tails.push(letters.len() as u8);
                tails.extend_from_slice(letters);
            } else {
                let longer = |literal: &Literal| literal.1.len() > open.depth;
                let ended = self.literals[open.literals.clone()].partition_point(|one| !longer(one));
                end = open.literals.start + ended;
            }
            if let Some((last, others)) = self.literals[open.literals.start..end].split_last() {
                array.states[open.slot].1 |= (ends.len() as u32 + 1) << 8;
                ends.extend(others.iter().map(|literal| literal.2 | MORE));
                ends.push(last.2);
            }
            next.clear();
            for at in end..open.literals.end {
                let letter = self.letters(&self.literals[at])[open.depth];
                match next.last_mut() {
                    Some((last, literals)) if *last == letter => literals.end = at + 1,
                    _ => next.push((letter, at..at + 1)),
                }
            }
            if next.is_empty() {
                continue;
            }
            let base = array.base_for(&next);
            array.states[open.slot].0 = base as u32;
            for (letter, literals) in next.drain(..) {
                let slot = base + usize::from(letter);
                array.states[slot].1 = letter.into();
                queue.push_back(Open { literals, depth: open.depth + 1, slot });
            }
        }
        let states = array.finish();
        assert!(ends.len() < 1 << 23, "too many patterns for the trie");
        (states, ends, tails)
    }
}

struct DoubleArray {
    states: Vec<State>,
    /// Whether each base is in use.
    bases: Vec<bool>,
    /// Where one successor is tried first, and several. Below 256 some bytes would not fit.
    free_from: usize,
    several_from: usize,
}

impl DoubleArray {
    fn new() -> DoubleArray {
        let mut states = vec![State::default(); 1024];
        states[WORD].1 = 1;
        states[WITHIN].1 = 1;
        DoubleArray { states, bases: vec![false; 1024], free_from: 256, several_from: 256 }
    }

    /// A base from which the places of all successors are free. One successor fits into any gap;
    /// several are tried from where several fitted last.
    fn base_for(&mut self, next: &[(u8, Range<usize>)]) -> usize {
        let lowest = next.first().map_or(0, |(letter, _)| usize::from(*letter));
        while self.states.get(self.free_from).is_some_and(|state| state.1 != 0) {
            self.free_from += 1;
        }
        let several = next.len() > 1;
        let first = if several { self.several_from.max(self.free_from) } else { self.free_from };
        let mut base = first.saturating_sub(lowest);
        let mut attempts = 0;
        loop {
            if self.states.len() < base + 256 {
                self.states.resize(base + 1024, State::default());
                self.bases.resize(base + 1024, false);
            }
            let is_free = |(letter, _): &(u8, Range<usize>)| self.states[base + usize::from(*letter)].1 == 0;
            if !self.bases[base] && next.iter().all(is_free) {
                break;
            }
            base += 1;
            attempts += 1;
        }
        self.bases[base] = true;
        if attempts > 500 {
            let from = if several { &mut self.several_from } else { &mut self.free_from };
            *from = base + lowest;
        }
        base
    }

    fn finish(mut self) -> Vec<State> {
        let used = self.states.iter().rposition(|state| state.1 != 0).map_or(0, |last| last + 1);
        self.states.truncate(used);
        self.states
    }
}
