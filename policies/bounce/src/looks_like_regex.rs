//! Finds own rules that were written as regular expressions. Most of a regular expression is also a
//! valid pattern, but one that never fits.
//!
//! Not here: the syntax of patterns (`pattern`). Invariant: what patterns share with regular
//! expressions (`^`, `$`, `(a|b)`, `\.`, `example.*` at the end) is allowed, and no shipped rule
//! looks like one.

use crate::status::{reply_code, Status};

/// Parts that only a regular expression has, and what to write instead.
const SIGNS: [(&str, &str); 5] = [
    ("(?", "write `(a|b)`; upper and lower case never matter"),
    (")+", "remove the +"),
    (")?", "write `(a|)` for what may be missing"),
    ("]+", "write `*` in place of the characters"),
    ("[^", "write `*` in place of the characters"),
];

/// What to do about a pattern that is a regular expression; none if it is a pattern.
pub(crate) fn looks_like_regex(pattern: &str) -> Option<&'static str> {
    let plain = without_escapes(pattern);
    if has_wildcard(&plain) {
        return Some("write ` * ` for anything in between, or `\\.` for a full stop");
    }
    if let Some((_, remedy)) = SIGNS.iter().find(|(sign, _)| plain.contains(sign)) {
        return Some(remedy);
    }
    if has_class(pattern) {
        return Some("write `*` for any characters; codes go into `codes`, not into the pattern");
    }
    has_code(&plain).then_some("remove the code and write it in `codes`, because it is not part of the text")
}

/// The pattern with a blank for each escaped character.
fn without_escapes(pattern: &str) -> String {
    let mut letters = pattern.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().map_or('\\', |_| ' ') } else { letter });
    }
    plain
}

/// `.*`, `.+` or `.?` before something. At the end it is the end of a sentence, or of a host name.
fn has_wildcard(plain: &str) -> bool {
    let follows = |(at, sign): (usize, &str)| at + sign.len() < plain.trim_end_matches('$').len();
    [".*", ".+", ".?"].iter().any(|sign| plain.match_indices(sign).any(follows))
}

/// `\d`, `\s`, `\b` … or `[a-z]`: a letter never needs a backslash, and no text has a range.
fn has_class(pattern: &str) -> bool {
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter == '\\' && letters.next().is_some_and(|next| next.is_ascii_alphanumeric()) {
            return true;
        }
    }
    ["[a-z", "[A-Z", "[0-9"].iter().any(|range| pattern.contains(range))
}

/// Whether the pattern begins with a reply or status code, which no text has: it is taken out.
fn has_code(plain: &str) -> bool {
    let first = plain.trim_start_matches(['^', ' ', '(', '*']);
    let end = first.find(|letter: char| "*|)$~{".contains(letter) || letter.is_whitespace());
    let word = &first.as_bytes()[..end.unwrap_or(first.len())];
    reply_code(word).is_some() || Status::leading(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_expressions_are_found() {
        for regex in [
            ".*user.*unknown",
            "user.+unknown",
            "^550",
            "550 user unknown",
            "^5.1.1 *",
            "(550|551) no",
            r"^5\d\d",
            r"\d+",
            r"user\s+unknown",
            "(?i)user unknown",
            "(?:user|mailbox) unknown",
            "user (is )?unknown",
            "[a-z]+ unknown",
            "[0-9]{3}",
            "[^ ]* unknown",
            "mailbox (full)+",
        ] {
            assert!(looks_like_regex(regex).is_some(), "{regex}");
        }
    }

    #[test]
    fn no_shipped_rule_is() {
        for file in std::fs::read_dir("rules").unwrap() {
            let rules: toml::Table = std::fs::read_to_string(file.unwrap().path()).unwrap().parse().unwrap();
            for rule in rules["rule"].as_array().unwrap() {
                let pattern = rule.get("pattern").cloned().unwrap_or_else(|| Vec::<String>::new().into());
                let patterns = pattern.as_array().cloned().unwrap_or_else(|| vec![pattern]);
                for pattern in patterns.iter().filter_map(|pattern| pattern.as_str()) {
                    assert_eq!(looks_like_regex(pattern), None, "{pattern}");
                }
            }
        }
    }

    #[test]
    fn patterns_are_not() {
        for pattern in [
            "(user|recipient) unknown",
            "mailbox (is |)full",
            "^rejected$",
            "quota*",
            "*quota",
            "mailbox * full",
            "{recipient} ~ {full}",
            r"\(bl\)",
            r"sorry\.",
            r"what\*",
            "[198.51.100.7]",
            "[ts04]*",
            "full.",
            "*unblock.*",
            r"policy\.*example",
            "are you sure?",
            "mta-sts (1|2)",
            "more than 500 messages",
            "邮箱已满",
        ] {
            assert_eq!(looks_like_regex(pattern), None, "{pattern}");
        }
    }
}
