//! The syntax of patterns. README.md describes it; `matches` says what it means, `index` makes it fast.
//!
//! A plain pattern becomes one or more sequences of pieces: literal texts that have to follow one another, with anything in
//! between. Alternatives are written out, so that nothing is left to decide when a text is read. A pattern with `{words}`
//! or `~` becomes a chain: lists of words, and how far apart they may stand.

use crate::text;

/// More sequences than this are a mistake, not a pattern.
const MOST: usize = 4096;

/// A literal text, in the form that `text` gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// The bytes.
    pub literal: Vec<u8>,
    /// No letter or digit may touch it on the left.
    pub begins_word: bool,
    /// No letter or digit may touch it on the right.
    pub ends_word: bool,
}

/// Pieces in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sequence {
    /// At least one.
    pub pieces: Vec<Piece>,
    /// Nothing of meaning may stand before the first.
    pub begins_text: bool,
    /// Nothing of meaning may stand after the last.
    pub ends_text: bool,
}

/// What stands between a link of a chain and the one before.
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
#[derive(Clone, Debug, PartialEq)]
pub enum Words {
    /// A list of `words.toml`.
    Named(String),
    /// Literal texts.
    Literal(Vec<Sequence>),
}

/// What a pattern means.
#[derive(Clone, Debug, PartialEq)]
pub enum Pattern {
    /// One of these.
    Plain(Vec<Sequence>),
    /// These, one after the other.
    Chain(Vec<(Joint, Words)>),
}

/// Reads a pattern.
pub fn read(pattern: &str) -> Result<Pattern, String> {
    let mut links: Vec<(Joint, Words)> = Vec::new();
    let mut joint = Joint::Next;
    let mut literal = String::new();
    let mut depth = 0;
    let mut is_chain = false;
    let mut letters = pattern.chars().peekable();
    let close = |literal: &mut String, joint: &mut Joint, links: &mut Vec<(Joint, Words)>| {
        if !literal.trim().is_empty() {
            links.push((*joint, Words::Literal(parse(literal.trim())?)));
            *joint = Joint::Next;
        }
        literal.clear();
        Ok::<(), String>(())
    };
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                literal.push(letter);
                literal.extend(letters.next());
            }
            '*' if depth == 0
                && (literal.ends_with(|before: char| !before.is_whitespace())
                    || letters.peek().is_some_and(|after| !after.is_whitespace() && !"~{".contains(*after))) =>
            {
                literal.push(letter);
            }
            '~' | '*' if depth == 0 => {
                close(&mut literal, &mut joint, &mut links)?;
                is_chain |= letter == '~';
                joint = if letter == '~' { Joint::Near } else { Joint::Far };
            }
            '{' if depth == 0 => {
                close(&mut literal, &mut joint, &mut links)?;
                is_chain = true;
                let name: String = letters.by_ref().take_while(|letter| *letter != '}').collect();
                links.push((joint, Words::Named(name)));
                joint = Joint::Next;
            }
            '{' | '}' | '~' => return Err(format!("a {letter} stands in parentheses: take it out")),
            _ => {
                depth += i32::from(letter == '(') - i32::from(letter == ')');
                literal.push(letter);
            }
        }
        if !is_chain && links.len() > 60 {
            return Err("it has too many parts: make it shorter".into());
        }
    }
    if !is_chain {
        return parse(pattern).map(Pattern::Plain);
    }
    close(&mut literal, &mut joint, &mut links)?;
    if !(1..=4).contains(&links.len()) {
        return Err("a pattern with {words} or ~ has one to four parts: make it shorter".into());
    }
    let plain = |sequence: &Sequence| !sequence.begins_text && !sequence.ends_text && sequence.pieces.len() == 1;
    for (_, words) in &links {
        if matches!(words, Words::Literal(sequences) if !sequences.iter().all(plain)) {
            return Err("a pattern with {words} or ~ has neither ^ nor $, nor * in parentheses: take it out".into());
        }
    }
    Ok(Pattern::Chain(links))
}

#[derive(Clone, Debug)]
enum Item {
    Letter(char),
    Gap,
    Either(Vec<Vec<Item>>),
}

/// The sequences that a pattern stands for.
pub fn parse(pattern: &str) -> Result<Vec<Sequence>, String> {
    let begins_text = pattern.starts_with('^');
    let rest = pattern.strip_prefix('^').unwrap_or(pattern);
    let ends_text = rest.ends_with('$') && !rest.ends_with("\\$");
    let rest = if ends_text { &rest[..rest.len() - 1] } else { rest };
    let mut letters = rest.chars().peekable();
    let items = items(&mut letters, 0)?;
    if letters.next().is_some() {
        return Err("a ) or | stands outside of parentheses: write \\) or \\|".into());
    }
    let mut written = vec![Vec::new()];
    write_out(&items, &mut written)?;
    let mut sequences: Vec<Sequence> = Vec::new();
    for letters in written {
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

fn items(letters: &mut std::iter::Peekable<std::str::Chars>, depth: usize) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    while let Some(letter) = letters.peek().copied() {
        match letter {
            ')' | '|' => break,
            '(' if depth == 8 => return Err("its parentheses are too deep: eight levels are the most".into()),
            '(' => {
                letters.next();
                let mut either = vec![self::items(letters, depth + 1)?];
                loop {
                    match letters.next() {
                        Some('|') => either.push(self::items(letters, depth + 1)?),
                        Some(')') => break,
                        _ => return Err("a ( is not closed: add a ), or write \\(".into()),
                    }
                }
                items.push(Item::Either(either));
            }
            '*' => {
                letters.next();
                items.push(Item::Gap);
            }
            '\\' => {
                letters.next();
                items.push(Item::Letter(letters.next().ok_or("it ends in a \\: write \\\\")?));
            }
            _ => {
                letters.next();
                items.push(Item::Letter(letter));
            }
        }
    }
    Ok(items)
}

/// Appends the items to each text, as many times as there are alternatives. `None` is a gap.
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
                        return Err(format!("it stands for more than {MOST} texts: make it several rules"));
                    }
                }
            }
        }
    }
    Ok(())
}

fn pieces(letters: &[Option<char>]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let gaps: Vec<&[Option<char>]> = letters.split(Option::is_none).collect();
    for (place, run) in gaps.iter().enumerate() {
        let mut literal = Vec::new();
        for letter in run.iter().flatten() {
            if !letter.is_whitespace() {
                text::fold(*letter, &mut literal);
            } else if literal.last() != Some(&b' ') {
                literal.push(b' ');
            }
        }
        let (first, last) = (place == 0, place + 1 == gaps.len());
        let begins_word = first || literal.first() == Some(&b' ');
        let ends_word = last || literal.last() == Some(&b' ');
        let literal = literal.trim_ascii().to_vec();
        match (literal.first(), literal.last()) {
            (Some(head), Some(tail)) => {
                let begins_word = begins_word && head.is_ascii_alphanumeric();
                let ends_word = ends_word && tail.is_ascii_alphanumeric();
                pieces.push(Piece { literal, begins_word, ends_word });
            }
            _ => continue,
        }
    }
    pieces
}

/// Where the piece stands in the text, from `from` on.
fn find(piece: &[u8], begins_word: bool, ends_word: bool, text: &[u8], mut from: usize) -> Option<usize> {
    let first = *piece.first()?;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        let start = from + at;
        if text[start..].starts_with(piece)
            && !(begins_word && start > 0 && text[start - 1].is_ascii_alphanumeric())
            && !(ends_word && text.get(start + piece.len()).is_some_and(u8::is_ascii_alphanumeric))
        {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

/// Nothing of meaning: punctuation and addresses.
fn is_nothing(text: &[u8]) -> bool {
    text.iter().all(|byte| !byte.is_ascii_alphanumeric() && *byte < 0x80)
}

/// Where the pieces stand in the text, one after the other. Each is a literal and its two word ends.
pub fn matches<'a>(
    pieces: impl Iterator<Item = (&'a [u8], bool, bool)>,
    begins_text: bool,
    ends_text: bool,
    text: &[u8],
) -> Option<(usize, usize)> {
    let (mut start, mut end) = (None, 0);
    let mut last: (&[u8], bool, bool) = (b"", false, false);
    for (piece, begins_word, ends_word) in pieces {
        let at = find(piece, begins_word, ends_word, text, end)?;
        if start.is_none() {
            start = Some(at);
            if begins_text && !is_nothing(&text[..at]) {
                return None;
            }
        }
        end = at + piece.len();
        last = (piece, begins_word, ends_word);
    }
    let start = start?;
    if ends_text && !is_nothing(&text[end..]) {
        let mut further = end;
        loop {
            further = find(last.0, last.1, last.2, text, further)? + last.0.len();
            if is_nothing(&text[further..]) {
                return (!begins_text || is_nothing(&text[..start])).then_some((start, further));
            }
        }
    }
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(pattern: &str, text: &str) -> bool {
        let mut diagnostic = text::Diagnostic::default();
        diagnostic.read(text);
        parse(pattern).unwrap().iter().any(|sequence| {
            let pieces =
                sequence.pieces.iter().map(|piece| (&piece.literal[..], piece.begins_word, piece.ends_word));
            matches(pieces, sequence.begins_text, sequence.ends_text, &diagnostic.bytes).is_some()
        })
    }

    #[test]
    fn words_are_whole_unless_a_star_touches_them() {
        assert!(holds("spam", "this is SPAM."));
        assert!(!holds("spam", "no spammers, antispam"));
        assert!(holds("spam*", "no spammers") && holds("*spam", "antispam"));
        assert!(holds("mailbox * full", "mailbox of a@example.org is full"));
        assert!(holds("mailbox * full", "mailbox full") && !holds("mailbox * full", "full mailbox"));
        assert!(holds("over quota", "over\r\n  quota"));
    }

    #[test]
    fn alternatives_and_ends() {
        assert!(holds("(user|recipient) (is |)unknown", "Recipient is unknown"));
        assert!(holds("(user|recipient) (is |)unknown", "user unknown"));
        assert!(!holds("(user|recipient) (is |)unknown", "user not unknown"));
        assert!(holds("^rejected$", "550 5.7.1 <a@example.org>... Rejected."));
        assert!(!holds("^rejected$", "550 Rejected by me"));
        assert!(holds("^mail * rejected$", "mail was rejected and rejected"));
        assert!(holds("\\(bl\\)", "see x (BL)") && holds("boite pleine", "Boîte pleine"));
        assert!(holds("邮箱已满", "对方邮箱已满，退信"));
    }

    #[test]
    fn mistakes_are_named() {
        for wrong in ["", "*", "a", "(a|b", "a|b", "a)", "x\\", "(((((((((a)))))))))"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse(&"(ab|cd)".repeat(13)).is_err());
    }
}
