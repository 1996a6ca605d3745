//! Queue ids in front of texts.
//!
//! A short id is hexadecimal: microseconds, then the inode number. A long one
//! (enable_long_queue_ids in main.cf) consists of digits and consonants, at least ten of them.
//! Invariant: a word of a text is not taken for a queue id, and a queue id is not taken for a word.

const SHORTEST: usize = 5;
const SHORTEST_LONG: usize = 10;
const LONGEST: usize = 32;

/// What is in front of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prefix<'a> {
    QueueId(&'a [u8]),
    /// `NOQUEUE`: about a session whose message has no queue id yet.
    NoQueue,
    Absent,
}

impl<'a> Prefix<'a> {
    pub(crate) fn queue_id(self) -> Option<&'a [u8]> {
        match self {
            Prefix::QueueId(id) => Some(id),
            Prefix::NoQueue | Prefix::Absent => None,
        }
    }
}

/// Splits a text into what is in front and the rest.
pub(crate) fn split_prefix(text: &[u8]) -> (Prefix<'_>, &[u8]) {
    if let Some((id, rest)) = split_queue_id(text) {
        return (Prefix::QueueId(id), rest);
    }
    match text.strip_prefix(b"NOQUEUE: ") {
        Some(rest) => (Prefix::NoQueue, rest),
        None => (Prefix::Absent, text),
    }
}

/// A queue id, and what follows its colon and space.
pub(crate) fn split_queue_id(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let head = &text[..text.len().min(LONGEST + 1)];
    let (mut seen, mut end) = (0, 0);
    loop {
        match CLASSES[usize::from(*head.get(end)?)] {
            OTHER => break,
            class => seen |= class,
        }
        end += 1;
    }
    let is_id = if seen & LETTER == 0 { end >= SHORTEST } else { seen & DIGIT != 0 && end >= SHORTEST_LONG };
    let (id, rest) = is_id.then(|| text.split_at(end))?;
    Some((id, rest.strip_prefix(b": ")?))
}

/// Whether a text is a queue id and nothing else.
pub(crate) fn is_queue_id(text: &[u8]) -> bool {
    let has_digit = text.iter().any(u8::is_ascii_digit);
    let hexadecimal = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    let alphanumeric = text.iter().all(u8::is_ascii_alphanumeric);
    let is_long = alphanumeric && has_digit && text.len() >= SHORTEST_LONG;
    text.len() <= LONGEST && if hexadecimal { text.len() >= SHORTEST } else { is_long }
}

/// What a byte may be in a queue id: a table, because every line is searched.
const CLASSES: [u8; 256] = {
    let mut classes = [OTHER; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'0'..=b'9' => DIGIT,
            b'A'..=b'F' => HEXADECIMAL,
            b'G'..=b'Z' | b'a'..=b'z' => LETTER,
            _ => OTHER,
        };
        byte += 1;
    }
    classes
};
const OTHER: u8 = 0;
const DIGIT: u8 = 1;
const HEXADECIMAL: u8 = 2;
/// Only in a long id.
const LETTER: u8 = 4;
