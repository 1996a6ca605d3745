//! Whether words are quoted as a text and not said: `sample reply: no such user`, `errors such as
//! "user unknown"`.
//!
//! Not here: the reply of another server that a mail system quotes (`diagnostic`, `reply_place`).

use crate::words::{before_mark, word_end, List};
use std::ops::Range;

/// Lists of `words.toml`: what says of the words after it that they are a text, and of those before.
const QUOTED_AFTER: &List = List::named("quoted-after");
const QUOTED_BEFORE: &List = List::named("quoted-before");
/// As many words may stand between the first of them and the text.
const BETWEEN: usize = 4;

pub(crate) fn is_quoted(text: &[u8], span: &Range<usize>) -> bool {
    is_announced(text, span.start) || is_called(&text[span.end..])
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

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(text: &str, found: &str) -> bool {
        let start = text.find(found).unwrap();
        is_quoted(text.as_bytes(), &(start..start + found.len()))
    }

    #[test]
    fn what_is_quoted_is_not_said() {
        for (text, found) in [
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
        ] {
            assert!(quoted(text, found), "{text}");
        }
    }

    #[test]
    fn what_a_server_said_is_said() {
        for (text, found) in [
            ("sample.example.org said: user unknown", "user unknown"),
            ("it looks like the user is unknown", "user is unknown"),
            ("this is a template. the user is unknown", "user is unknown"),
            ("error text: user unknown", "user unknown"),
            ("user unknown error", "user unknown"),
            ("user unknown (sample.example.org)", "user unknown"),
            ("user unknown - please check", "user unknown"),
            ("no such user - errors follow", "no such user"),
            ("mail to @ failed; user unknown", "user unknown"),
        ] {
            assert!(!quoted(text, found), "{text}");
        }
    }
}
