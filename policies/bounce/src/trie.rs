//! The trie in which literals are looked for: how it is built, and the form in which it is searched.
//!
//! It knows bytes and numbers, not what they mean. Not here: where its states are placed
//! (`double_array`), which of them are the same (`shared`), and the search (`search`). Invariant: a
//! literal with a zero byte, which no text has, is left out.

use std::ops::Range;

/// One state: the letter that leads to it (the low byte; no letter: unused, or where a literal
/// ends), `ENDS`, `LEAF`, and above them a place: from where its successors are found, each at the
/// distance of its letter. No two states find their successors from the same place, so the letter
/// alone tells whose successor a state is.
pub type State = u32;

/// A literal ends here: which, says the state at distance zero, its place in `ends` above the low
/// byte.
pub const ENDS: State = 1 << 8;
/// Only one way leads on from here, and its end is the only one: the place is that of a [`Leaf`], or
/// with `ENDS`, if nothing follows, the place in `ends`.
pub const LEAF: State = 1 << 9;
/// The bits below the place.
pub const BELOW_PLACE: u32 = 10;

/// The rest of a literal after its last branch, which a zero byte ends: its place in `tails`, and
/// that of the literal in `ends`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Leaf(pub u32, pub u32);

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

/// Literals in order: those below a node follow one another.
#[derive(Clone, Debug, Default)]
pub struct Trie {
    literals: Vec<Literal>,
    letters: Vec<u8>,
}

/// The root, where the letters are, and the entry, in the order in which they were added.
#[derive(Clone, Debug)]
struct Literal(usize, Range<usize>, u32);

/// What the trie is made of. The first nodes are the roots, and every other comes after the one from
/// which a way leads to it.
#[derive(Debug, Default)]
pub struct Nodes {
    pub nodes: Vec<Node>,
    pub ways: Vec<Way>,
    /// The entries of the literals that end at one place, each but the last with `MORE`.
    pub ends: Vec<u32>,
    pub leaves: Vec<Leaf>,
    pub tails: Vec<u8>,
}

/// Where its literals are in `ends`, if any end here, and its ways in `Nodes`.
#[derive(Clone, Debug)]
pub struct Node {
    pub end: Option<u32>,
    pub ways: Range<usize>,
}

/// A letter, and where it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way(pub u8, pub To);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum To {
    /// The place of a node.
    Node(u32),
    /// The place of a leaf.
    Leaf(u32),
}

impl Trie {
    /// Adds a literal below a root.
    pub fn insert(&mut self, root: usize, literal: &[u8], entry: u32) {
        if !literal.contains(&0) {
            let from = self.letters.len();
            self.letters.extend_from_slice(literal);
            self.literals.push(Literal(root, from..self.letters.len(), entry));
        }
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

    /// The nodes, level by level.
    pub fn nodes(&self) -> Nodes {
        let mut nodes = Nodes::default();
        let within = self.literals.partition_point(|literal| literal.0 == WORD);
        // The literals below each node, and how many letters lead to it.
        let mut below = vec![(0..within, 0), (within..self.literals.len(), 0)];
        let mut done = 0;
        while let Some((literals, depth)) = below.get(done).cloned() {
            let longer = |literal: &Literal| literal.1.len() > depth;
            let ended = self.literals[literals.clone()].partition_point(|literal| !longer(literal));
            let ended = literals.start..literals.start + ended;
            let end = (!ended.is_empty()).then(|| self.end(ended.clone(), &mut nodes));
            let first = nodes.ways.len();
            let mut at = ended.end;
            while at < literals.end {
                let letter = self.letters(&self.literals[at])[depth];
                let same = |literal: &Literal| self.letters(literal)[depth] == letter;
                let with = at..at + self.literals[at..literals.end].partition_point(same);
                at = with.end;
                let to = match self.tail(&with, depth + 1) {
                    Some(tail) => To::Leaf(self.leaf(tail, with, &mut nodes)),
                    None => {
                        below.push((with, depth + 1));
                        To::Node(below.len() as u32 - 1)
                    }
                };
                nodes.ways.push(Way(letter, to));
            }
            nodes.nodes.push(Node { end, ways: first..nodes.ways.len() });
            done += 1;
        }
        nodes
    }

    /// The rest of these literals, if they are all the same.
    fn tail(&self, literals: &Range<usize>, depth: usize) -> Option<&[u8]> {
        let letters = self.letters(&self.literals[literals.start]);
        let is_only = letters == self.letters(&self.literals[literals.end - 1]);
        is_only.then(|| &letters[depth..])
    }

    fn leaf(&self, tail: &[u8], literals: Range<usize>, nodes: &mut Nodes) -> u32 {
        let place = nodes.tails.len() as u32;
        nodes.tails.extend_from_slice(tail);
        nodes.tails.push(0);
        let end = self.end(literals, nodes);
        nodes.leaves.push(Leaf(place, end));
        nodes.leaves.len() as u32 - 1
    }

    /// Their place in `ends`.
    fn end(&self, literals: Range<usize>, nodes: &mut Nodes) -> u32 {
        let place = nodes.ends.len() as u32;
        if let Some((last, others)) = self.literals[literals].split_last() {
            nodes.ends.extend(others.iter().map(|literal| literal.2 | MORE));
            nodes.ends.push(last.2);
        }
        place
    }
}
