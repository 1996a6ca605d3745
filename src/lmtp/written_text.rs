//! Text in parameters of commands: xtext, and the recipient that ORCPT names (RFC 3461, RFC 6533).
//!
//! Not here: the commands (`verbs`). Invariant: what is read has no control characters, however it
//! was written.

use crate::report::fields::unescaped;

/// Longest path or parameter that is taken.
pub(crate) const PATH: usize = 1000;

/// Text whose odd characters are `+XX` (RFC 3461 section 4).
pub(crate) fn xtext(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [byte, after @ ..] = rest {
        match (byte, after) {
            (b'+', [high, low, after @ ..]) => {
                bytes.push(hex(*high)? << 4 | hex(*low)?);
                rest = after;
            }
            (b'+', _) => return None,
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    plain(String::from_utf8(bytes).ok()?)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn plain(text: String) -> Option<String> {
    (text.len() <= PATH && !text.contains(char::is_control)).then_some(text)
}

/// The recipient before aliasing. An address that is none of mail keeps its type.
pub(crate) fn original_recipient(value: &str) -> Option<String> {
    let (kind, address) = value.split_once(';')?;
    let address = xtext(address)?;
    match kind.to_ascii_lowercase().as_str() {
        "rfc822" => Some(address),
        "utf-8" => plain(unescaped(&address)),
        other if other.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') => {
            plain(format!("{kind};{address}")).filter(|_| !kind.is_empty())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_recipient_is_read_by_its_type() {
        for (written, read) in [
            ("rfc822;a+2Bb@c.example", Some("a+b@c.example")),
            ("RFC822;a@c.example", Some("a@c.example")),
            ("utf-8;fr\\x{E4}nz@c.example", Some("fr\u{e4}nz@c.example")),
            ("UTF-8;fr\u{e4}nz@c.example", Some("fr\u{e4}nz@c.example")),
            ("x400;/c+3Dus/", Some("x400;/c=us/")),
            ("utf-8;a\\x{A}b@c.example", None),
            ("rfc822;+0A", None),
            ("a b;c", None),
            (";a@c.example", None),
            ("a@c.example", None),
        ] {
            assert_eq!(original_recipient(written).as_deref(), read, "{written}");
        }
    }
}
