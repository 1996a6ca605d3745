//! Whether a domain takes no mail of some kind only: `does not accept mail larger than 5 MB`, `no mail
//! accepted for relaying`.
//!
//! Not here: which words say that a domain takes no mail (`rules/`).

use crate::words::{following, split, word_end, word_start};
use std::ops::Range;

/// What begins the words for whose mail, or which.
const LIMITS: [&[u8]; 42] = [
    b"after",
    b"as",
    b"at",
    b"because",
    b"before",
    b"between",
    b"bigger",
    b"by",
    b"containing",
    b"currently",
    b"during",
    b"exceeding",
    b"for",
    b"from",
    b"if",
    b"in",
    b"larger",
    b"like",
    b"longer",
    b"now",
    b"of",
    b"on",
    b"or",
    b"outside",
    b"over",
    b"right",
    b"since",
    b"temporarily",
    b"than",
    b"that",
    b"through",
    b"to",
    b"today",
    b"under",
    b"unless",
    b"until",
    b"via",
    b"when",
    b"which",
    b"while",
    b"with",
    b"without",
];
/// What a domain takes or not.
const MAIL: [&[u8]; 6] = [b"e-mail", b"email", b"mail", b"messages", b"service", b"smtp"];
/// After "for" or "to" such a word, the domain is the recipient's.
const THIS: [&[u8]; 5] = [b"@", b"any", b"that", b"the", b"this"];
const DOMAIN: [&[u8]; 4] = [b"address", b"domain", b"host", b"server"];

/// Whether the words that a pattern found are said of some mail only.
pub(crate) fn is_limited(text: &[u8], span: &Range<usize>) -> bool {
    if !split(&text[span.clone()]).any(|word| MAIL.contains(&word)) {
        return false;
    }
    let last = word_start(text, span.end)..span.end;
    let mut after = following(text, span.end);
    let limit = if LIMITS.contains(&&text[last.clone()]) { Some(last) } else { after.next() };
    let Some(limit) = limit.filter(|limit| LIMITS.contains(&&text[limit.clone()])) else {
        return is_because(text, span.end);
    };
    let mut words = following(text, limit.end).map(|word| &text[word]);
    match (&text[limit], words.next()) {
        (b"for" | b"to" | b"at" | b"on" | b"in", Some(b"@")) => false,
        (b"at", Some(b"all")) => false,
        (b"for" | b"to" | b"at" | b"on" | b"in", Some(word)) if THIS.contains(&word) => {
            !words.next().is_some_and(|noun| DOMAIN.contains(&noun))
        }
        _ => true,
    }
}

/// `does not accept mail, your IP is blocked`
fn is_because(text: &[u8], end: usize) -> bool {
    let rest = &text[end..];
    let start = rest.iter().take_while(|byte| b" ,;:-(".contains(byte)).count();
    start > 1 && rest[start..word_end(rest, start)].starts_with(b"your")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    #[test]
    fn some_mail_is_taken() {
        expect_all(
            is_limited,
            true,
            &[
                ("this server does not accept mail larger than 10 mb", "server does not accept mail"),
                ("this domain does not accept mail outside business hours", "domain does not accept mail"),
                ("no mail accepted for relaying", "no mail accepted for"),
                ("no mail service for strangers", "no mail service for"),
                ("smtp service not available for your ip", "smtp service not available for"),
                ("the domain does not accept mail, your ip is blocked", "domain does not accept mail"),
            ],
        );
        expect_all(
            is_limited,
            false,
            &[
                ("this domain does not accept mail", "domain does not accept mail"),
                ("this domain does not accept mail at all", "domain does not accept mail"),
                ("no mail accepted for this domain", "no mail accepted for"),
                ("the domain does not accept mail. see our site", "domain does not accept mail"),
                ("the host does not accept mail for @", "host does not accept mail"),
            ],
        );
    }
}
