//! The author of a message: the one mailbox of its one From field (RFC 5322 section 3.4), read
//! strictly.
//!
//! Not here: addresses that prove nothing (`addresses` takes what it can find). Invariant: a field
//! that two readers can read differently has no author: text after the angle brackets, groups,
//! routes, quoted local parts, blanks or comments within the address.

use crate::mailbox_syntax::is_mailbox;

/// A word of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Text without special characters.
    Atom(String),
    Quoted,
    Special(char),
}

/// A token, and whether a blank or a comment is before it.
type Spaced = (Token, bool);

/// The address of a From value that is exactly one mailbox.
pub(super) fn only_mailbox(value: &str) -> Option<String> {
    let tokens = tokens(value)?;
    let is = |c: char| move |(token, _): &Spaced| *token == Token::Special(c);
    let spec = match tokens.iter().position(is('<')) {
        None => &tokens[..],
        Some(open) => {
            let (close, inner) = tokens[open + 1..].split_last()?;
            let is_phrase = |(token, _): &Spaced| !matches!(token, Token::Special(c) if *c != '.');
            if !is('>')(close) || close.1 || inner.first()?.1 || !tokens[..open].iter().all(is_phrase) {
                return None;
            }
            inner
        }
    };
    let mut address = String::new();
    for (at, (token, is_spaced)) in spec.iter().enumerate() {
        match token {
            Token::Atom(text) if at == 0 || !is_spaced => address.push_str(text),
            Token::Special(c @ ('.' | '@')) if !is_spaced => address.push(*c),
            _ => return None,
        }
    }
    is_mailbox(&address).then_some(address)
}

/// `None`: a quoted string or a comment has no end, or there is a control character.
fn tokens(value: &str) -> Option<Vec<Spaced>> {
    let (mut found, mut is_spaced): (Vec<Spaced>, bool) = (Vec::new(), false);
    let mut chars = value.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            ' ' | '\t' => {
                is_spaced = true;
                continue;
            }
            '(' => {
                skip_comment(&mut chars)?;
                is_spaced = true;
                continue;
            }
            '"' => {
                skip_quoted(&mut chars)?;
                Token::Quoted
            }
            c if is_special(c) => Token::Special(c),
            c if !is_text(c) => return None,
            c => {
                let mut text = String::from(c);
                while let Some(c) = chars.next_if(|c| is_text(*c)) {
                    text.push(c);
                }
                Token::Atom(text)
            }
        };
        found.push((token, std::mem::take(&mut is_spaced)));
    }
    Some(found)
}

fn is_special(c: char) -> bool {
    "()<>[]:;@\\,.\"".contains(c)
}

fn is_text(c: char) -> bool {
    !is_special(c) && !c.is_control() && !c.is_whitespace() && c != char::REPLACEMENT_CHARACTER
}

fn skip_quoted(chars: &mut impl Iterator<Item = char>) -> Option<()> {
    loop {
        match chars.next()? {
            '"' => return Some(()),
            '\\' => _ = chars.next()?,
            _ => {}
        }
    }
}

/// Skips to the end of a comment; comments nest.
fn skip_comment(chars: &mut impl Iterator<Item = char>) -> Option<()> {
    let mut depth = 1usize;
    while depth > 0 {
        match chars.next()? {
            '\\' => _ = chars.next()?,
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_an_author() {
        for value in [
            "joe@a.example",
            " <joe@a.example> ",
            "Joe Doe <joe@a.example>",
            "\"Doe, Joe <x@y>\" <joe@a.example>",
            "J. Doe (his, own) <joe@a.example> (at <x@y> home)",
            "joe@a.example (Mail (Delivery) System)",
            "=?utf-8?q?J=C3=B6?= Doe <joe@a.example>",
            "Jö <joe@a.example>",
        ] {
            assert_eq!(only_mailbox(value).as_deref(), Some("joe@a.example"), "{value}");
        }
    }

    #[test]
    fn what_two_readers_read_differently_has_no_author() {
        for value in [
            "",
            "joe",
            "joe@a.example, x@b.example",
            "<joe@a.example>x@b.example",
            "Joe <joe@a.example> x@b.example",
            "<joe@a.example>(c)x@b.example",
            "<joe@a.example>\"x\" y@b.example",
            "g:<joe@a.example>x@b.example;",
            "g: joe@a.example;",
            "x@b.example <joe@a.example>",
            "<joe@a.example> <x@b.example>",
            "<<joe@a.example>>",
            "<@b.example:joe@a.example>",
            "joe @a.example",
            "joe@(c)a.example",
            "<joe@a.example (c)>",
            "joe x@a.example",
            "\"joe\"@a.example",
            "joe@[192.0.2.1]",
            "<joe@a.example",
            "joe@a.example>",
            "Joe (open <joe@a.example>",
            "\"Joe <joe@a.example>",
            "joe@a.example\u{0}",
            "jo\u{fffd}e@a.example",
            "joe@b.example@a.example",
        ] {
            assert_eq!(only_mailbox(value), None, "{value}");
        }
    }
}
