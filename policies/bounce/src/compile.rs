//! Makes an index of the patterns of all rules.
//!
//! `build.rs` calls it for the shipped rules, `settings` for an operator's own. Not here: searching
//! (`search`). Invariant: the order of the rules decides nothing in the index but the numbers in
//! it.

use crate::index::{
    Chain, Entry, Index, Part, BEGINS_TEXT, ENDS_TEXT, ENDS_WORD, LIST, PART_BEGINS_WORD, PART_ENDS_WORD,
    VERIFY,
};
use crate::pattern::{Joint, Pattern, Words, MOST_LINKS};
use crate::sequence::{Piece, Sequence};
use crate::trie::{Trie, WITHIN, WORD};
use std::collections::HashMap;

/// Lists of words by their names.
pub type Lists = [(String, Vec<Sequence>)];

/// The index of these patterns, each with the place of its rule. The error is about a chain that
/// names an unknown list.
pub fn compile(patterns: &[(u16, &Pattern)], named: &Lists) -> Result<Index, String> {
    let mut compiler = Compiler { named, ..Compiler::default() };
    for (rule, pattern) in patterns {
        match pattern {
            Pattern::Plain(sequences) => {
                sequences.iter().for_each(|sequence| compiler.plain(*rule, sequence))
            }
            Pattern::Chain(links) => compiler.chain(*rule, links)?,
        }
    }
    Ok(compiler.finish())
}

#[derive(Default)]
struct Compiler<'a> {
    named: &'a Lists,
    trie: Trie,
    entries: Vec<Entry>,
    parts: Vec<Part>,
    letters: Vec<u8>,
    /// Where a literal is in `letters`.
    known: HashMap<Vec<u8>, usize>,
    lists: Vec<Words>,
    chains: Vec<Chain>,
}

impl Compiler<'_> {
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
        self.add(Entry { of: rule, flags, count, first: first as u32 }, anchor);
    }

    fn add(&mut self, entry: Entry, piece: &Piece) {
        let number = self.entries.len() as u32;
        self.entries.push(entry);
        self.trie.insert(WORD, &piece.literal, number);
        if !piece.begins_word {
            self.trie.insert(WITHIN, &piece.literal, number);
        }
    }

    fn chain(&mut self, rule: u16, links: &[(Joint, Words)]) -> Result<(), String> {
        let mut chain = Chain(rule, links.len() as u8, [(0, 0); MOST_LINKS]);
        for (place, (joint, words)) in links.iter().rev().enumerate() {
            chain.2[place] = (self.list(words)?, *joint as u8);
        }
        self.chains.push(chain);
        Ok(())
    }

    fn list(&mut self, words: &Words) -> Result<u16, String> {
        if let Some(place) = self.lists.iter().position(|list| list == words) {
            return Ok(place as u16);
        }
        let sequences = match words {
            Words::Literal(sequences) => sequences,
            Words::Named(name) => {
                let named = self.named.iter().find(|(known, _)| known == name);
                let names =
                    || self.named.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
                &named.ok_or_else(|| format!("unknown word list {{{name}}}: use one of {}", names()))?.1
            }
        };
        let list = self.lists.len() as u16;
        for piece in sequences.iter().flat_map(|sequence| &sequence.pieces) {
            let flags = u8::from(piece.ends_word) * ENDS_WORD + LIST;
            self.add(Entry { of: list, flags, count: 0, first: 0 }, piece);
        }
        self.lists.push(words.clone());
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
