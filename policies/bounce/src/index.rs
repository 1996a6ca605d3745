//! The tables in which the patterns of all rules are found in one walk over a text.
//!
//! Literals form a trie (`trie`). Of a plain pattern only the longest piece is in it; `parts` and
//! `letters` hold all pieces, to verify the rest. Words of a list lead to the chains whose last
//! link they are. Not here: how the tables are made (`compile`, when the policy is built, or for
//! own rules when the settings are read) and how they are searched (`search`).

use crate::pattern::MOST_LINKS;
use crate::trie::State;
use std::borrow::Cow;

/// A plain pattern whose longest piece is a literal of the trie.
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
/// The literal is not the whole pattern: verify the rest.
pub const VERIFY: u8 = 4;

/// What a literal belongs to, as a number: the place in `entries`, or that of a list of words, and
/// these bits.
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
/// The bits of the place.
pub const PLACE: End = ANYWHERE - 1;

/// A piece: where its literal begins in `letters`, its length, and its flags.
#[derive(Clone, Copy, Debug)]
pub struct Part(pub u32, pub u16, pub u8);

pub const PART_BEGINS_WORD: u8 = 1;
pub const PART_ENDS_WORD: u8 = 2;

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
    /// The literals to verify, joined.
    pub letters: Cow<'static, [u8]>,
    /// The rests of literals after their last branch in the trie.
    pub tails: Cow<'static, [u8]>,
    /// A set of bits for each root: whether a literal begins with three letters, by their hash.
    pub begins: Cow<'static, [u32]>,
    /// In the order of the list that their last link asks for.
    pub chains: Cow<'static, [Chain]>,
    /// For each list where its chains begin, and the end of the last.
    pub chains_of: Cow<'static, [u16]>,
}
