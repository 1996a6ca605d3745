//! Texts of messages, in memory that is used again: a busy server has hundreds of messages a second, each with ten short texts.
//!
//! Not here: what the texts are. Invariant: an absent text is not an empty one, and none is ever anything but UTF-8.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Memory of more bytes than these is given back.
const SPARE: usize = 1024;

/// A text that may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    text: String,
    there: bool,
}

impl Text {
    /// The text, if there is one.
    pub fn as_deref(&self) -> Option<&str> {
        self.there.then_some(&self.text)
    }

    /// The text, empty if there is none.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Is there none?
    pub fn is_none(&self) -> bool {
        !self.there
    }

    /// Replaces it.
    pub(super) fn set(&mut self, text: &str) {
        self.clear();
        self.text.push_str(text);
        self.there = true;
    }

    /// Replaces it by what a line has.
    pub(super) fn set_bytes(&mut self, bytes: &[u8]) {
        self.set(&lossy(bytes));
    }

    /// Replaces it, or takes it away.
    pub(super) fn put(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.set(text),
            None => self.clear(),
        }
    }

    /// Takes it away.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.there = false;
    }

    /// Takes it away, and gives back the memory of one that was very long.
    pub(super) fn give_up(&mut self) {
        self.clear();
        give_back(&mut self.text);
    }

    /// Bytes that it takes.
    pub(super) fn weight(&self) -> usize {
        self.text.capacity()
    }
}

fn give_back(text: &mut String) {
    if text.capacity() > SPARE {
        *text = String::new();
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.as_deref().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        Ok(Text { there: text.is_some(), text: text.unwrap_or_default() })
    }
}

/// Five texts in one: relay, dsn, delay, delays, reply.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    text: String,
    ends: [u16; 4],
}

impl Said {
    /// Replaces the five. The first four are cut where they are absurd.
    pub(super) fn set(&mut self, short: [&[u8]; 4], reply: &[u8]) {
        self.text.clear();
        for (end, part) in self.ends.iter_mut().zip(short) {
            self.text.push_str(&lossy(&part[..part.len().min(4000)]));
            *end = self.text.len() as u16;
        }
        self.text.push_str(&lossy(reply));
    }

    /// As if nothing had been said.
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.ends = [0; 4];
    }

    /// The same, and gives back the memory of what was very long.
    pub(super) fn give_up(&mut self) {
        self.clear();
        give_back(&mut self.text);
    }

    /// Bytes that they take.
    pub(super) fn weight(&self) -> usize {
        self.text.capacity()
    }

    pub(super) fn part(&self, number: usize) -> Option<&str> {
        let start = if number == 0 { 0 } else { usize::from(self.ends[number - 1]) };
        let end = self.ends.get(number).map_or(self.text.len(), |end| usize::from(*end));
        self.text.get(start..end).filter(|part| !part.is_empty())
    }
}

/// Text of a log, which is mostly UTF-8; what is not becomes U+FFFD.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    // The first is the faster.
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_text_is_not_an_empty_one() {
        let mut text = Text::default();
        assert!(text.is_none() && serde_json::to_string(&text).unwrap() == "null");
        text.set("");
        assert_eq!((text.as_deref(), serde_json::to_string(&text).unwrap().as_str()), (Some(""), "\"\""));
        text.set_bytes(b"a\xff");
        let again: Text = serde_json::from_str(&serde_json::to_string(&text).unwrap()).unwrap();
        assert_eq!((&again, again.as_deref()), (&text, Some("a\u{fffd}")));
        text.put(None);
        assert_eq!((text.as_deref(), text.as_str()), (None, ""));
    }

    #[test]
    fn what_was_said_before_is_gone() {
        let mut said = Said::default();
        said.set([b"mx", b"4.2.2", b"1", b"1/0/0/0"], b"later, and a long text");
        said.set([b"", b"2.0.0", b"", b""], b"ok");
        let parts: Vec<_> = (0..5).map(|part| said.part(part)).collect();
        assert_eq!(parts, [None, Some("2.0.0"), None, None, Some("ok")]);
        said.clear();
        assert_eq!(said, Said::default());
    }
}
