//! Text from elsewhere, made fit to show, log or send: one line, bounded, with the right line ends.
//!
//! Not here: the columns of a terminal (`stats`) and the syntax of header fields (`message`).
//! Invariant: no control character survives `one_line`, and a cut never splits a character.

use memchr::memchr2_iter;
use std::borrow::Cow;

/// Characters of a name that is shown. No key of the config is as long.
const LONGEST_NAME: usize = 24;

/// Characters that steer a terminal become spaces, so that the text stays in its line.
pub(crate) fn one_line(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    text.chars().map(|c| if steers(c) { ' ' } else { c }).collect()
}

/// Control characters, ends of lines and paragraphs, and what changes the direction of text.
pub(crate) fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether it is all printable ASCII.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// What is not printable ASCII becomes `?`: for lines that another program reads.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// A file of text, of which each line that is not UTF-8 is Latin-1.
pub(crate) fn text_of(bytes: &[u8]) -> String {
    let line = |line: &[u8]| match str::from_utf8(line) {
        Ok(line) => line.to_owned(),
        Err(_) => line.iter().map(|byte| char::from(*byte)).collect(),
    };
    bytes.split_inclusive(|byte| *byte == b'\n').map(line).collect()
}

/// Each run of whitespace becomes one space.
pub(crate) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most the first `limit` bytes.
pub(crate) fn bounded(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// A name that somebody wrote into the config, or `…` if it is so long or odd that it may be a
/// secret in the place of a name.
pub(crate) fn name_or_dots(name: &str) -> &str {
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    let has_value = name.find('=').is_some_and(|at| at > 0);
    if name.len() <= LONGEST_NAME && digits <= 3 && !has_value { name } else { "…" }
}

/// A number and what it counts: `1 try`, `2 tries`, `2 steps`.
pub(crate) fn counted(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    match (number, what.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']))) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}

/// Appends a text as JSON has it between quotes.
pub(crate) fn push_json(to: &mut Vec<u8>, text: &str) {
    if needs_no_escape(text.as_bytes()) {
        to.extend_from_slice(text.as_bytes());
    } else if let Ok(quoted) = serde_json::to_vec(text) {
        to.extend_from_slice(&quoted[1..quoted.len() - 1]);
    }
}

/// Whether JSON has these bytes as they are; eight at a time, with a sign in the high bit of each.
fn needs_no_escape(bytes: &[u8]) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = LOW * 0x80;
    let has_zero = |word: u64| word.wrapping_sub(LOW) & !word & HIGH;
    let has_odd = |word: u64| {
        let is_control = word.wrapping_sub(LOW * 0x20) & !word & HIGH;
        is_control | has_zero(word ^ (LOW * u64::from(b'"'))) | has_zero(word ^ (LOW * u64::from(b'\\')))
    };
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    last[..rest.len()].copy_from_slice(rest);
    let odd = words
        .iter()
        .fold(has_odd(u64::from_le_bytes(last)), |odd, word| odd | has_odd(u64::from_le_bytes(*word)));
    odd == 0
}

/// Appends a number as 16 hexadecimal digits.
pub(crate) fn push_hex(to: &mut Vec<u8>, number: u64) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let mut digits = [0; 16];
    for (digit, shift) in digits.iter_mut().zip((0..16).rev()) {
        *digit = DIGITS[(number >> (4 * shift)) as usize & 15];
    }
    to.extend_from_slice(&digits);
}

/// Lone line feeds become CRLF. Mail servers hand messages to programs without the carriage returns
/// that they were signed with.
pub(crate) fn crlf(bytes: &[u8]) -> Cow<'_, [u8]> {
    line_ends(bytes, |lone| lone == b'\n')
}

/// Lone line feeds and lone carriage returns become CRLF: SMTP allows neither (RFC 5321 section
/// 2.3.8).
pub(crate) fn smtp_lines(bytes: &[u8]) -> Cow<'_, [u8]> {
    line_ends(bytes, |_| true)
}

fn line_ends(bytes: &[u8], ends_line: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    let (mut written, mut taken) = (Vec::new(), 0);
    for at in memchr2_iter(b'\n', b'\r', bytes) {
        let lone = match bytes[at] {
            b'\n' => at == 0 || bytes[at - 1] != b'\r',
            _ => bytes.get(at + 1) != Some(&b'\n'),
        };
        if lone && ends_line(bytes[at]) {
            written.extend_from_slice(&bytes[taken..at]);
            written.extend_from_slice(b"\r\n");
            taken = at + 1;
        }
    }
    if taken == 0 {
        return Cow::Borrowed(bytes);
    }
    written.extend_from_slice(&bytes[taken..]);
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_control_characters() {
        assert_eq!(one_line("250 ok\r\nBcc: x\0\u{85}\x1b[31m"), "250 ok  Bcc: x   [31m");
        assert_eq!(one_line("a\u{202e}b\u{2066}c\u{2028}d\u{200d}e"), "a b c d\u{200d}e");
        assert_eq!(squeezed(" a\tb\r\n  c "), "a b c");
    }

    #[test]
    fn lines_that_are_not_utf_8_are_latin_1() {
        assert_eq!(text_of("ä\r\nb".as_bytes()), "ä\r\nb");
        assert_eq!(text_of(b"\xe4\n\xc3\xa4\n\x80"), "ä\nä\n\u{80}");
        assert_eq!(text_of(b""), "");
    }

    #[test]
    fn what_is_counted_has_its_plural() {
        let of = |number: u32, what: &str| counted(number, what);
        assert_eq!(
            [of(1, "try"), of(2, "try"), of(0, "step"), of(1, "step")].join(", "),
            "1 try, 2 tries, 0 steps, 1 step"
        );
    }

    #[test]
    fn a_text_is_appended_as_json_writes_it() {
        for byte in 0..=127_u8 {
            for before in 0..17 {
                let text = format!("{}{}ä", "x€".repeat(before), char::from(byte));
                let mut to = vec![b'"'];
                push_json(&mut to, &text);
                to.push(b'"');
                assert_eq!(to, serde_json::to_vec(&text).unwrap(), "{text:?}");
            }
        }
        let mut digits = Vec::new();
        push_hex(&mut digits, 0x0123_4567_89ab_cdef);
        push_hex(&mut digits, 255);
        assert_eq!(digits, b"0123456789abcdef00000000000000ff");
    }

    #[test]
    fn a_cut_splits_no_character() {
        assert_eq!(bounded("äöü", 3), "ä");
        assert_eq!(bounded("äöü", 4), "äö");
        assert_eq!(bounded("abc", 99), "abc");
        assert_eq!(bounded("€", 1), "");
    }

    #[test]
    fn lone_line_ends_become_crlf() {
        assert_eq!(*crlf(b"a\nb\r\nc\rd\n\n"), *b"a\r\nb\r\nc\rd\r\n\r\n");
        assert_eq!(*smtp_lines(b"\na\nb\r\nc\rd\r\r\n\r"), *b"\r\na\r\nb\r\nc\r\nd\r\n\r\n\r\n");
        assert!(matches!(crlf(b"a\r\nb\rc"), Cow::Borrowed(_)));
        assert!(matches!(smtp_lines(b""), Cow::Borrowed(_)));
    }
}
