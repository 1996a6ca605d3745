//! The messages under way, found by queue id, in bounded memory.
//!
//! Not here: what lines mean. Invariant: a message has one place however many queue ids lead to it, and what
//! is evicted is handed over, never just forgotten.

use super::queued_message::{HOST, MESSAGE_ID, QUEUE_ID, QueuedMessage, REQUEUED_AS};
use crate::clock::HOUR_MS;
use crate::maillog::postfix::lossy;
use rustc_hash::{FxHashMap, FxHasher};
use std::collections::VecDeque;
use std::hash::{Hash, Hasher};

/// So many places without a message keep their memory for another.
const SPARE: usize = 4096;

/// Where messages go that no longer have room in memory, and come back from when a line names them again.
pub(crate) trait Shelf {
    /// Takes a message: the longest untouched ones, when there are too many or they are too old, or all
    /// (`shelve`). One with the same host and queue id that is there already is another, older message, whose
    /// story is over.
    fn put(&mut self, message: &QueuedMessage);
    /// Gives the message with this host and queue id (its first, or the one it was requeued as) back, and
    /// forgets it.
    fn take(&mut self, host: &str, queue_id: &str) -> Option<QueuedMessage>;
}

/// No shelf: what is evicted stays as it was last drained.
impl Shelf for () {
    fn put(&mut self, _: &QueuedMessage) {}
    fn take(&mut self, _: &str, _: &str) -> Option<QueuedMessage> {
        None
    }
}

/// Queue ids are compared with their host where they are short: those are only unique within one queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueKey {
    id: [u64; 3],
    rest: u32,
}

impl QueueKey {
    pub(crate) fn new(host: &[u8], queue_id: &[u8]) -> QueueKey {
        let mut id = [0; 24];
        let length = queue_id.len().min(24);
        id[..length].copy_from_slice(&queue_id[..length]);
        // A long id holds the time to the microsecond. A short one has no letter behind F.
        let long = queue_id.iter().any(|byte| *byte > b'F');
        let mut rest = 0;
        if !long || queue_id.len() > 24 {
            let host = lossy(host);
            let mut hasher = FxHasher::default();
            hasher.write(&queue_id[length..]);
            hasher.write(if long { b"" } else { host.as_bytes() });
            rest = hasher.finish() as u32;
        }
        let word = |at: usize| id.as_chunks().0.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        QueueKey { id: [word(0), word(1), word(2)], rest }
    }
}

impl Hash for QueueKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [a, b, c] = self.id;
        hasher.write_u64(a ^ u64::from(self.rest));
        hasher.write_u64(b.wrapping_add(c));
    }
}

#[derive(Default)]
pub(crate) struct QueueTable {
    /// Messages, and places for others.
    places: Vec<QueuedMessage>,
    free: Vec<u32>,
    keys: FxHashMap<QueueKey, u32>,
    /// Places of messages with changes that were not drained.
    changed: Vec<u32>,
    /// Places of closed messages with changes that were not drained.
    ended: Vec<u32>,
    /// Places of closed messages, and when they were closed.
    closed: VecDeque<(u32, i64)>,
    weight: u64,
}

impl QueueTable {
    pub(crate) fn get(&self, key: &QueueKey) -> Option<u32> {
        self.keys.get(key).copied()
    }

    pub(crate) fn message(&mut self, place: u32) -> &mut QueuedMessage {
        &mut self.places[place as usize]
    }

    /// A place without a message.
    fn vacant(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places.push(QueuedMessage::default());
            (self.places.len() - 1) as u32
        })
    }

    /// Takes in a message that was on the shelf.
    pub(crate) fn insert(&mut self, message: QueuedMessage) -> u32 {
        let place = self.vacant();
        if message.closed {
            self.closed.push_back((place, message.last_ms));
        }
        self.places[place as usize] = message;
        self.enter(place);
        place
    }

    /// Begins a message that nothing is known of but this.
    pub(crate) fn begin(&mut self, host: &str, queue_id: &str, at_ms: i64) -> u32 {
        let place = self.vacant();
        let message = self.message(place);
        message.vacant = false;
        message.texts.set(HOST, host);
        message.texts.set(QUEUE_ID, queue_id);
        (message.first_ms, message.last_ms) = (at_ms, at_ms);
        self.enter(place);
        place
    }

    /// Lets its queue ids lead to a message.
    fn enter(&mut self, place: u32) {
        let QueueTable { places, keys, weight, .. } = self;
        let message = &mut places[place as usize];
        message.identify();
        message.weight = message.measure();
        *weight += u64::from(message.weight);
        for queue_id in message.queue_ids() {
            keys.insert(QueueKey::new(message.host().as_bytes(), queue_id.as_bytes()), place);
        }
    }

    /// Lets another queue id lead to the same message, in place of the one that it was requeued as before.
    pub(crate) fn requeue(&mut self, place: u32, queue_id: &str) {
        let QueueTable { places, keys, .. } = self;
        let message = &mut places[place as usize];
        let key = |queue_id: &str| QueueKey::new(message.host().as_bytes(), queue_id.as_bytes());
        if let Some(before) = message.texts.get(REQUEUED_AS).map(key)
            && keys.get(&before) == Some(&place)
        {
            keys.remove(&before);
        }
        keys.insert(key(queue_id), place);
        message.texts.set(REQUEUED_AS, queue_id);
    }

    /// Notes that a message has something to drain.
    pub(crate) fn touch(&mut self, place: u32) {
        let message = self.message(place);
        let closed = message.closed;
        if !std::mem::replace(&mut message.changed, true) {
            self.changed.push(place);
            if closed {
                self.ended.push(place);
            }
        }
    }

    pub(crate) fn close(&mut self, place: u32, at_ms: i64) {
        let message = self.message(place);
        if !std::mem::replace(&mut message.closed, true) {
            self.closed.push_back((place, at_ms));
            self.ended.push(place);
        }
        self.touch(place);
    }

    /// Gives every message with changes to `each` once, or only those that are closed, in the order of the second they began in, and
    /// of their ids.
    pub(crate) fn drain(&mut self, only_closed: bool, mut each: impl FnMut(&mut QueuedMessage)) {
        let places = if only_closed { &mut self.ended } else { &mut self.changed };
        let order = |place: &u32| {
            let message = &self.places[*place as usize];
            (message.first_ms.div_euclid(1000), message.id as u32)
        };
        places.sort_by_cached_key(order);
        for place in places.drain(..) {
            let message = &mut self.places[place as usize];
            // It may have been drained when it was closed.
            if !std::mem::take(&mut message.changed) {
                continue;
            }
            each(message);
            let weight = message.measure();
            self.weight = self.weight + u64::from(weight) - u64::from(message.weight);
            message.weight = weight;
        }
        self.ended.clear();
    }

    /// Forgets messages that were closed before this time. To be called when those that are closed are drained.
    pub(crate) fn forget_closed(&mut self, before_ms: i64) {
        while let Some((place, at_ms)) = self.closed.front().copied() {
            if at_ms >= before_ms {
                break;
            }
            self.closed.pop_front();
            // One that was taken in again since has another entry, or none.
            if self.places[place as usize].closed {
                self.remove(place);
            }
        }
    }

    /// Forgets messages that nothing waits for: sessions that ended before their message came in (after an
    /// hour without a line; after a day if the header had come in), and messages that were refused or thrown
    /// away for all recipients. To be called when all is drained.
    pub(crate) fn forget_idle(&mut self, now_ms: i64) {
        let idle = |message: &QueuedMessage| {
            let patience =
                if message.recipients.is_empty() && !message.texts.is_none(MESSAGE_ID) { 24 } else { 1 };
            let waiting = message.recipients.iter().any(|recipient| !recipient.status.is_final());
            message.last_ms < now_ms - patience * HOUR_MS && !message.active && !message.closed && !waiting
        };
        for place in 0..self.places.len() as u32 {
            let message = &self.places[place as usize];
            if !message.vacant && idle(message) {
                self.remove(place);
            }
        }
    }

    /// Evicts what was not touched since `before_ms`, and the longest untouched while there is more than
    /// `limit` bytes. To be called when all is drained.
    pub(crate) fn evict(&mut self, before_ms: i64, limit: u64, shelf: &mut dyn Shelf) -> u64 {
        let mut order: Vec<(i64, u32)> = (0..)
            .zip(&self.places)
            .filter(|(_, message)| !message.vacant)
            .map(|(place, message)| (message.last_ms, place))
            .collect();
        order.sort_unstable();
        let mut evicted = 0;
        let aim = if self.weight > limit { limit / 4 * 3 } else { u64::MAX };
        for (last_ms, place) in order {
            if last_ms >= before_ms && self.weight <= aim {
                break;
            }
            let message = &self.places[place as usize];
            if !message.closed && self.is_led_to(place, message) {
                shelf.put(message);
                evicted += 1;
            }
            self.remove(place);
        }
        self.closed.retain(|(place, _)| self.places[*place as usize].closed);
        evicted
    }

    fn remove(&mut self, place: u32) {
        let QueueTable { places, keys, free, weight, .. } = self;
        let message = &mut places[place as usize];
        if message.vacant {
            return;
        }
        *weight -= u64::from(message.weight);
        for queue_id in message.queue_ids() {
            let key = QueueKey::new(message.host().as_bytes(), queue_id.as_bytes());
            if keys.get(&key) == Some(&place) {
                keys.remove(&key);
            }
        }
        if free.len() < SPARE {
            message.clear();
        } else {
            *message = QueuedMessage::default();
        }
        message.vacant = true;
        free.push(place);
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// Does one of its queue ids lead to the message? If not, another message uses it now, and its own story is over.
    fn is_led_to(&self, place: u32, message: &QueuedMessage) -> bool {
        let host = message.host().as_bytes();
        message.queue_ids().any(|id| self.get(&QueueKey::new(host, id.as_bytes())) == Some(place))
    }

    /// All messages that a line may still be about.
    pub(crate) fn messages(&self) -> impl Iterator<Item = &QueuedMessage> {
        let there = (0..).zip(&self.places).filter(|(_, message)| !message.vacant);
        there.filter(|(place, message)| self.is_led_to(*place, message)).map(|(_, message)| message)
    }
}
