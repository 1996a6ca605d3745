//! Makes an index of the patterns of all rules.
//!
//! `build.rs` calls it for the shipped rules, `settings` for an operator's own. Not here: searching
//! (`search`). Invariant: the order of the rules decides nothing in the index but the numbers in
//! it.

use crate::double_array::double_array;
use crate::index::{
    Chain, End, Entry, Index, Part, ANYWHERE, BEGINS_TEXT, EARLIER, ENDS_TEXT, ENDS_WORD, LAST, LIST,
    PART_BEGINS_WORD, PART_ENDS_WORD, PART_FLAGS, PLACE, VERIFY,
};
use crate::pattern::{Joint, Pattern, Words, MOST_LINKS};
use crate::sequence::{Piece, Sequence};
use crate::trie::{Nodes, Trie, WITHIN, WORD};
use std::collections::HashMap;

/// Lists of words by their names.
pub type Lists = [(String, Vec<Sequence>)];

/// The index of these patterns, each with the place of its rule, after `arrange` has seen its trie.
/// The error is about a chain that names an unknown list.
pub fn compile(
    patterns: &[(u16, &Pattern)],
    named: &Lists,
    arrange: impl Fn(Nodes) -> Nodes,
) -> Result<Index, String> {
    let mut compiler = Compiler { named, ..Compiler::default() };
    for (rule, pattern) in patterns {
        match pattern {
            Pattern::Plain(sequences) => {
                sequences.iter().for_each(|sequence| compiler.plain(*rule, sequence))
            }
            Pattern::Chain(links) => compiler.chain(*rule, links)?,
        }
    }
    Ok(compiler.finish(arrange))
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
    /// The place of each list.
    lists: HashMap<Words, u16>,
    chains: Vec<Chain>,
}

impl Compiler<'_> {
    fn plain(&mut self, rule: u16, sequence: &Sequence) {
        let Some(anchor) = sequence.pieces.iter().rev().max_by_key(|piece| piece.literal.len()) else {
            return;
        };
        if sequence.pieces.len() == 1 && !sequence.begins_text && !sequence.ends_text {
            return self.add(rule.into(), anchor);
        }
        let flags = u8::from(sequence.begins_text) * BEGINS_TEXT + u8::from(sequence.ends_text) * ENDS_TEXT;
        let first = self.parts.len();
        for piece in &sequence.pieces {
            let letters = &mut self.letters;
            let from = *self.known.entry(piece.literal.clone()).or_insert_with(|| {
                letters.extend((piece.literal.len() as u16).to_le_bytes());
                letters.extend_from_slice(&piece.literal);
                letters.len() - piece.literal.len() - 2
            });
            let flags = Part::from(piece.begins_word) * PART_BEGINS_WORD
                + Part::from(piece.ends_word) * PART_ENDS_WORD;
            self.parts.push((from as Part) << PART_FLAGS | flags);
        }
        let count = (self.parts.len() - first) as u8;
        self.add(VERIFY | self.entries.len() as End, anchor);
        self.entries.push(Entry { of: rule, flags, count, first: first as u32 });
    }

    fn add(&mut self, end: End, piece: &Piece) {
        let is_latin = piece.literal[0].is_ascii_alphanumeric();
        let is_anywhere = is_latin && !piece.begins_word && !piece.ends_word;
        let end = end | if piece.ends_word { ENDS_WORD } else { 0 } | if is_anywhere { ANYWHERE } else { 0 };
        self.trie.insert(WORD, &piece.literal, end);
        if !piece.begins_word {
            self.trie.insert(WITHIN, &piece.literal, end);
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
        if let Some(place) = self.lists.get(words) {
            return Ok(*place);
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
            self.add(LIST | End::from(list), piece);
        }
        self.lists.insert(words.clone(), list);
        Ok(list)
    }

    fn finish(mut self, arrange: impl Fn(Nodes) -> Nodes) -> Index {
        self.chains.sort_by_key(|chain| chain.2[0].0);
        let before =
            |list: usize| self.chains.partition_point(|chain| usize::from(chain.2[0].0) < list) as u16;
        let chains_of: Vec<u16> = (0..=self.lists.len()).map(before).collect();
        let mut flags = vec![0; self.lists.len()];
        for Chain(_, count, links) in &self.chains {
            flags[usize::from(links[0].0)] |= LAST;
            links[1..usize::from(*count)].iter().for_each(|(list, _)| flags[usize::from(*list)] |= EARLIER);
        }
        self.trie.sort();
        let mut nodes = self.trie.nodes();
        for end in nodes.ends.iter_mut().filter(|end| **end & LIST != 0) {
            *end |= flags[(*end & PLACE) as usize];
        }
        let nodes = arrange(nodes);
        let states = double_array(&nodes);
        let begins = self.trie.begins();
        Index {
            states: states.into(),
            ends: nodes.ends.into(),
            entries: self.entries.into(),
            parts: self.parts.into(),
            letters: self.letters.into(),
            leaves: nodes.leaves.into(),
            tails: nodes.tails.into(),
            begins: begins.into(),
            chains: self.chains.into(),
            chains_of: chains_of.into(),
        }
    }
}
