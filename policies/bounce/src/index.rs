//! The tables in which the patterns of all rules are found in one walk over a text.
//!
//! Literals form a trie (`trie`). Of a plain pattern only the longest piece is in it; if there are
//! more, `parts` and `letters` hold all pieces, to verify the rest. Words of a list lead to the
//! chains whose last link they are. Not here: how the tables are made (`compile`, when the policy is
//! built, or for own rules when the settings are read) and how they are searched (`search`).

use crate::pattern::MOST_LINKS;
use crate::trie::{Leaf, State};
use std::borrow::Cow;

/// A plain pattern of which only the longest piece is a literal of the trie: the rest is verified.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The rule's place in the order.
    pub of: u16,
    /// See the constants.
    pub flags: u8,
    /// How many pieces to verify.
    pub count: u8,
    /// The first of them, in `parts`.
    pub first: u32,
}

pub const BEGINS_TEXT: u8 = 1;
pub const ENDS_TEXT: u8 = 2;

/// What a literal belongs to, as a number: the place of the rule whose pattern it is, or a place in
/// `entries`, or that of a list of words, and these bits.
pub type End = u32;

/// It belongs to a list of words.
pub const LIST: End = 1 << 30;
/// No letter or digit may touch the literal on its right.
pub const ENDS_WORD: End = 1 << 29;
/// The list is the last link of a chain.
pub const LAST: End = 1 << 28;
/// The list is another link of a chain.
pub const EARLIER: End = 1 << 27;
/// Anything may touch the literal on both sides: it may be a part of a host's name.
pub const ANYWHERE: End = 1 << 26;
/// The literal is not the whole pattern: its place is one in `entries`.
pub const VERIFY: End = 1 << 25;
/// The bits of the place.
pub const PLACE: End = VERIFY - 1;

/// A piece: where its literal is in `letters`, above two flags.
pub type Part = u32;

pub const PART_BEGINS_WORD: Part = 1;
pub const PART_ENDS_WORD: Part = 2;
/// The bits of the flags.
pub const PART_FLAGS: u32 = 2;

/// A chain: its rule, the number of links, and each link's list and joint, the last link first.
#[derive(Clone, Copy, Debug)]
pub struct Chain(pub u16, pub u8, pub [(u16, u8); MOST_LINKS]);

#[derive(Clone, Debug)]
pub struct Index {
    pub states: Cow<'static, [State]>,
    /// What the literals belong to.
    pub ends: Cow<'static, [End]>,
    pub entries: Cow<'static, [Entry]>,
    pub parts: Cow<'static, [Part]>,
    /// The literals to verify, each after its length in two bytes.
    pub letters: Cow<'static, [u8]>,
    pub leaves: Cow<'static, [Leaf]>,
    /// The rests of literals after their last branch in the trie.
    pub tails: Cow<'static, [u8]>,
    /// A set of bits for each root: whether a literal begins with three letters, by their hash.
    pub begins: Cow<'static, [u32]>,
    /// In the order of the list that their last link asks for.
    pub chains: Cow<'static, [Chain]>,
    /// For each list where its chains begin, and the end of the last.
    pub chains_of: Cow<'static, [u16]>,
}
