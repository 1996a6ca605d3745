//! Which words a piece of a log has, in a few kilobytes: a Bloom filter of them.
//!
//! A word is a run of letters and digits in lower case. Two that `@`, a dot or another mark of ids
//! joins count together too, because every word of an address alone is in most pieces. Not here:
//! files (`outlines`). Invariant: a piece that names what is sought is never said to lack it; one
//! that does not may be said to have it.

use crate::named_address::{NamedAddress, is_of_word};

/// Bytes of a filter: for a piece of 1 MiB, one in a thousand words that it lacks is found in it.
pub(super) const BYTES: usize = 64 << 10;
/// Bits of a word.
const BITS: u32 = 6;

pub(super) struct WordFilter(Vec<u8>);

impl WordFilter {
    /// The words of a text.
    pub(super) fn of(text: &[u8]) -> WordFilter {
        let mut filter = WordFilter(vec![0; BYTES]);
        words(text, true, &mut |word| {
            for (octet, bit) in bits(word) {
                filter.0[octet] |= bit;
            }
        });
        filter
    }

    /// As it was kept; `None`: it is none.
    pub(super) fn read(octets: Vec<u8>) -> Option<WordFilter> {
        (octets.len() == BYTES).then_some(WordFilter(octets))
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    fn may_have(&self, word: u64) -> bool {
        bits(word).all(|(octet, bit)| self.0[octet] & bit != 0)
    }
}

/// What is sought, as words: all those of one of its forms.
#[derive(Default)]
pub(super) struct SoughtWords(Vec<Vec<u64>>);

impl SoughtWords {
    pub(super) fn of(named: &NamedAddress) -> SoughtWords {
        let mut sought = SoughtWords::default();
        named.forms().for_each(|form| sought.add(form));
        sought
    }

    /// Seeks a text between quotes of JSON, too.
    pub(super) fn add_quoted(&mut self, text: &str) {
        let json = serde_json::Value::from(text).to_string();
        self.add(json.trim_matches('"').as_bytes());
    }

    fn add(&mut self, form: &[u8]) {
        let mut all = Vec::new();
        words(form, false, &mut |word| all.push(word));
        // What has no word may be anywhere: the form without any is in every piece.
        if !self.0.contains(&all) {
            self.0.push(all);
        }
    }

    pub(super) fn may_be_in(&self, filter: &WordFilter) -> bool {
        self.0.iter().any(|form| form.iter().all(|word| filter.may_have(*word)))
    }
}

/// Gives `each` the digest of every word and of every two that are joined. `with_rests`: also of
/// what is left of a word without what belongs to an escape before it.
fn words(text: &[u8], with_rests: bool, each: &mut impl FnMut(u64)) {
    // The end of the last word, and it in every way that it is read.
    let (mut end, mut last): (usize, Vec<u64>) = (0, Vec::new());
    while let Some(start) = text[end..].iter().position(|byte| is_of_word(*byte)).map(|begin| end + begin) {
        let is_joined = end > 0 && joins(&text[end..start]);
        let length = text[start..].iter().position(|byte| !is_of_word(*byte));
        end = length.map_or(text.len(), |length| start + length);
        let word = &text[start..end];
        if is_joined {
            last.iter().for_each(|before| each(pair(*before, digest(word))));
        }
        last.clear();
        last.push(digest(word));
        if with_rests && start > 0 {
            last.extend(rests(text[start - 1], word).map(digest));
        }
        last.iter().for_each(|word| each(*word));
    }
}

/// Whether what is between two words joins them: a mark of ids and addresses, also after the quote
/// of a local part.
fn joins(between: &[u8]) -> bool {
    let (quote, joint) = between.split_at(between.len().saturating_sub(1));
    joint.first().is_some_and(|joint| b"@=%.-_+".contains(joint)) && matches!(quote, b"" | b"\"" | b"\\\"")
}

/// A word without the rest of `%3c`, `\n` or `\u003c`.
fn rests(before: u8, word: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lengths: &[usize] = match before {
        b'%' => &[2],
        b'\\' => &[1, 5],
        _ => &[],
    };
    lengths.iter().filter_map(|length| word.get(*length..)).filter(|rest| !rest.is_empty())
}

/// FNV-1a, because what is kept must mean the same in every release.
fn digest(word: &[u8]) -> u64 {
    let add =
        |hash: u64, byte: &u8| (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3);
    word.iter().fold(0xcbf2_9ce4_8422_2325, add)
}

fn pair(one: u64, other: u64) -> u64 {
    one.rotate_left(21).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ other
}

/// The places of a word.
fn bits(word: u64) -> impl Iterator<Item = (usize, u8)> {
    let mixed = (word ^ word >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let (first, step) = (mixed as u32, (mixed >> 32) as u32 | 1);
    (0..BITS).map(move |number| {
        let bit = first.wrapping_add(step.wrapping_mul(number)) as usize % (BYTES * 8);
        (bit / 8, 1 << (bit % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may_name(text: &str, key: &str) -> bool {
        SoughtWords::of(&NamedAddress::or_text(key)).may_be_in(&WordFilter::of(text.as_bytes()))
    }

    #[test]
    fn what_names_it_is_never_left_out() {
        for (key, text) in [
            ("joe@example.org", "to=<Joe@Example.ORG>,"),
            ("joe@example.org", "b+fyf-reatroqprun2-joe=example.org@bounces.example.com"),
            ("joe@example.org", "SRS0=ab=cd=example.org=joe@forwarder.example"),
            ("joe@example.org", "a=%3Cjoe%40example.org%3E"),
            ("joe@example.org", r#"{"text":"unknown:\njoe@example.org\n"}"#),
            ("joe@example.org", r#"{"text":"\u003cjoe@example.org\u003e"}"#),
            ("\"joe doe\"@example.org", r#"{"recipient":"\"joe doe\"@example.org"}"#),
            ("joe+a@example.org", "b+fyf-reatroqprun2-joe+2ba=example.org@bounces.example.com"),
            ("jörg@example.org", "an JÖRG@EXAMPLE.ORG"),
            ("jörg@example.org", "http://app.example/b/j%C3%B6rg%40example.org"),
            ("joe@bücher.example", "to=<joe@xn--bcher-kva.example>"),
            ("4Xn0y8z", "\"queue_id\":\"4Xn0y8z\""),
            ("@@", "whatever"),
        ] {
            assert!(NamedAddress::or_text(key).is_in(text.as_bytes()) || key == "@@", "{key} in {text}");
            assert!(may_name(text, key), "{key} in {text}");
        }
    }

    #[test]
    fn what_has_all_the_words_apart_is_left_out() {
        assert!(!may_name("joe@other.example, ann@example.org", "joe@example.org"));
        assert!(!may_name("4Xn0y8", "4Xn0y8z"));
        assert!(!may_name("<20.8.7@shop>, <21.7.7@shop>", "20.7.7@shop"));
        let lines: String =
            (0..1500).map(|n| format!("user{n}@gmail.example 4Xn{n} key{n} note{n}\n")).collect();
        let found = (0..1000).filter(|n| may_name(&lines, &format!("4Yn{n}"))).count();
        assert!(found < 20, "{found}");
    }
}
