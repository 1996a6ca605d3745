//! The pattern for a shape of replies, in the language of rules.
//!
//! What varies from reply to reply (addresses, hosts, ids, numbers, codes) becomes `*`. What
//! Postfix puts around the reply of another server is left out, so the rule also decides a report
//! of the same failure. Not here: the language itself (`policies/bounce`). Invariant: a pattern
//! holds no sign that means something else in it.

use crate::text::one_line;

/// Words of a pattern; the first ones say what the reply is about.
const WORDS: usize = 24;
/// Letters that a pattern has at least.
const LETTERS: usize = 6;
/// What comes before the reply of another server.
const INTRODUCTIONS: [&str; 2] = [" said: ", " refused to talk to me: "];

/// None if the shape has no words to recognize it by.
pub(super) fn pattern_of(shape: &str) -> Option<String> {
    let words = one_line(of_server(shape));
    let mut pieces: Vec<Vec<String>> = vec![Vec::new()];
    for word in words.split_whitespace().take(WORDS) {
        match (fixed(word), pieces.last_mut()) {
            (Some(word), Some(piece)) => piece.push(word),
            (None, Some(piece)) if !piece.is_empty() => pieces.push(Vec::new()),
            _ => {}
        }
    }
    let pieces: Vec<String> = pieces.iter().filter_map(|piece| trimmed(&piece.join(" "))).collect();
    let pattern = pieces.join(" * ");
    let letters = pattern.chars().filter(|c| c.is_alphabetic()).count();
    (letters >= LETTERS || pattern.chars().any(|c| c.is_alphabetic() && !c.is_ascii()) && letters > 1)
        .then_some(pattern)
}

/// The reply of another server, without what Postfix puts around it.
fn of_server(text: &str) -> &str {
    let reply =
        INTRODUCTIONS.iter().find_map(|words| text.split_once(words)).map_or(text, |(_, reply)| reply);
    reply.rsplit_once(" (in reply to ").map_or(reply, |(reply, _)| reply)
}

/// A word that is the same in each reply, with its signs escaped; none if it varies, is a code, or
/// holds signs that rules cannot have.
fn fixed(word: &str) -> Option<String> {
    const UNUSUAL: [char; 7] = ['<', '>', '[', ']', '{', '}', '@'];
    let varies = word.contains(|c: char| c.is_ascii_digit() || UNUSUAL.contains(&c));
    (!varies && word.contains(char::is_alphanumeric)).then(|| escaped(word))
}

fn escaped(word: &str) -> String {
    let mut escaped = String::new();
    for letter in word.chars() {
        if "()|*^$~\\+?".contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// Without the signs at both ends, which are not words; none if a single letter is left.
fn trimmed(piece: &str) -> Option<String> {
    let piece = piece.trim_start_matches(|c: char| !c.is_alphanumeric());
    let piece = piece.trim_end_matches(|c: char| !c.is_alphanumeric());
    (piece.len() > 1).then(|| piece.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maillog::shape::shape;

    #[test]
    fn what_varies_is_left_out_and_signs_are_escaped() {
        for (reply, pattern) in [
            (
                "host mx.a.example[192.0.2.1] said: 550 5.1.1 <x@a.example>: the parrot (of x@a.example) is resting, sorry (in reply to RCPT TO command)",
                Some(r"the parrot \(of * is resting, sorry"),
            ),
            ("zweifelhafte Antwort Nummer 7 fuer u@a.example", Some("zweifelhafte Antwort Nummer * fuer")),
            ("599 (see) what? 5*3 is | odd ^here$", Some(r"see\) what * is * odd \^here")),
            ("550 [blocked] by policy of mx1.a.example id=4Xn0y83s5Zz1f", Some("by policy of")),
            ("550 x@a.example 12345", None),
            ("550 no", None),
            ("550 a 7 b 8 resting parrot", Some("resting parrot")),
            ("550 邮箱拒收", Some("邮箱拒收")),
            ("450 4.2.2 Über Größe – später", Some("Über Größe * später")),
            ("", None),
        ] {
            assert_eq!(pattern_of(&shape(reply)).as_deref(), pattern, "{reply}");
        }
        let long = pattern_of(&"word ".repeat(500)).unwrap();
        assert_eq!(long.split(' ').count(), WORDS);
    }
}
