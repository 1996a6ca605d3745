//! Whether words only explain what was said before them: `approver not found: no such mailbox`.
//!
//! If what is missing first is not the recipient, what follows is said of it, too. Not here: whose
//! the subject of one clause is (`compound`, `abroad`).

use crate::clause::{clause_start, PREDICATES};
use crate::compound::{is_familiar, is_part, AFTER, MAIL, NAME, SUBJECT};
use crate::words::{split, List};
use std::ops::Range;

/// Lists of `words.toml`.
const RECIPIENT: &List = List::named("recipient");
const DOMAIN: &List = List::named("domain");
const UNKNOWN: &List = List::named("unknown");
const NO_SUCH: &List = List::named("no-such");
const PLACE: &List = List::named("place-of-subjects");

/// What an address of the recipient may be called in German: `Zieladresse`.
const OF_RECIPIENTS: [&[u8]; 4] = [b"empfanger", b"mail", b"ziel", b"ziel-"];

pub(crate) fn explains_another(text: &[u8], span: &Range<usize>) -> bool {
    let before = text[..span.start].trim_ascii_end();
    let [head @ .., b':' | b',' | b'-' | b'('] = before else { return false };
    let head = head.trim_ascii_end();
    let start = clause_start(text, head.len());
    // It may begin further before.
    let is_whole = start == 0 || !text[start - 1].is_ascii_alphanumeric();
    let mut words = split(&head[start.min(head.len())..]).skip_while(|word| is_familiar(word));
    let Some(first) = words.next().filter(|first| is_whole && is_thing(first)) else { return false };
    let rest: Vec<&[u8]> = words.collect();
    rest.last().is_some_and(|last| PREDICATES.contains(last) || UNKNOWN.has(last) || ends_unknown(&rest))
        && first.len() > 1
        && !rest.iter().any(|word| is_subject(word))
}

/// `nicht gefunden`
fn ends_unknown(words: &[&[u8]]) -> bool {
    (0..words.len()).any(|from| UNKNOWN.is_in(&words[from..].join(&b' ')))
}

fn is_subject(word: &[u8]) -> bool {
    word.contains(&b'@') || [SUBJECT, RECIPIENT, DOMAIN].iter().any(|list| list.has(word))
}

/// Something that has a name and is no recipient.
fn is_thing(word: &[u8]) -> bool {
    let before = MAIL.iter().chain(&OF_RECIPIENTS).find_map(|before| word.strip_prefix(*before));
    let whole = before.unwrap_or(word);
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b'-';
    let lists = [AFTER, NAME, PLACE, UNKNOWN, NO_SUCH];
    whole.iter().all(is_letter)
        && !is_subject(whole)
        && !is_part(whole)
        && !lists.iter().any(|list| list.has(whole) || list.has_first(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    #[test]
    fn what_is_missing_first_is_what_it_is_about() {
        expect_all(
            explains_another,
            true,
            &[
                ("approver not found: no such mailbox", "no such mailbox"),
                ("the manager is missing - user unknown", "user unknown"),
                ("koordinator nicht gefunden: postfach unbekannt", "postfach unbekannt"),
                ("parrain introuvable : boite inconnue", "boite inconnue"),
                ("padrino no encontrado: usuario desconocido", "usuario desconocido"),
                ("tutore non trovato (utente sconosciuto)", "utente sconosciuto"),
            ],
        );
        expect_all(
            explains_another,
            false,
            &[
                ("recipient not found: no such mailbox", "no such mailbox"),
                ("message not delivered: user unknown", "user unknown"),
                ("not found: user unknown", "user unknown"),
                ("destination unknown: no such user", "no such user"),
                ("mx.example.org: user unknown", "user unknown"),
                ("sorry, no such user", "no such user"),
                ("e-mail-adresse unbekannt: benutzer unbekannt", "benutzer unbekannt"),
                ("zieladresse unbekannt: benutzer existiert nicht", "benutzer existiert nicht"),
                ("user @ not found: user unknown", "user unknown"),
            ],
        );
    }
}
