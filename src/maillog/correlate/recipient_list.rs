//! The recipients of a queued message, found by address.
//!
//! Not here: aliases (`same_recipient`). Invariant: a recipient keeps its position, which is part
//! of its delivery's id.

use super::queued_recipient::QueuedRecipient;
use crate::maillog::logged_status::LoggedStatus;
use crate::maillog::whose::Whose;
use rustc_hash::{FxHashMap, FxHasher};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::hash::Hasher;
use std::ops::{Deref, DerefMut};

/// Memory of this many recipients is kept for the next message.
const SPARE: usize = 4;
/// A longer list is searched by index.
const SEARCHED: usize = 16;
/// In a longer list, recipients that were reported have no spare memory.
const LONG: usize = 1000;

#[derive(Clone, Debug, Default)]
pub(crate) struct RecipientList {
    /// The recipients, followed by memory for those of the next message.
    memory: Vec<QueuedRecipient>,
    used: usize,
    /// Positions by the hash of both addresses; built when a long list is first searched.
    index: Option<Box<FxHashMap<u64, u32>>>,
}

impl RecipientList {
    /// The position of the recipient with exactly these addresses.
    pub(crate) fn find(&mut self, address: &str, original: Option<&str>) -> Option<usize> {
        let same = |recipient: &QueuedRecipient| {
            recipient.address() == Some(address) && recipient.original() == original
        };
        let recipients = &self.memory[..self.used];
        if recipients.len() <= SEARCHED {
            return recipients.iter().position(same);
        }
        let index = self.index.get_or_insert_with(|| {
            let entry = |(at, recipient): (usize, &QueuedRecipient)| (hash_of(recipient), at as u32);
            Box::new(recipients.iter().enumerate().map(entry).collect())
        });
        let at = *index.get(&hash(Some(address), original))? as usize;
        recipients.get(at).is_some_and(same).then_some(at)
    }

    /// Adds a recipient and returns its position.
    pub(crate) fn push(
        &mut self,
        address: Option<&str>,
        original: Option<&str>,
        status: LoggedStatus,
        at_ms: i64,
    ) -> usize {
        let at = self.used;
        if at == self.memory.len() {
            // Most messages have one recipient.
            if at == 0 {
                self.memory.reserve_exact(1);
            }
            self.memory.push(QueuedRecipient::default());
        }
        self.used += 1;
        self.memory[at].begin(address, original, status, at_ms);
        self.enter(at);
        at
    }

    /// Gives the recipient at a position other addresses.
    pub(crate) fn rename(&mut self, at: usize, address: &str, original: Option<&str>) {
        self[at].set_addresses(address, original);
        self.enter(at);
    }

    /// Notes that the present state of the recipient at a position was reported.
    pub(crate) fn note_report(&mut self, at: usize, whose: Whose) {
        let is_long = self.used > LONG;
        let recipient = &mut self[at];
        recipient.note_report(whose);
        if is_long {
            recipient.shrink();
        }
    }

    /// Takes out the first recipients, so that the position of the others is less by their number.
    pub(crate) fn take_first(&mut self, many: usize) -> Vec<QueuedRecipient> {
        self.memory.truncate(self.used);
        let others = self.memory.split_off(many.min(self.used));
        (self.used, self.index) = (others.len(), None);
        std::mem::replace(&mut self.memory, others)
    }

    /// Takes out the recipients from a position on, to be appended again.
    pub(crate) fn split_off(&mut self, at: usize) -> Vec<QueuedRecipient> {
        if self.used <= at {
            return Vec::new();
        }
        let mut others = std::mem::take(&mut self.memory);
        others.truncate(self.used);
        // The few are moved, so that there is no second list of this length.
        self.memory = others.drain(..at).collect();
        (self.used, self.index) = (at, None);
        others
    }

    /// Adds recipients that were taken out.
    pub(crate) fn append(&mut self, mut recipients: Vec<QueuedRecipient>) {
        recipients.iter_mut().for_each(QueuedRecipient::shrink);
        self.memory.truncate(self.used);
        self.memory.append(&mut recipients);
        (self.used, self.index) = (self.memory.len(), None);
    }

    fn enter(&mut self, at: usize) {
        if let Some(index) = &mut self.index {
            index.insert(hash_of(&self.memory[at]), at as u32);
        }
    }

    /// Removes all, and keeps memory of the usual size.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
        self.index = None;
        self.memory.truncate(SPARE);
        if self.memory.capacity() > 8 * SPARE {
            self.memory = Vec::new();
        }
        self.memory.iter_mut().for_each(QueuedRecipient::clear_texts);
    }

    /// Approximate bytes of memory.
    pub(crate) fn weight(&self) -> usize {
        // What a growing list has not touched yet takes no memory.
        let spare = (self.memory.capacity() - self.used).min(SPARE) * size_of::<QueuedRecipient>();
        self.iter().map(QueuedRecipient::weight).sum::<usize>()
            + spare
            + self.index.as_ref().map_or(0, |index| index.capacity() * 20)
    }
}

fn hash_of(recipient: &QueuedRecipient) -> u64 {
    hash(recipient.address(), recipient.original())
}

fn hash(address: Option<&str>, original: Option<&str>) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(address.unwrap_or_default().as_bytes());
    hasher.write_u8(0xff);
    hasher.write(original.unwrap_or_default().as_bytes());
    hasher.finish()
}

impl Deref for RecipientList {
    type Target = [QueuedRecipient];

    fn deref(&self) -> &[QueuedRecipient] {
        &self.memory[..self.used]
    }
}

impl DerefMut for RecipientList {
    fn deref_mut(&mut self) -> &mut [QueuedRecipient] {
        &mut self.memory[..self.used]
    }
}

impl Serialize for RecipientList {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for RecipientList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<RecipientList, D::Error> {
        let memory = Vec::deserialize(from)?;
        Ok(RecipientList { used: memory.len(), memory, index: None })
    }
}
