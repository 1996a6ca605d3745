//! Words for an unknown recipient that say nothing of this one: `if the user does not exist`, `20
//! recipients were unknown`, `who mails unknown users`.
//!
//! Not here: whose the subject is (`compound`, `clause`, `abroad`).

use crate::clause::clause_start;
use crate::compound::is_noun;
use crate::words::{before, split, List};
use std::ops::Range;

/// A list of `words.toml`: what begins a clause that may not be true.
const IF: &List = List::named("if");
/// What begins such a clause in place of it: `sollte das Postfach unbekannt sein`.
const INVERTED: &List = List::named("if-inverted");
/// The same in more than one word: `each time`.
const WHENEVER: &List = List::named("whenever");
/// Before what somebody is not to be: `must not be an unknown user`.
const MUST_NOT: &List = List::named("must-not");
const ARTICLES: [&[u8]; 12] =
    [b"a", b"an", b"any", b"een", b"ein", b"eine", b"en", b"um", b"un", b"una", b"une", b"uno"];
const IF_CJK: [&str; 6] = ["如果", "若", "每当", "每次", "もし", "만약"];
/// Where they begin a clause, the whole clause may not be true.
const BEGINS: [&[u8]; 3] = [b"if", b"unless", b"whenever"];
/// As many words may stand between it and the subject.
const BETWEEN: usize = 3;
/// Nouns that mean more than one recipient.
pub(crate) const PLURALS: [&[u8]; 9] = [
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
const MANY_ABROAD: &List = List::named("many-abroad");
/// Before an adjective and such a noun: the clause is about these words themselves.
const OF_THEM: [&[u8]; 12] = [
    b"about",
    b"concerning",
    b"contact",
    b"for",
    b"mail",
    b"mailing",
    b"mails",
    b"of",
    b"probe",
    b"probing",
    b"regarding",
    b"to",
];

/// Before such a noun that a clause describes: `mailing users that do not exist`.
const OF_ANY: [&[u8]; 6] = [b"contacting", b"mail", b"mailing", b"mails", b"probing", b"trying"];

/// Whether the words stand in a clause that begins with "if".
pub(crate) fn is_conditional(text: &[u8], span: &Range<usize>) -> bool {
    let before = &text[clause_start(text, span.start)..span.start];
    let has_cjk = |word: &&str| before.starts_with(word.as_bytes());
    let begins = || {
        split(before).rev().take(BETWEEN).any(|word| IF.has(word))
            || split(before).next().is_some_and(|word| BEGINS.contains(&word) || INVERTED.has(word))
            || WHENEVER.is_in(before)
            || IF_CJK.iter().any(has_cjk)
    };
    let is_one_clause = || !text[span.clone()].iter().any(|byte| b":;".contains(byte));
    !before.is_empty() && (begins() || is_not_to_be(text, span.start)) && is_one_clause()
}

fn is_not_to_be(text: &[u8], start: usize) -> bool {
    let article = before(text, start);
    let end = if ARTICLES.contains(&&text[article.clone()]) { article.start } else { start };
    MUST_NOT.ends(text[..end].trim_ascii_end())
}

/// Whether the words are about a number of recipients.
pub(crate) fn is_counted(text: &[u8], span: &Range<usize>) -> bool {
    let before = &text[clause_start(text, span.start)..span.start];
    let Some(last_before) = split(before).next_back() else { return false };
    let near = || split(before).rev().take(BETWEEN);
    let is_number = |word: &[u8]| word.iter().all(u8::is_ascii_digit) && *word != b"1"[..];
    let is_count = |word: &[u8]| COUNTS.contains(&word) || is_number(word);
    let found_text = &text[span.clone()];
    let mut found = split(found_text);
    let is_first = found.next().is_some_and(|word| PLURALS.contains(&word));
    let is_last = found.next_back().is_some_and(|word| PLURALS.contains(&word));
    let is_any_of_them =
        || OF_ANY.contains(&last_before) && found_text.windows(6).any(|that| that == b" that ");
    let is_list_of_them = || OF_THEM.contains(&last_before) && split(before).any(is_noun);
    before.trim_ascii_end().contains(&b'%')
        || near().any(|word| MANY_ABROAD.has(word))
        || is_first && (last_before == b"your" || near().any(is_count) || is_any_of_them())
        || is_last && (is_count(last_before) || is_list_of_them())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    fn says_nothing(text: &[u8], span: &Range<usize>) -> bool {
        is_conditional(text, span) || is_counted(text, span)
    }

    #[test]
    fn what_may_be_and_what_was_often_is_not_this_recipient() {
        expect_all(
            says_nothing,
            true,
            &[
                ("when the mailbox does not exist we say so", "mailbox does not exist"),
                ("assuming the user does not exist", "user does not exist"),
                ("falls der benutzer nicht existiert, folgt mehr", "benutzer nicht existiert"),
                ("your last 30 recipients were unknown", "recipients were unknown"),
                ("70% of recipients do not exist", "recipients do not exist"),
                ("hosts that mail unknown users are refused", "unknown users"),
                ("we refuse mail for nonexistent users, and you are listed", "nonexistent users"),
                ("most addresses were invalid", "addresses were invalid"),
                ("three unknown users, bye", "unknown users"),
                ("whenever one of the many recipients does not exist you pay", "recipients does not exist"),
                ("mailing addresses that do not exist costs", "addresses that do not exist"),
                ("a part of your recipients does not exist", "recipients does not exist"),
                ("last month the user was unknown", "user was unknown"),
                ("any time a mailbox is missing it is noted", "mailbox is missing"),
                ("as often as a user is unknown you hear of it", "user is unknown"),
                ("ogni volta che un utente non esiste lo annotiamo", "utente non esiste"),
                ("jedes mal da ein konto nicht existiert", "konto nicht existiert"),
                ("demasiados usuarios desconocidos", "usuarios desconocidos"),
                ("must not be an unknown user", "unknown user"),
                ("darf kein unbekannter benutzer sein", "unbekannter benutzer"),
                ("sollte das postfach nicht existieren, folgt mehr", "postfach nicht existier"),
                ("mocht het adres onbekend zijn, dan volgt meer", "adres onbekend"),
                ("skulle mottagaren vara okand, skickas inget", "mottagaren vara okand"),
                ("reports about unknown users are unwanted", "unknown users"),
                ("no debe ser un usuario desconocido", "usuario desconocido"),
            ],
        );
        expect_all(
            says_nothing,
            false,
            &[
                ("all recipients are unknown", "recipients are unknown"),
                ("check if the address is right: user unknown", "address is right: user unknown"),
                ("if you see this, the user does not exist", "user does not exist"),
                ("unknown users", "unknown users"),
                ("mail for an unknown user", "unknown user"),
                ("it was tried each time, user unknown", "user unknown"),
            ],
        );
    }
}
