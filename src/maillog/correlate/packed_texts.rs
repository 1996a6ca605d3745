//! Several optional texts in one reusable piece of memory: a busy server has hundreds of messages a
//! second, each with ten short texts.
//!
//! Not here: what the texts are. Invariant: an absent text differs from an empty one, and what was
//! stored with fewer texts can still be read.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ops::Range;

/// Enough bytes for most messages and most recipients.
const USUAL: usize = 192;
/// More memory than this is freed when the texts are cleared.
const SPARE: usize = 1024;

/// The length of a text that is absent.
const ABSENT: u16 = u16::MAX;
/// Bytes of a text at most: longer than any line of a log, of which texts are parts.
const LONGEST: usize = u16::MAX as usize - 1;

/// `N` texts one after the other, each of which may be absent.
#[derive(Clone, Debug)]
pub(crate) struct PackedTexts<const N: usize> {
    memory: String,
    lengths: [u16; N],
}

impl<const N: usize> Default for PackedTexts<N> {
    fn default() -> PackedTexts<N> {
        PackedTexts { memory: String::new(), lengths: [ABSENT; N] }
    }
}

impl<const N: usize> PackedTexts<N> {
    pub(crate) fn get(&self, number: usize) -> Option<&str> {
        (self.lengths[number] != ABSENT).then(|| &self.memory[self.place(number)])
    }

    /// Where a text is, or would be.
    fn place(&self, number: usize) -> Range<usize> {
        let length = |length: &u16| if *length == ABSENT { 0 } else { usize::from(*length) };
        let start = self.lengths[..number].iter().map(length).sum();
        start..start + length(&self.lengths[number])
    }

    pub(crate) fn set(&mut self, number: usize, text: &str) {
        let text = &text[..text.floor_char_boundary(LONGEST)];
        if self.memory.capacity() == 0 {
            self.memory.reserve_exact(USUAL.max(text.len()));
        }
        let place = self.place(number);
        if place.end == self.memory.len() {
            self.memory.truncate(place.start);
            self.memory.push_str(text);
        } else if place.is_empty() {
            self.memory.insert_str(place.start, text);
        } else {
            self.memory.replace_range(place, text);
        }
        self.lengths[number] = text.len() as u16;
    }

    /// Replaces a text, or removes it.
    pub(crate) fn put(&mut self, number: usize, text: Option<&str>) {
        match text {
            Some(text) => self.set(number, text),
            None if self.lengths[number] == ABSENT => {}
            None => {
                self.set(number, "");
                self.lengths[number] = ABSENT;
            }
        }
    }

    /// Removes all texts, and frees the memory of very long ones.
    pub(crate) fn clear(&mut self) {
        self.lengths = [ABSENT; N];
        self.memory.clear();
        if self.memory.capacity() > SPARE {
            self.memory = String::new();
        }
    }

    /// Bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        self.memory.capacity()
    }

    /// Leaves no memory but that of the texts.
    pub(crate) fn shrink(&mut self) {
        // In place, what is freed of one would lie between those of others, and serve nobody.
        if self.memory.capacity() > self.memory.len() {
            self.memory = String::from(self.memory.as_str());
        }
    }
}

impl<const N: usize> Serialize for PackedTexts<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((0..N).map(|number| self.get(number)))
    }
}

impl<'de, const N: usize> Deserialize<'de> for PackedTexts<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<PackedTexts<N>, D::Error> {
        let all = Vec::<Option<Cow<'de, str>>>::deserialize(from)?;
        if all.len() > N {
            return Err(D::Error::invalid_length(all.len(), &"fewer texts"));
        }
        let mut texts = PackedTexts::default();
        for (number, text) in all.iter().enumerate() {
            texts.put(number, text.as_deref());
        }
        Ok(texts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_text_is_not_an_empty_one_and_what_is_replaced_takes_no_memory() {
        let mut texts = PackedTexts::<3>::default();
        texts.set(0, "");
        texts.set(2, "ä");
        assert_eq!([texts.get(0), texts.get(1), texts.get(2)], [Some(""), None, Some("ä")]);
        let long = "x".repeat(900);
        for _ in 0..1000 {
            texts.set(1, &long);
        }
        assert_eq!([texts.get(0), texts.get(1), texts.get(2)], [Some(""), Some(&*long), Some("ä")]);
        assert!(texts.weight() < 8 * SPARE, "{}", texts.weight());
        let json = serde_json::to_string(&texts).unwrap();
        let again: PackedTexts<3> = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
        assert!(serde_json::from_str::<PackedTexts<2>>(&json).is_err());
        let with_more: PackedTexts<4> = serde_json::from_str(&json).unwrap();
        assert_eq!([with_more.get(2), with_more.get(3)], [Some("ä"), None]);
        let mut shrunk = texts.clone();
        shrunk.shrink();
        assert_eq!((shrunk.get(1), shrunk.get(2), shrunk.weight()), (Some(&*long), Some("ä"), 902));
        shrunk.put(1, None);
        shrunk.set(0, "first");
        assert_eq!([shrunk.get(0), shrunk.get(1), shrunk.get(2)], [Some("first"), None, Some("ä")]);
        shrunk.set(1, &"ä".repeat(40_000));
        assert_eq!((shrunk.get(1).map(str::len), shrunk.get(2)), (Some(LONGEST), Some("ä")));
        texts.set(0, &long.repeat(2));
        texts.clear();
        assert_eq!((texts.get(0), texts.weight()), (None, 0));
    }
}
