//! The messages in memory, found by queue id.
//!
//! Not here: what lines mean, and which messages leave memory (`eviction`). Invariant: a message
//! has one slot however many queue ids lead to it.

use super::queue_id_reuse::has_lost_its_ids;
use super::queue_key::QueueKey;
use super::queued_message::QueuedMessage;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;

/// This many slots without a message keep their memory for another.
const SPARE: usize = 4096;

/// Where a message is in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot(u32);

#[derive(Default)]
pub(crate) struct QueueTable {
    /// Messages, and memory for others.
    slots: Vec<QueuedMessage>,
    free: Vec<Slot>,
    keys: FxHashMap<QueueKey, Slot>,
    /// Messages that changed since they were drained; in `ended`, those of them that are closed.
    changed: Vec<Slot>,
    ended: Vec<Slot>,
    /// Closed messages, and when they were closed.
    closed: VecDeque<(Slot, i64)>,
    /// Bytes of memory.
    weight: u64,
}

impl QueueTable {
    pub(crate) fn find(&self, key: &QueueKey) -> Option<Slot> {
        self.keys.get(key).copied()
    }

    pub(crate) fn message(&mut self, slot: Slot) -> &mut QueuedMessage {
        &mut self.slots[slot.0 as usize]
    }

    pub(crate) fn weight(&self) -> u64 {
        self.weight
    }

    /// All messages in memory.
    pub(crate) fn messages(&self) -> impl Iterator<Item = (Slot, &QueuedMessage)> {
        let numbered = (0..).zip(&self.slots).map(|(number, message)| (Slot(number), message));
        numbered.filter(|(_, message)| !message.vacant)
    }

    /// Whether a later line may be about the message.
    pub(crate) fn is_reachable(&self, slot: Slot) -> bool {
        !has_lost_its_ids(&self.slots[slot.0 as usize], |key| self.find(key) == Some(slot))
    }

    /// Gives the messages that a later line may be about to `each`, and forgets them.
    pub(crate) fn take_reachable(&mut self, mut each: impl FnMut(QueuedMessage)) {
        let all = self.messages().map(|(slot, _)| slot);
        let reachable: Vec<Slot> = all.filter(|slot| self.is_reachable(*slot)).collect();
        reachable.into_iter().for_each(|slot| each(self.take(slot)));
    }

    fn vacant_slot(&mut self) -> Slot {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(QueuedMessage::default());
            Slot((self.slots.len() - 1) as u32)
        })
    }

    /// Takes in a message that was stored.
    pub(crate) fn insert(&mut self, message: QueuedMessage) -> Slot {
        let slot = self.vacant_slot();
        if message.closed {
            self.closed.push_back((slot, message.last_ms));
        }
        *self.message(slot) = message;
        self.enter(slot);
        slot
    }

    /// Begins a message of which nothing else is known.
    pub(crate) fn begin(&mut self, host: &str, queue_id: &str, at_ms: i64) -> Slot {
        let slot = self.vacant_slot();
        self.message(slot).begin(host, queue_id, at_ms);
        self.enter(slot);
        slot
    }

    fn enter(&mut self, slot: Slot) {
        let QueueTable { slots, keys, weight, .. } = self;
        let message = &mut slots[slot.0 as usize];
        message.identify();
        message.weight = message.measure();
        *weight += u64::from(message.weight);
        for queue_id in message.queue_ids() {
            keys.insert(QueueKey::of_text(message.host(), queue_id), slot);
        }
    }

    /// Lets another queue id lead to the message, in place of the one it was requeued as before.
    pub(crate) fn requeue(&mut self, slot: Slot, queue_id: &str) {
        let QueueTable { slots, keys, .. } = self;
        let message = &mut slots[slot.0 as usize];
        if let Some(before) = message.requeued_as() {
            remove_key(keys, &QueueKey::of_text(message.host(), before), slot);
        }
        keys.insert(QueueKey::of_text(message.host(), queue_id), slot);
        message.set_requeued_as(queue_id);
    }

    /// Notes that the message has something to drain.
    pub(crate) fn touch(&mut self, slot: Slot) {
        let message = self.message(slot);
        let closed = message.closed;
        if !std::mem::replace(&mut message.changed, true) {
            self.changed.push(slot);
            if closed {
                self.ended.push(slot);
            }
        }
    }

    /// Notes that something which all deliveries of the message show has changed.
    pub(crate) fn touch_all(&mut self, slot: Slot) {
        if self.message(slot).mark_all() {
            self.touch(slot);
        }
    }

    pub(crate) fn close(&mut self, slot: Slot, at_ms: i64) {
        let message = self.message(slot);
        if !std::mem::replace(&mut message.closed, true) {
            self.closed.push_back((slot, at_ms));
            self.ended.push(slot);
        }
        self.touch(slot);
    }

    /// Gives each closed message with changes to `each`, once.
    pub(crate) fn drain_ended(&mut self, each: impl FnMut(&mut QueuedMessage)) {
        let ended = std::mem::take(&mut self.ended);
        self.ended = self.drain_slots(ended, each);
    }

    /// Gives each message with changes to `each`, once.
    pub(crate) fn drain(&mut self, each: impl FnMut(&mut QueuedMessage)) {
        let changed = std::mem::take(&mut self.changed);
        self.changed = self.drain_slots(changed, each);
        self.ended.clear();
    }

    /// Drains in the order of the second in which messages began, then of their ids, so that the
    /// order does not depend on the order of lines within a second. Returns the list, empty.
    fn drain_slots(&mut self, mut list: Vec<Slot>, mut each: impl FnMut(&mut QueuedMessage)) -> Vec<Slot> {
        list.sort_by_cached_key(|slot| {
            let message = &self.slots[slot.0 as usize];
            (message.first_ms.div_euclid(1000), message.id() as u32)
        });
        for slot in list.drain(..) {
            let message = &mut self.slots[slot.0 as usize];
            // It is in both lists, and may have been drained with the other.
            if !std::mem::take(&mut message.changed) {
                continue;
            }
            each(message);
            let weight = message.measure();
            self.weight = self.weight + u64::from(weight) - u64::from(message.weight);
            message.weight = weight;
        }
        list
    }

    /// Forgets messages that were closed before this time. Only to be called when the closed ones
    /// are drained.
    pub(crate) fn forget_closed(&mut self, before_ms: i64) {
        while let Some((slot, at_ms)) = self.closed.front().copied() {
            if at_ms >= before_ms {
                break;
            }
            self.closed.pop_front();
            // A message that was requeued since is open, or has another entry.
            if self.message(slot).closed {
                self.remove(slot);
            }
        }
    }

    /// Forgets messages, which must be drained, whether they are closed or not.
    pub(crate) fn remove_all(&mut self, slots: impl IntoIterator<Item = Slot>) {
        slots.into_iter().for_each(|slot| self.remove(slot));
        self.closed.retain(|(slot, _)| self.slots[slot.0 as usize].closed);
    }

    fn remove(&mut self, slot: Slot) {
        if self.message(slot).vacant {
            return;
        }
        self.leave(slot);
        let is_spare = self.free.len() < SPARE;
        let message = self.message(slot);
        if is_spare {
            message.clear();
        } else {
            *message = QueuedMessage::default();
        }
        self.vacate(slot);
    }

    /// Takes out a message, which must be drained. Closed ones are left to `remove_all`.
    pub(crate) fn take(&mut self, slot: Slot) -> QueuedMessage {
        self.leave(slot);
        let message = std::mem::take(self.message(slot));
        self.vacate(slot);
        message
    }

    /// No queue id leads to the message any more.
    fn leave(&mut self, slot: Slot) {
        let QueueTable { slots, keys, weight, .. } = self;
        let message = &slots[slot.0 as usize];
        *weight -= u64::from(message.weight);
        for queue_id in message.queue_ids() {
            remove_key(keys, &QueueKey::of_text(message.host(), queue_id), slot);
        }
    }

    fn vacate(&mut self, slot: Slot) {
        self.message(slot).vacant = true;
        self.free.push(slot);
    }
}

/// Removes a key, unless it leads to another message by now.
fn remove_key(keys: &mut FxHashMap<QueueKey, Slot>, key: &QueueKey, slot: Slot) {
    if keys.get(key) == Some(&slot) {
        keys.remove(key);
    }
}
