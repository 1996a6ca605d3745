//! The syntax of patterns: from what a rule says to what is looked for. `README.md` describes it.
//!
//! A plain pattern becomes sequences of pieces: literals that follow one another, with anything in
//! between. A pattern with `{words}` or `~` becomes a chain: lists of words and how far apart they
//! may be. Not here: looking for one in a text (`matching`, `search`). Invariant: alternatives are
//! written out (`sequence`), so that nothing is left to decide when a text is read.

use crate::sequence::{sequences, Sequence};

/// More parts than this are a mistake.
const MOST_PARTS: usize = 60;
/// A chain has a fixed place for each of its parts.
pub const MOST_LINKS: usize = 4;

/// What may be between a link of a chain and the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// Punctuation at most.
    Next,
    /// `~`: a few words of the same sentence.
    Near,
    /// `*`: anything.
    Far,
}

/// A part of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Words {
    /// A list of `words.toml`.
    Named(String),
    Literal(Vec<Sequence>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// One of these.
    Plain(Vec<Sequence>),
    /// These, one after the other.
    Chain(Vec<(Joint, Words)>),
}

/// Reads a pattern. The error is a sentence with the remedy.
pub fn read(pattern: &str) -> Result<Pattern, String> {
    let mut chain = ChainReader { links: Vec::new(), joint: Joint::Next, literal: String::new() };
    let mut depth = 0;
    let mut is_chain = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                chain.literal.push(letter);
                chain.literal.extend(letters.next());
            }
            '*' if depth == 0 && chain.is_in_word(letters.peek().copied()) => chain.literal.push(letter),
            '~' | '*' if depth == 0 => {
                chain.close_literal()?;
                is_chain |= letter == '~';
                chain.joint = if letter == '~' { Joint::Near } else { Joint::Far };
            }
            '{' if depth == 0 => {
                chain.close_literal()?;
                is_chain = true;
                let name: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                chain.add(Words::Named(name));
            }
            '{' | '}' | '~' => return Err(format!("{letter} is not allowed in parentheses: remove it")),
            _ => {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                chain.literal.push(letter);
            }
        }
        if !is_chain && chain.links.len() > MOST_PARTS {
            return Err("it has too many parts: make it shorter".into());
        }
    }
    if !is_chain {
        return sequences(pattern).map(Pattern::Plain);
    }
    chain.close_literal()?;
    chain.finish()
}

struct ChainReader {
    links: Vec<(Joint, Words)>,
    /// Between the last link and the next.
    joint: Joint,
    /// The literal that is being read.
    literal: String,
}

impl ChainReader {
    fn add(&mut self, words: Words) {
        self.links.push((self.joint, words));
        self.joint = Joint::Next;
    }

    fn close_literal(&mut self) -> Result<(), String> {
        let literal = std::mem::take(&mut self.literal);
        if !literal.trim().is_empty() {
            let words = Words::Literal(sequences(literal.trim())?);
            self.add(words);
        }
        Ok(())
    }

    /// Whether a `*` touches a word: `quota*`, `*quota`. Otherwise it joins two links.
    fn is_in_word(&self, next: Option<char>) -> bool {
        self.literal.ends_with(|before: char| !before.is_whitespace())
            || next.is_some_and(|after| !after.is_whitespace() && !"~{".contains(after))
    }

    fn finish(self) -> Result<Pattern, String> {
        if !(1..=MOST_LINKS).contains(&self.links.len()) {
            return Err("a pattern with {words} or ~ has one to four parts: make it shorter".into());
        }
        let is_plain =
            |sequence: &Sequence| !sequence.begins_text && !sequence.ends_text && sequence.pieces.len() == 1;
        for (_, words) in &self.links {
            if matches!(words, Words::Literal(sequences) if !sequences.iter().all(is_plain)) {
                return Err(
                    "a pattern with {words} or ~ cannot have ^, $ or a * in parentheses: remove them".into(),
                );
            }
        }
        Ok(Pattern::Chain(self.links))
    }
}
