//! The messages under way, found by queue id, in bounded memory.
//!
//! Not here: what lines mean. Invariant: a message has one place however many queue ids lead to it, and what
//! is evicted is handed over, never just forgotten.

use super::message::Message;
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::VecDeque;
use std::hash::Hasher;

/// Where messages go that no longer have room in memory, and come back from when a line names them again.
pub trait Shelf {
    /// Takes a message: the longest untouched ones, when there are too many or they are too old, or all
    /// (`shelve`). One with the same host and queue id that is there already is another, older message, whose
    /// story is over.
    fn put(&mut self, message: &Message);
    /// Gives the message with this host and queue id (its first, or the one it was requeued as) back, and
    /// forgets it.
    fn take(&mut self, host: &str, queue_id: &str) -> Option<Message>;
}

/// No shelf: what is evicted stays as it was last drained.
impl Shelf for () {
    fn put(&mut self, _: &Message) {}
    fn take(&mut self, _: &str, _: &str) -> Option<Message> {
        None
    }
}

/// Queue ids are compared with their host where they are short: those are only unique within one queue.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    id: [u8; 24],
    rest: u32,
}

impl Key {
    pub(super) fn new(host: &[u8], queue_id: &[u8]) -> Key {
        let mut id = [0; 24];
        let length = queue_id.len().min(24);
        id[..length].copy_from_slice(&queue_id[..length]);
        // A long id holds the time to the microsecond. A short one has no letter behind F.
        let long = queue_id.iter().any(|byte| *byte > b'F');
        let mut rest = 0;
        if !long || queue_id.len() > 24 {
            let mut hasher = FxHasher::default();
            hasher.write(&queue_id[length..]);
            hasher.write(if long { b"" } else { host });
            rest = hasher.finish() as u32;
        }
        Key { id, rest }
    }
}

#[derive(Default)]
pub(super) struct Table {
    places: Vec<Option<Message>>,
    free: Vec<u32>,
    keys: FxHashMap<Key, u32>,
    /// Places of messages with changes that were not drained.
    changed: Vec<u32>,
    /// Places of closed messages, and when they were closed.
    closed: VecDeque<(u32, i64)>,
    weight: u64,
}

impl Table {
    pub(super) fn get(&self, key: &Key) -> Option<u32> {
        self.keys.get(key).copied()
    }

    pub(super) fn message(&mut self, place: u32) -> &mut Message {
        self.places[place as usize].as_mut().expect("keys, changes and closures point at messages only")
    }

    pub(super) fn insert(&mut self, mut message: Message) -> u32 {
        message.weight = message.measure();
        self.weight += u64::from(message.weight);
        let closed = message.closed.then_some(message.last_ms);
        let place = match self.free.pop() {
            Some(place) => {
                self.places[place as usize] = Some(message);
                place
            }
            None => {
                self.places.push(Some(message));
                (self.places.len() - 1) as u32
            }
        };
        let host = self.message(place).host.clone();
        let ids =
            self.message(place).queue_ids().map(|queue_id| Key::new(host.as_bytes(), queue_id.as_bytes()));
        for key in ids.collect::<Vec<_>>() {
            self.keys.insert(key, place);
        }
        if let Some(at_ms) = closed {
            self.closed.push_back((place, at_ms));
        }
        place
    }

    /// Lets another queue id lead to the same message, in place of the one that it was requeued as before.
    pub(super) fn requeue(&mut self, place: u32, queue_id: &str) {
        let message = self.message(place);
        let host = message.host.clone();
        let before = message.requeued_as.replace(queue_id.into());
        if let Some(before) = before {
            let key = Key::new(host.as_bytes(), before.as_bytes());
            if self.keys.get(&key) == Some(&place) {
                self.keys.remove(&key);
            }
        }
        self.keys.insert(Key::new(host.as_bytes(), queue_id.as_bytes()), place);
    }

    /// Notes that a message has something to drain.
    pub(super) fn touch(&mut self, place: u32) {
        let message = self.message(place);
        if !std::mem::replace(&mut message.changed, true) {
            self.changed.push(place);
        }
    }

    pub(super) fn close(&mut self, place: u32, at_ms: i64) {
        let message = self.message(place);
        if !std::mem::replace(&mut message.closed, true) {
            self.closed.push_back((place, at_ms));
        }
        self.touch(place);
    }

    /// Gives every message with changes to `each` once.
    pub(super) fn drain(&mut self, mut each: impl FnMut(&mut Message)) {
        for place in std::mem::take(&mut self.changed) {
            let message = self.places[place as usize]
                .as_mut()
                .expect("a changed message is not removed before it is drained");
            message.changed = false;
            each(message);
            let weight = message.measure();
            self.weight = self.weight + u64::from(weight) - u64::from(message.weight);
            message.weight = weight;
        }
    }

    /// Forgets messages that were closed before this time. To be called when all is drained.
    pub(super) fn forget_closed(&mut self, before_ms: i64) {
        while let Some((place, at_ms)) = self.closed.front().copied() {
            if at_ms >= before_ms {
                break;
            }
            self.closed.pop_front();
            // One that was taken in again since has another entry, or none.
            if self.places[place as usize].as_ref().is_some_and(|message| message.closed) {
                self.remove(place);
            }
        }
    }

    /// Forgets messages that nothing waits for: sessions that ended before their message came in (after an
    /// hour without a line; after a day if the header had come in), and messages that were refused or thrown
    /// away for all recipients. To be called when all is drained.
    pub(super) fn forget_idle(&mut self, now_ms: i64) {
        const HOUR_MS: i64 = 3_600_000;
        let idle = |message: &Message| {
            let patience = if message.recipients.is_empty() && message.message_id.is_some() { 24 } else { 1 };
            let waiting = message.recipients.iter().any(|recipient| !recipient.status.is_final());
            message.last_ms < now_ms - patience * HOUR_MS && !message.active && !message.closed && !waiting
        };
        for place in 0..self.places.len() as u32 {
            if self.places[place as usize].as_ref().is_some_and(idle) {
                self.remove(place);
            }
        }
    }

    /// Evicts what was not touched since `before_ms`, and the longest untouched while there is more than
    /// `limit` bytes. To be called when all is drained.
    pub(super) fn evict(&mut self, before_ms: i64, limit: u64, shelf: &mut dyn Shelf) -> u64 {
        let mut order: Vec<(i64, u32)> = (0..)
            .zip(&self.places)
            .filter_map(|(place, message)| Some((message.as_ref()?.last_ms, place)))
            .collect();
        order.sort_unstable();
        let mut evicted = 0;
        let aim = if self.weight > limit { limit / 4 * 3 } else { u64::MAX };
        for (last_ms, place) in order {
            if last_ms >= before_ms && self.weight <= aim {
                break;
            }
            let message = self.message(place);
            if !message.closed {
                shelf.put(message);
                evicted += 1;
            }
            self.remove(place);
        }
        self.closed
            .retain(|(place, _)| self.places[*place as usize].as_ref().is_some_and(|message| message.closed));
        evicted
    }

    fn remove(&mut self, place: u32) {
        let Some(message) = self.places[place as usize].take() else { return };
        self.weight -= u64::from(message.weight);
        let host = message.host.as_bytes();
        for queue_id in message.queue_ids() {
            let key = Key::new(host, queue_id.as_bytes());
            if self.keys.get(&key) == Some(&place) {
                self.keys.remove(&key);
            }
        }
        self.free.push(place);
    }

    pub(super) fn weight(&self) -> u64 {
        self.weight
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &Message> {
        self.places.iter().flatten()
    }
}
