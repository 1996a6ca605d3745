//! The trie in which literals are looked for, as a double array: a step is one addition and one
//! comparison.
//!
//! It is built here and walked in `search`. It knows bytes and numbers, not what they mean.

use std::collections::{BTreeMap, HashSet, VecDeque};

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

/// A trie with lists of successors, from which the double array is made.
#[derive(Clone, Debug)]
pub struct Trie {
    next: Vec<BTreeMap<u8, usize>>,
    ends: Vec<Vec<u32>>,
}

impl Default for Trie {
    fn default() -> Trie {
        Trie { next: vec![BTreeMap::new(); 2], ends: vec![Vec::new(); 2] }
    }
}

impl Trie {
    /// Adds a literal below a root.
    pub fn insert(&mut self, root: usize, literal: &[u8], entry: u32) {
        let mut node = root;
        for byte in literal {
            let fresh = self.next.len();
            node = *self.next[node].entry(*byte).or_insert(fresh);
            if node == fresh {
                self.next.push(BTreeMap::new());
                self.ends.push(Vec::new());
            }
        }
        self.ends[node].push(entry);
    }

    /// The bits of `begins` in `Index`.
    pub fn begins(&self) -> Vec<u32> {
        let mut bits = vec![0; 2 * BITS / 32];
        let mut set = |root: usize, a: u8, b: u8, c: u8| {
            let bit = hash(a, b, c);
            bits[root * BITS / 32 + bit / 32] |= 1 << (bit % 32);
        };
        for root in [WORD, WITHIN] {
            for (a, node) in self.next[root].iter().filter(|(a, _)| **a != b'@') {
                let seconds = &self.next[*node];
                let any = |ends: &Vec<u32>| !ends.is_empty();
                for b in (0..=255).filter(|b| any(&self.ends[*node]) || seconds.contains_key(b)) {
                    let thirds =
                        seconds.get(&b).filter(|node| !any(&self.ends[**node])).map(|node| &self.next[*node]);
                    let fits =
                        |c: &u8| any(&self.ends[*node]) || thirds.is_none_or(|thirds| thirds.contains_key(c));
                    (0..=255).filter(fits).for_each(|c| set(root, *a, b, c));
                }
            }
        }
        bits
    }

    /// The only way on from a node, if there is one and nothing ends before its end.
    fn tail(&self, mut node: usize) -> Option<(Vec<u8>, usize)> {
        let mut letters = Vec::new();
        while let Some((byte, next)) = self.next[node].first_key_value() {
            if self.next[node].len() > 1 || !self.ends[node].is_empty() || letters.len() == 255 {
                return None;
            }
            letters.push(*byte);
            node = *next;
        }
        Some((letters, node))
    }

    /// States, ends and tails.
    pub fn double_array(&self) -> (Vec<State>, Vec<u32>, Vec<u8>) {
        let (mut ends, mut tails) = (Vec::new(), Vec::new());
        let mut array = DoubleArray::new();
        let mut queue = VecDeque::from([(WORD, WORD), (WITHIN, WITHIN)]);
        while let Some((node, slot)) = queue.pop_front() {
            let tail = self.tail(node).filter(|_| slot > WITHIN);
            if let Some((letters, _)) = &tail {
                array.states[slot].0 = TAIL | tails.len() as u32;
                tails.push(letters.len() as u8);
                tails.extend_from_slice(letters);
            }
            let node = tail.map_or(node, |(_, end)| end);
            if let Some((last, others)) = self.ends[node].split_last() {
                array.states[slot].1 |= (ends.len() as u32 + 1) << 8;
                ends.extend(others.iter().map(|entry| entry | MORE));
                ends.push(*last);
            }
            let next = &self.next[node];
            if next.is_empty() {
                continue;
            }
            let base = array.base_for(next);
            array.states[slot].0 = base as u32;
            for (byte, child) in next {
                let at = base + usize::from(*byte);
                array.states[at].1 = (*byte).into();
                queue.push_back((*child, at));
            }
        }
        let states = array.finish();
        assert!(ends.len() < 1 << 23, "too many patterns for the trie");
        (states, ends, tails)
    }
}

struct DoubleArray {
    states: Vec<State>,
    /// The bases in use.
    bases: HashSet<usize>,
    /// Where one successor is tried first, and several. Below 256 some bytes would not fit.
    free_from: usize,
    several_from: usize,
}

impl DoubleArray {
    fn new() -> DoubleArray {
        let mut states = vec![State::default(); 1024];
        states[WORD].1 = 1;
        states[WITHIN].1 = 1;
        DoubleArray { states, bases: HashSet::new(), free_from: 256, several_from: 256 }
    }

    /// A base from which the places of all successors are free. One successor fits into any gap;
    /// several are tried from where several fitted last.
    fn base_for(&mut self, next: &BTreeMap<u8, usize>) -> usize {
        let lowest = next.keys().next().map_or(0, |byte| usize::from(*byte));
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
            }
            let is_free = |byte: &u8| self.states[base + usize::from(*byte)].1 == 0;
            if !self.bases.contains(&base) && next.keys().all(is_free) {
                break;
            }
            base += 1;
            attempts += 1;
        }
        self.bases.insert(base);
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
