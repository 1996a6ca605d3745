//! Whether words are quoted as a text and not said: `sample reply: no such user`, `errors such as
//! "user unknown"`, `Subject: mailbox not found`, `the phrase "no such user" is not allowed`.
//!
//! Not here: the reply of another server that a mail system quotes (`diagnostic`, `reply_place`).
//! Invariant: what a server is said to have answered is said, in quotation marks or not.

use crate::words::{before_mark, split, word_end, List};
use std::ops::Range;

/// Lists of `words.toml`: what says of the words after it that they are a text, and of those before.
const QUOTED_AFTER: &List = List::named("quoted-after");
const QUOTED_BEFORE: &List = List::named("quoted-before");
/// Before quotation marks: somebody answered so, and it is the reason why.
const ANSWERED: &List = List::named("answered");
const BECAUSE: &List = List::named("because-of");
/// After them: who answered so, and to what.
const ANSWERING: [&[u8]; 8] = [b"at", b"by", b"for", b"from", b"in", b"on", b"returned", b"to"];
/// As many words may stand between the first of them and the text.
const BETWEEN: usize = 4;
/// How long what is in quotation marks may be, before the words and after them.
const LONGEST: usize = 80;

pub(crate) fn is_quoted(text: &[u8], span: &Range<usize>) -> bool {
    is_announced(text, span.start)
        || is_called(&text[span.end..])
        || quotation(text, span).is_some_and(|(before, after)| !is_answer(before, after))
}

/// `error text template: `
fn is_announced(text: &[u8], at: usize) -> bool {
    let mut from = at;
    for _ in 0..BETWEEN {
        let Some(word) = before_mark(text, from) else { break };
        // `e.g.` ends no sentence.
        if text[word.clone()].strip_suffix(b".").is_some_and(|word| !word.contains(&b'.')) {
            break;
        }
        from = word.start;
    }
    QUOTED_AFTER.is_in(&text[from..at])
}

/// `" template`, ` (sample text)`
fn is_called(after: &[u8]) -> bool {
    let start = after.iter().take_while(|byte| b" \"'`-(:".contains(byte)).count();
    let end = word_end(after, start);
    start > 0 && QUOTED_BEFORE.has(&after[start..end]) && !after[end..].starts_with(b" follow")
}

/// What stands before the quotation marks that the words are in, and what stands after them.
fn quotation<'a>(text: &'a [u8], span: &Range<usize>) -> Option<(&'a [u8], &'a [u8])> {
    let from = span.start.saturating_sub(LONGEST);
    let open = from + text[from..span.start].iter().rposition(|byte| b"\"'`".contains(byte))?;
    let mark = if text[open] == b'`' { b'\'' } else { text[open] };
    let before = &text[..open];
    let opens = match before.last() {
        Some(byte) if byte.is_ascii_alphanumeric() => false,
        // Where it does not touch the word that it opens, every other one opens.
        last if text[open + 1] == b' ' || last.is_some_and(|byte| !byte.is_ascii()) => {
            before.iter().filter(|byte| **byte == mark).count() % 2 == 0
        }
        _ => true,
    };
    let end = text.len().min(span.end + LONGEST);
    let closes = |at: &usize| {
        let is_in_word = mark == b'\'' && text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric);
        text[*at] == mark && !is_in_word
    };
    let close = (span.end..end).find(closes).filter(|_| opens)?;
    Some((before.trim_ascii_end(), text[close + 1..].trim_ascii_start()))
}

/// `remote host said "user unknown"`, `error: 'no such user'`
fn is_answer(before: &[u8], after: &[u8]) -> bool {
    let last = split(before).next_back().unwrap_or_default();
    let is_beside = before.ends_with(last);
    if is_beside && ANSWERED.has(last) {
        return true;
    }
    let begins = match before.last() {
        None | Some(b':' | b'(' | b'[' | b'-' | b',' | b';' | b'=' | b'>' | b'@' | b'.' | b'#') => true,
        _ => is_beside && BECAUSE.has(last),
    };
    let next = split(after).next().filter(|next| after.starts_with(next));
    begins && next.is_none_or(|next| ANSWERING.contains(&next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    #[test]
    fn what_is_quoted_is_not_said() {
        expect_all(
            is_quoted,
            true,
            &[
                ("reply template: mailbox not found", "mailbox not found"),
                ("the template says \"no such user\"", "no such user"),
                ("for example: user unknown", "user unknown"),
                ("codes, e.g. user unknown, are kept", "user unknown"),
                ("we answer with errors like no such mailbox", "no such mailbox"),
                ("refusals such as 'recipient not found' are counted", "recipient not found"),
                ("\"user unknown\" template is missing", "user unknown"),
                ("user unknown - template field is empty", "user unknown"),
                ("no such user (sample text)", "no such user"),
                ("mailbox not found: placeholder", "mailbox not found"),
                ("placeholder (address does not exist)", "address does not exist"),
                ("beispiel: benutzer unbekannt", "benutzer unbekannt"),
                ("subject: mailbox not found - refused as spam", "mailbox not found"),
                ("the subject line no such user is not let in", "no such user"),
                ("betreff \"benutzer unbekannt\" gesperrt", "benutzer unbekannt"),
                ("asunto: usuario desconocido", "usuario desconocido"),
                ("件名\"ユーザー不明\"は拒否されました", "ユーザー不明"),
                ("the phrase \"no such user\" is not allowed", "no such user"),
                ("'user unknown' is a phrase of spam", "user unknown"),
                ("mail with the text \"the mailbox does not exist\" is refused", "mailbox does not exist"),
                ("your mail holds the words `user unknown'", "user unknown"),
                ("le message contient \" boite inexistante \"", "boite inexistante"),
            ],
        );
    }

    #[test]
    fn what_a_server_said_is_said() {
        expect_all(
            is_quoted,
            false,
            &[
                ("sample.example.org said: user unknown", "user unknown"),
                ("it looks like the user is unknown", "user is unknown"),
                ("this is a template. the user is unknown", "user is unknown"),
                ("error text: user unknown", "user unknown"),
                ("user unknown error", "user unknown"),
                ("user unknown (sample.example.org)", "user unknown"),
                ("user unknown - please check", "user unknown"),
                ("no such user - errors follow", "no such user"),
                ("mail to @ failed; user unknown", "user unknown"),
                ("remote server replied 'no such user' to rcpt to", "no such user"),
                ("\"user unknown\"", "user unknown"),
                ("refused: \"user unknown\" (in reply to rcpt to)", "user unknown"),
                ("{\"error\":\"user unknown\",\"id\":7}", "user unknown"),
                ("(550, b'user unknown')", "user unknown"),
                ("\"kim\" user unknown \"lee\"", "user unknown"),
                ("message rejected with 'mailbox not found'.", "mailbox not found"),
                ("all mail is subject to our rules: user unknown", "user unknown"),
            ],
        );
    }
}
