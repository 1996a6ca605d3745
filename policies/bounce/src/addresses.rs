//! Addresses as a text names them: their domains, and what a script without blanks writes beside
//! them.
//!
//! Not here: where in a text one stands (`diagnostic`).

use std::ops::Range;

pub(crate) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}

pub(crate) fn is_another(domain: &str, of_sender: &str) -> bool {
    !domain.is_empty() && !domain.eq_ignore_ascii_case(of_sender)
}

/// The address in a word: `用户kim@example.org不存在`. One that is in another script is the word.
pub(crate) fn within(word: &[u8]) -> Range<usize> {
    let Some(at) = word.iter().position(|byte| *byte == b'@') else { return 0..word.len() };
    let local = word[..at].iter().rev().take_while(|byte| byte.is_ascii()).count();
    let host = word[at + 1..].iter().take_while(|byte| byte.is_ascii()).count();
    let start = if local == 0 { 0 } else { at - local };
    let end = if host == 0 { word.len() } else { at + 1 + host };
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_another_script_are_beside_an_address() {
        for (word, address) in [
            ("用户kim@example.org不存在", "kim@example.org"),
            ("kim@example.orgは", "kim@example.org"),
            ("kim@example.org", "kim@example.org"),
            ("用户@例子.cn", "用户@例子.cn"),
            ("kim", "kim"),
        ] {
            assert_eq!(&word[within(word.as_bytes())], address, "{word}");
        }
    }
}
