//! Words for an unknown recipient that say nothing of this one: `if the user does not exist`, `20
//! recipients were unknown`, `who mails unknown users`.
//!
//! Not here: whose the subject is (`compound`, `clause`, `abroad`).

use crate::clause::{clause_start, words};
use crate::compound::{is_in, is_noun};
use std::ops::Range;

/// A list of `words.toml`: what begins a clause that may not be true.
const IF: &str = "if";
/// As many words may stand between it and the subject.
const BETWEEN: usize = 3;
/// Nouns that mean more than one recipient.
const MANY: [&[u8]; 9] = [
    b"accounts",
    b"addresses",
    b"addressees",
    b"customers",
    b"mailboxes",
    b"rcpts",
    b"recipients",
    b"subscribers",
    b"users",
];
/// Before them: it is counted how many there were.
const COUNTS: [&[u8]; 22] = [
    b"earlier",
    b"half",
    b"last",
    b"majority",
    b"many",
    b"most",
    b"often",
    b"past",
    b"percent",
    b"previous",
    b"recent",
    b"third",
    b"two",
    b"three",
    b"four",
    b"five",
    b"six",
    b"ten",
    b"twenty",
    b"dozens",
    b"hundreds",
    b"numerous",
];
/// A list of `words.toml`: the same in other languages, before any noun.
const MANY_ABROAD: &str = "many-abroad";
/// Before an adjective and such a noun: the clause is about these words themselves.
const OF_THEM: [&[u8]; 8] = [b"contact", b"mail", b"mailing", b"mails", b"of", b"probe", b"probing", b"to"];

/// Whether the words stand in a clause that begins with "if".
pub(crate) fn is_conditional(text: &[u8], span: &Range<usize>) -> bool {
    let found = &text[span.clone()];
    let is_one_clause = !found.iter().any(|byte| b":;".contains(byte));
    let before = words(&text[clause_start(text, span.start)..span.start]);
    let near = before.len().saturating_sub(BETWEEN);
    let has_cjk = |word: &str| text[clause_start(text, span.start)..span.start].starts_with(word.as_bytes());
    is_one_clause
        && (before[near..].iter().any(|word| is_in(IF, word))
            || ["如果", "若", "もし", "만약"].iter().any(|word| has_cjk(word)))
}

/// Whether the words are about a number of recipients.
pub(crate) fn is_counted(text: &[u8], span: &Range<usize>) -> bool {
    let before = &text[clause_start(text, span.start)..span.start];
    let found = words(&text[span.clone()]);
    let all = words(before);
    let near = &all[all.len().saturating_sub(BETWEEN)..];
    let is_number = |word: &&[u8]| word.iter().all(u8::is_ascii_digit) && **word != b"1"[..];
    let is_share = before.trim_ascii_end().contains(&b'%') && !near.is_empty();
    let is_first = found.first().is_some_and(|word| MANY.contains(word));
    let is_last = found.len() > 1 && found.last().is_some_and(|word| MANY.contains(word));
    let is_list_of_them =
        near.last().is_some_and(|word| OF_THEM.contains(word)) && all.iter().any(|word| is_noun(word));
    is_share
        || near.iter().any(|word| is_in(MANY_ABROAD, word))
        || is_first && near.iter().any(|word| COUNTS.contains(word) || is_number(word))
        || is_last
            && (is_list_of_them || near.last().is_some_and(|word| COUNTS.contains(word) || is_number(&word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says_nothing(text: &str, found: &str) -> bool {
        let start = text.find(found).unwrap();
        let span = start..start + found.len();
        is_conditional(text.as_bytes(), &span) || is_counted(text.as_bytes(), &span)
    }

    #[test]
    fn what_may_be_and_what_was_often_is_not_this_recipient() {
        for (text, found) in [
            ("when the mailbox does not exist we say so", "mailbox does not exist"),
            ("assuming the user does not exist", "user does not exist"),
            ("falls der benutzer nicht existiert, folgt mehr", "benutzer nicht existiert"),
            ("your last 30 recipients were unknown", "recipients were unknown"),
            ("70% of recipients do not exist", "recipients do not exist"),
            ("hosts that mail unknown users are refused", "unknown users"),
            ("most addresses were invalid", "addresses were invalid"),
            ("three unknown users, bye", "unknown users"),
            ("demasiados usuarios desconocidos", "usuarios desconocidos"),
        ] {
            assert!(says_nothing(text, found), "{text}");
        }
        for (text, found) in [
            ("all recipients are unknown", "recipients are unknown"),
            ("check if the address is right: user unknown", "address is right: user unknown"),
            ("if you see this, the user does not exist", "user does not exist"),
            ("unknown users", "unknown users"),
        ] {
            assert!(!says_nothing(text, found), "{text}");
        }
    }
}
