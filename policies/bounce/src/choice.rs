//! Whether a server leaves open if an address is dead: `user unknown or access denied`.
//!
//! Not here: what the other possibility is. Invariant: two kinds of being dead, `unknown or deleted`,
//! are no choice.

use crate::clause::clause_start;
use crate::words::{split, List};
use std::ops::Range;

/// How much of the text after the words is looked at.
const BEYOND: usize = 64;
/// A list of `words.toml`: said of addresses that are not dead.
const ALIVE: &List = List::named("alive");
const OR: &List = List::named("or");
/// Italian and Spanish.
pub(crate) const SHORT_OR: [&[u8]; 2] = [b"o", b"u"];
/// The Dutch word for "or" follows these; elsewhere it is English.
pub(crate) const BEFORE_DUTCH_OR: [&[u8]; 5] = [b"bestaat", b"gevonden", b"niet", b"onbekend", b"ongeldig"];

/// Whether the words that a pattern found are one of two possibilities.
pub(crate) fn is_choice(text: &[u8], span: &Range<usize>) -> bool {
    let end = text.len().min(span.end + BEYOND);
    let start = clause_start(text, span.start);
    let rest = &text[span.end..end];
    let rest = &rest[..rest.iter().position(|byte| b".;!?".contains(byte)).unwrap_or(rest.len())];
    let words = |text| split(text).collect::<Vec<&[u8]>>();
    let (before, found) = (words(&text[start..span.start]), words(&text[span.clone()]));
    let after = words(rest);
    let is_after = [&found[found.len().saturating_sub(1)..], &after].concat();
    let joins = or_place(&is_after).is_some_and(|place| is_alive(&is_after[place..]));
    let is_slashed = is_slashed(text, span) && is_alive(&after);
    let near = before.len().saturating_sub(3);
    let follows = or_place(&before[near..]).is_some() && is_alive(&before);
    let holds = or_place(&found).is_some() && is_alive(&found);
    joins || is_slashed || follows || holds || is_cjk_choice(rest)
}

/// `user unknown/`
pub(crate) fn is_slashed(text: &[u8], span: &Range<usize>) -> bool {
    text[span.end..].trim_ascii_start().starts_with(b"/")
}

fn is_alive(words: &[&[u8]]) -> bool {
    words.iter().any(|word| ALIVE.has(word))
}

fn or_place(words: &[&[u8]]) -> Option<usize> {
    let is_or = |word: &[u8]| OR.has(word) || SHORT_OR.contains(&word);
    let is_dutch =
        |place: usize| words[place] == b"of" && place > 0 && BEFORE_DUTCH_OR.contains(&words[place - 1]);
    (0..words.len()).find(|place| is_or(words[*place]) || is_dutch(*place))
}

/// `用户不存在或拒收`
fn is_cjk_choice(rest: &[u8]) -> bool {
    let begins = |or: &str| rest.strip_prefix(or.as_bytes());
    let other = ["或者", "或", "または", "又は", "あるいは", " 또는"].iter().find_map(|or| begins(or));
    let is_alive = |other: &[u8]| {
        ["拒", "禁止", "ブロック", "거부", "차단"]
            .iter()
            .any(|word| other.windows(word.len()).any(|one| one == word.as_bytes()))
    };
    other.is_some_and(is_alive)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::found_words::expect_all;

    #[test]
    fn the_server_does_not_say_which() {
        expect_all(
            is_choice,
            true,
            &[
                ("user unknown or not permitted", "user unknown"),
                ("user unknown here, or mail is refused", "user unknown"),
                ("user unknown/access denied", "user unknown"),
                ("relay access denied or no such user", "no such user"),
                ("benutzer unbekannt oder gesperrt", "benutzer unbekannt"),
                ("gebruiker onbekend of geweigerd", "gebruiker onbekend"),
                ("用户不存在或拒收", "用户不存在"),
            ],
        );
        expect_all(
            is_choice,
            false,
            &[
                ("user unknown or deleted", "user unknown"),
                ("access denied: user unknown", "user unknown"),
                ("unknown or illegal user", "unknown or illegal user"),
                ("no such user, or the address was misspelled", "no such user"),
                ("no such user of policy", "no such user"),
            ],
        );
    }
}
