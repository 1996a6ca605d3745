//! Plain patterns, or the literals of a chain, with their alternatives written out:
//! `(user|recipient) unknown` is two sequences.
//!
//! Not here: `{words}` and `~` (`pattern`). Invariant: a pattern never becomes more than [`MOST`]
//! sequences, and each holds something longer than one letter.

use crate::letters::fold;
use std::iter::Peekable;
use std::str::Chars;

/// More sequences than this are a mistake, not a pattern.
const MOST: usize = 4096;
/// The deepest nesting of parentheses.
const DEEPEST: usize = 8;

/// A literal, in the form that `diagnostic` gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    pub literal: Vec<u8>,
    /// No letter or digit may touch it on the left.
    pub begins_word: bool,
    /// No letter or digit may touch it on the right.
    pub ends_word: bool,
}

/// Pieces in order, at least one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence {
    pub pieces: Vec<Piece>,
    /// Only punctuation and addresses may come before the first piece.
    pub begins_text: bool,
    /// Only punctuation and addresses may come after the last piece.
    pub ends_text: bool,
}

#[derive(Clone, Debug)]
enum Item {
    Letter(char),
    Gap,
    Either(Vec<Vec<Item>>),
}

/// The sequences that a pattern means. The error is a sentence with the remedy.
pub fn sequences(pattern: &str) -> Result<Vec<Sequence>, String> {
    let begins_text = pattern.starts_with('^');
    let rest = pattern.strip_prefix('^').unwrap_or(pattern);
    let ends_text = rest.ends_with('$') && !rest.ends_with("\\$");
    let rest = if ends_text { &rest[..rest.len() - 1] } else { rest };
    let texts = if rest.contains(['(', ')', '|', '*', '\\']) { texts(rest)? } else { vec![plain(rest)] };
    let mut sequences: Vec<Sequence> = Vec::new();
    for letters in texts {
        let pieces = pieces(&letters);
        if pieces.is_empty() {
            return Err("it holds no text: give at least a word".into());
        }
        if pieces.iter().all(|piece| piece.literal.len() == 1 && piece.literal != b"@") {
            return Err("it holds nothing longer than one letter: give at least a word".into());
        }
        let sequence = Sequence { pieces, begins_text, ends_text };
        if !sequences.contains(&sequence) {
            sequences.push(sequence);
        }
    }
    Ok(sequences)
}

/// A text that means itself.
fn plain(text: &str) -> Vec<Option<char>> {
    let mut letters = Vec::with_capacity(text.len());
    letters.extend(text.chars().map(Some));
    letters
}

/// The texts that a pattern without its ends means. `None` is a gap.
fn texts(pattern: &str) -> Result<Vec<Vec<Option<char>>>, String> {
    let mut letters = pattern.chars().peekable();
    let items = items(&mut letters, 0)?;
    if letters.next().is_some() {
        return Err("there is a ) or | outside of parentheses: write \\) or \\|".into());
    }
    let mut texts = vec![Vec::new()];
    write_out(&items, &mut texts)?;
    Ok(texts)
}

fn items(letters: &mut Peekable<Chars>, depth: usize) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    while let Some(letter) = letters.peek().copied() {
        if matches!(letter, ')' | '|') {
            break;
        }
        if letter == '(' && depth == DEEPEST {
            return Err("its parentheses are nested too deep: use at most eight levels".into());
        }
        letters.next();
        items.push(match letter {
            '(' => Item::Either(either(letters, depth + 1)?),
            '*' => Item::Gap,
            '\\' => Item::Letter(letters.next().ok_or("it ends in a \\: write \\\\")?),
            _ => Item::Letter(letter),
        });
    }
    Ok(items)
}

/// The alternatives up to the `)`.
fn either(letters: &mut Peekable<Chars>, depth: usize) -> Result<Vec<Vec<Item>>, String> {
    let mut either = vec![items(letters, depth)?];
    loop {
        match letters.next() {
            Some('|') => either.push(items(letters, depth)?),
            Some(')') => return Ok(either),
            _ => return Err("a ( is not closed: add a ), or write \\(".into()),
        }
    }
}

/// Appends the items to each text, once for each alternative. `None` is a gap.
fn write_out(items: &[Item], texts: &mut Vec<Vec<Option<char>>>) -> Result<(), String> {
    for item in items {
        match item {
            Item::Letter(letter) => texts.iter_mut().for_each(|text| text.push(Some(*letter))),
            Item::Gap => texts.iter_mut().for_each(|text| text.push(None)),
            Item::Either(either) => {
                let before = std::mem::take(texts);
                for alternative in either {
                    let mut with = before.clone();
                    write_out(alternative, &mut with)?;
                    texts.append(&mut with);
                    if texts.len() > MOST {
                        return Err(format!(
                            "its alternatives make more than {MOST} texts: split it into several rules"
                        ));
                    }
                }
            }
        }
    }
    Ok(())
}

fn pieces(letters: &[Option<char>]) -> Vec<Piece> {
    let runs: Vec<&[Option<char>]> = letters.split(Option::is_none).collect();
    let last = runs.len() - 1;
    let piece = |(place, run): (usize, &&[Option<char>])| piece(run, place == 0, place == last);
    runs.iter().enumerate().filter_map(piece).collect()
}

/// One run of letters; none if it is blank.
fn piece(run: &[Option<char>], is_first: bool, is_last: bool) -> Option<Piece> {
    let mut literal = Vec::new();
    for letter in run.iter().flatten() {
        if !letter.is_whitespace() {
            fold(*letter, &mut literal);
        } else if literal.last() != Some(&b' ') {
            literal.push(b' ');
        }
    }
    let begins_word = is_first || literal.first() == Some(&b' ');
    let ends_word = is_last || literal.last() == Some(&b' ');
    let literal = literal.trim_ascii().to_vec();
    let (head, tail) = (*literal.first()?, *literal.last()?);
    let begins_word = begins_word && head.is_ascii_alphanumeric();
    let ends_word = ends_word && tail.is_ascii_alphanumeric();
    Some(Piece { literal, begins_word, ends_word })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_named() {
        for wrong in ["", "*", "a", "(a|b", "a|b", "a)", "x\\", "(((((((((a)))))))))"] {
            assert!(sequences(wrong).is_err(), "{wrong}");
        }
        assert!(sequences(&"(ab|cd)".repeat(13)).is_err());
    }
}
