//! Whether another than the recipient is called an unknown one, or holds it: `the approver is an
//! unknown user`, `the list of the sponsor holds an invalid address`.
//!
//! Not here: nouns beside the subject (`compound`), and other languages (`abroad`).

use crate::compound::{is_other, is_other_subject, is_part, ARTICLES, SUBJECT};
use crate::words::{before, word_end, word_start, List};
use std::ops::Range;

/// No other subject than the recipient, or than what went wrong: `the address you gave is`.
const NOBODY_ELSE: &List = List::named("nobody-else");
/// Before what a subject is said to be.
const BEING: [&[u8]; 6] = [b"be", b"became", b"become", b"been", b"is", b"was"];
/// Between the subject and these.
const LINKING: [&[u8]; 9] =
    [b"appears", b"had", b"has", b"out", b"proved", b"seems", b"to", b"turned", b"turns"];
/// Before one of many that something holds, and before "to" of what leads there.
const HOLDING: [&[u8]; 7] = [b"carries", b"contains", b"holds", b"includes", b"lists", b"mentions", b"names"];
const LEADING: [&[u8]; 10] = [
    b"belongs",
    b"expands",
    b"goes",
    b"went",
    b"leads",
    b"links",
    b"maps",
    b"points",
    b"refers",
    b"resolves",
];
/// What holds many addresses, although it may be the recipient itself.
const HOLDERS: [&[u8]; 4] = [b"alias", b"group", b"list", b"table"];

/// Whether the words that a pattern found are what another is called.
pub(crate) fn is_called_so(text: &[u8], span: &Range<usize>) -> bool {
    let first = &text[span.start..word_end(text, span.start)];
    let last = word_start(text, span.end);
    let begins_with_subject = SUBJECT.has(first.strip_suffix(b"'s").unwrap_or(first));
    let is_noun_last = last > span.start && SUBJECT.has(&text[last..span.end]);
    is_noun_last && !begins_with_subject && is_called(text, span.start)
}

fn is_called(text: &[u8], start: usize) -> bool {
    let article = before(text, start);
    if !ARTICLES.contains(&&text[article.clone()]) {
        return is_held(text, article, start);
    }
    if is_held(text, before(text, article.start), start) {
        return true;
    }
    let is_adverb = |word: &[u8]| word.ends_with(b"ly") || word == b"now" || word == b"still";
    let mut verb = before(text, article.start);
    if is_adverb(&text[verb.clone()]) {
        verb = before(text, verb.start);
    }
    if !BEING.contains(&&text[verb.clone()]) {
        return false;
    }
    let mut subject = before(text, verb.start);
    while LINKING.contains(&&text[subject.clone()]) || is_adverb(&text[subject.clone()]) {
        subject = before(text, subject.start);
    }
    let named = &text[subject.clone()];
    !NOBODY_ELSE.has(named) && !is_part(named) && is_other_subject(text, subject)
}

/// `the list of the sponsor holds an invalid address`, `the rule points to an unknown user`
fn is_held(text: &[u8], mut verb: Range<usize>, start: usize) -> bool {
    let is_to = &text[verb.clone()] == b"to";
    if is_to {
        verb = before(text, verb.start);
    }
    let verbs = if is_to { &LEADING[..] } else { &HOLDING[..] };
    if !verbs.contains(&&text[verb.clone()]) || text[start..].starts_with(b"no ") {
        return false;
    }
    let holder = &text[before(text, verb.start)];
    HOLDERS.contains(&holder) || is_other(holder) && !is_part(holder) && !NOBODY_ELSE.has(holder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    #[test]
    fn another_is_called_so() {
        expect_all(
            is_called_so,
            true,
            &[
                ("the group's keeper is an unknown user", "unknown user"),
                ("our approver has been an unknown user since may", "unknown user"),
                ("the sponsor's address is an invalid address", "invalid address"),
                ("the delegate has become an unknown user", "unknown user"),
                ("one delegate turned out to be an invalid recipient", "invalid recipient"),
                ("a deputy is apparently an unknown user", "unknown user"),
                ("the user list of the sponsor holds an invalid address", "invalid address"),
                ("our list contains unknown recipient", "unknown recipient"),
                ("the mail rule refers to a nonexistent mailbox", "nonexistent mailbox"),
            ],
        );
    }

    #[test]
    fn the_recipient_is_called_so() {
        expect_all(
            is_called_so,
            false,
            &[
                ("it is an invalid mailbox", "invalid mailbox"),
                ("this is an unknown user", "unknown user"),
                ("the recipient is an unknown user", "unknown user"),
                ("the problem is an unknown user", "unknown user"),
                ("the address you tried is an invalid address", "invalid address"),
                ("this appears to be an invalid address", "invalid address"),
                ("it was sent to an unknown user", "unknown user"),
                ("your request contains an invalid recipient", "invalid recipient"),
                ("our server lists no such user", "no such user"),
            ],
        );
    }
}
