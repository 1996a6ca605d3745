//! The phrases by which mail servers and providers say what happened, in many languages, and the
//! search for them.
//!
//! Not here: what follows from a phrase. The phrases are data, folded text with one meaning a
//! section: a new language is new lines in `phrases.txt`. Invariant: all of them are searched in
//! one pass.

use super::fold::Folded;
use std::ops::Range;

/// What a phrase says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// Somebody did not get the message. Who, follows.
    Failed,
    /// The address right after it did not get the message, if anything else says that this is a
    /// bounce.
    Perhaps,
    /// It is still tried.
    Delayed,
    /// It was delivered.
    Delivered,
    /// It was handed to a server that sends no reports.
    Relayed,
    /// What was said between two servers follows.
    Transcript,
    /// The message that is reported on follows.
    Original,
    /// The address right after it is what was refused.
    Object,
    /// The address right before it is gone.
    Gone,
    /// An address to ask for help follows.
    Contact,
    /// The address of the sender follows.
    Sender,
    /// The command that was answered.
    Stage(&'static str),
    /// It is part of a footer that every mail gets.
    Footer,
}

impl Says {
    /// Whether an address follows that is not the subject of the notice.
    pub(crate) fn is_contact(self) -> bool {
        matches!(self, Says::Contact | Says::Sender)
    }
}

/// A place where a phrase is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    /// The index of its first byte in the folded text.
    pub(crate) start: usize,
    /// The index after its last byte.
    pub(crate) end: usize,
    /// What it says.
    pub(crate) says: Says,
}

/// The phrases, in sections that begin with `==`.
static TEXT: &str = include_str!("phrases.txt");

/// What the sections of the file mean, in their order.
const SECTIONS: [Says; 19] = [
    Says::Failed,
    Says::Failed,
    Says::Failed,
    Says::Perhaps,
    Says::Object,
    Says::Gone,
    Says::Delayed,
    Says::Delivered,
    Says::Relayed,
    Says::Transcript,
    Says::Original,
    Says::Contact,
    Says::Sender,
    Says::Stage("DATA"),
    Says::Stage("RCPT"),
    Says::Stage("MAIL"),
    Says::Stage("HELO"),
    Says::Stage("CONN"),
    Says::Footer,
];

/// How many phrases there are.
const COUNT: usize = {
    let (mut count, mut at) = (0, 0);
    while at < TEXT.len() {
        count += is_phrase(TEXT.as_bytes(), at) as usize;
        at = next_line(TEXT.as_bytes(), at);
    }
    count
};
/// Buckets of phrases by their first bytes.
const BUCKETS: usize = 4096;

/// The phrases by the bucket of their beginning.
struct Index {
    /// One more than the number of the last phrase in a bucket; 0 for none.
    last: [u16; BUCKETS],
    /// Likewise the one before a phrase in its bucket.
    before: [u16; COUNT],
    /// Where a phrase is in the file, from and to, and its section.
    place: [(u16, u16, u8); COUNT],
}

/// Computed by the compiler, so that it costs nothing when the program starts.
static INDEX: Index = index(TEXT.as_bytes());

const fn index(text: &[u8]) -> Index {
    let mut index = Index { last: [0; BUCKETS], before: [0; COUNT], place: [(0, 0, 0); COUNT] };
    let (mut number, mut at, mut section) = (0, 0, 0);
    while at < text.len() {
        let next = next_line(text, at);
        if text[at] == b'=' {
            section += 1;
        } else if is_phrase(text, at) {
            let bucket = bucket(text, at);
            index.before[number] = index.last[bucket];
            index.place[number] = (at as u16, (next - 1) as u16, section - 1);
            number += 1;
            index.last[bucket] = number as u16;
        }
        at = next;
    }
    index
}

/// Whether the line at `at` is neither empty nor a comment nor the head of a section.
const fn is_phrase(text: &[u8], at: usize) -> bool {
    !matches!(text[at], b'\n' | b'#' | b'=')
}

/// Where the line after the one at `at` starts.
const fn next_line(text: &[u8], mut at: usize) -> usize {
    while text[at] != b'\n' {
        at += 1;
    }
    at + 1
}

/// The bucket of the four bytes at `at`.
const fn bucket(bytes: &[u8], at: usize) -> usize {
    let (a, b) = (bytes[at] as usize, bytes[at + 1] as usize);
    let (c, d) = (bytes[at + 2] as usize, bytes[at + 3] as usize);
    (a.wrapping_mul(61) ^ b.wrapping_mul(509) ^ c.wrapping_mul(1021) ^ d.wrapping_mul(2039)) % BUCKETS
}

/// Every phrase in a folded text, in order; of those that overlap so that one is part of the other,
/// the longer.
pub(crate) fn find(folded: &str) -> Vec<Hit> {
    #[cfg(test)]
    crate::message::work::add(folded.len());
    let bytes = folded.as_bytes();
    let mut hits: Vec<Hit> = Vec::new();
    let mut in_word = false;
    for start in 0..bytes.len().saturating_sub(3) {
        let byte = bytes[start];
        let inside = std::mem::replace(&mut in_word, byte.is_ascii_alphanumeric());
        if inside || byte == b' ' || matches!(byte, 0x80..0xc0) {
            continue;
        }
        let mut number = INDEX.last[bucket(bytes, start)];
        let mut longest: Option<Hit> = None;
        while number > 0 {
            let (from, to, section) = INDEX.place[usize::from(number) - 1];
            let phrase = &TEXT.as_bytes()[usize::from(from)..usize::from(to)];
            let says = SECTIONS[usize::from(section)];
            let end = start + phrase.len();
            let ends = bytes[start..].starts_with(phrase) && whole_word(phrase, bytes.get(end).copied());
            if ends && longest.is_none_or(|longest| longest.end < end) {
                longest = Some(Hit { start, end, says });
            }
            number = INDEX.before[usize::from(number) - 1];
        }
        let part = |longest: &Hit| hits.last().is_some_and(|last| longest.end <= last.end);
        hits.extend(longest.filter(|longest| !part(longest)));
    }
    hits
}

/// The hits that start in some lines.
pub(crate) fn hits_in<'h>(hits: &'h [Hit], folded: &Folded, lines: Range<usize>) -> &'h [Hit] {
    let place = |line| hits.partition_point(|hit| hit.start < folded.start(line));
    &hits[place(lines.start)..place(lines.end.max(lines.start))]
}

/// Whether a phrase may end before this byte: an English word may not go on, others are declined.
fn whole_word(phrase: &[u8], next: Option<u8>) -> bool {
    let last_is_letter = phrase.last().is_some_and(u8::is_ascii_alphanumeric);
    !(phrase.len() < 12 && last_is_letter && next.is_some_and(|byte| byte.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fold::folded;

    #[test]
    fn phrases_are_folded_and_listed_once() {
        let mut all: Vec<&str> =
            TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', '='])).collect();
        for phrase in &all {
            assert_eq!(folded(phrase), *phrase);
            assert!(phrase.len() >= 4, "{phrase}");
        }
        let count = all.len();
        assert_eq!(count, COUNT);
        assert!(TEXT.ends_with('\n') && TEXT.len() < usize::from(u16::MAX));
        assert_eq!(TEXT.lines().filter(|line| line.starts_with("==")).count(), SECTIONS.len());
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn phrases_are_found_in_many_languages() {
        for text in [
            "I'm afraid I wasn't able to deliver your message",
            "Ihre Nachricht konnte nicht zugestellt werden",
            "Votre message n'a pas pu être délivré à",
            "no se pudo entregar su mensaje",
            "Не удалось доставить сообщение",
            "メールを配信できませんでした",
            "您的邮件无法投递",
            "메시지를 배달하지 못했습니다",
        ] {
            assert!(find(&folded(text)).iter().any(|hit| hit.says == Says::Failed), "{text}");
        }
        assert_eq!(find("all is well"), []);
    }

    #[test]
    fn the_longest_phrase_counts() {
        let text = "it has not yet been delivered";
        assert_eq!(find(text)[0], Hit { start: 3, end: text.len(), says: Says::Delayed });
    }
}
