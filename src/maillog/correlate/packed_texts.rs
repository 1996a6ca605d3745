//! Several optional texts in one reusable piece of memory: a busy server has hundreds of messages a
//! second, each with ten short texts.
//!
//! Not here: what the texts are. Invariant: an absent text differs from an empty one, and what was
//! stored with fewer texts can still be read.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Enough bytes for most messages and most recipients.
const USUAL: usize = 192;
/// More memory than this is freed when the texts are cleared.
const SPARE: usize = 1024;

/// The place of a text that is absent.
const ABSENT: (u32, u32) = (0, u32::MAX);

/// `N` texts, each of which may be absent.
#[derive(Clone, Debug)]
pub(crate) struct PackedTexts<const N: usize> {
    memory: String,
    /// Start and length of each.
    parts: [(u32, u32); N],
}

impl<const N: usize> Default for PackedTexts<N> {
    fn default() -> PackedTexts<N> {
        PackedTexts { memory: String::new(), parts: [ABSENT; N] }
    }
}

impl<const N: usize> PackedTexts<N> {
    pub(crate) fn get(&self, number: usize) -> Option<&str> {
        let (start, length) = self.parts[number];
        (length != u32::MAX).then(|| &self.memory[start as usize..start as usize + length as usize])
    }

    pub(crate) fn set(&mut self, number: usize, text: &str) {
        let start = self.memory.len();
        if self.memory.capacity() == 0 {
            self.memory.reserve_exact(USUAL.max(text.len()));
        }
        self.memory.push_str(text);
        // The casts hold: lines are at most 64 KiB, and replaced texts are dropped early.
        self.parts[number] = (start as u32, text.len() as u32);
        if start > SPARE {
            self.drop_replaced();
        }
    }

    /// Replaces a text, or removes it.
    pub(crate) fn put(&mut self, number: usize, text: Option<&str>) {
        match text {
            Some(text) => self.set(number, text),
            None => self.parts[number] = ABSENT,
        }
    }

    /// Removes all texts, and frees the memory of very long ones.
    pub(crate) fn clear(&mut self) {
        self.parts = [ABSENT; N];
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
        let alive = self.alive();
        if self.memory.capacity() > alive {
            let mut memory = String::with_capacity(alive);
            for number in 0..N {
                if let Some(text) = self.get(number) {
                    let start = memory.len() as u32;
                    memory.push_str(text);
                    self.parts[number].0 = start;
                }
            }
            self.memory = memory;
        }
    }

    /// Bytes of the texts.
    fn alive(&self) -> usize {
        let alive = self.parts.iter().filter(|part| **part != ABSENT);
        alive.map(|(_, length)| *length as usize).sum()
    }

    /// Drops replaced texts when they take more than half of the memory.
    fn drop_replaced(&mut self) {
        if 2 * self.alive() < self.memory.len() {
            let all: [Option<Box<str>>; N] = std::array::from_fn(|number| self.get(number).map(Box::from));
            self.clear();
            for (number, text) in all.iter().enumerate() {
                self.put(number, text.as_deref());
            }
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
        texts.clear();
        assert_eq!((texts.get(0), texts.weight()), (None, 0));
    }
}
