//! Which messages leave memory before their end was seen, and where they go.
//!
//! Not here: the shelf itself, which is in the index. Invariant: what is evicted is put on the
//! shelf, unless other messages have its queue ids; nothing is evicted before it was drained.

use super::queue_table::{QueueTable, Slot};
use super::queued_message::QueuedMessage;
use crate::clock::HOUR_MS;

/// Where messages go that have no room in memory, and come back from when a line names them again.
pub(crate) trait Shelf {
    /// Takes a message. One with the same host and queue id that is there already is an older
    /// message, and over.
    fn put(&mut self, message: QueuedMessage);
    /// Gives back the message with this host and queue id (its first, or the one it was requeued
    /// as), and forgets it.
    fn take(&mut self, host: &str, queue_id: &str) -> Option<QueuedMessage>;
}

/// No shelf: what is evicted is forgotten.
impl Shelf for () {
    fn put(&mut self, _: QueuedMessage) {}
    fn take(&mut self, _: &str, _: &str) -> Option<QueuedMessage> {
        None
    }
}

/// Forgets messages that nothing will happen to: those of sessions that ended early (after an hour
/// without a line, or a day if the header had arrived), and those that were refused or discarded
/// for all recipients.
pub(crate) fn forget_idle(table: &mut QueueTable, now_ms: i64) {
    let is_idle = |message: &QueuedMessage| {
        let only_header = message.recipients.is_empty() && message.message_id().is_some();
        let patience_ms = if only_header { 24 * HOUR_MS } else { HOUR_MS };
        let waits = message.recipients.iter().any(|recipient| !recipient.status.is_final());
        message.last_ms < now_ms - patience_ms && !message.active && !message.closed && !waits
    };
    let idle: Vec<Slot> =
        table.messages().filter(|(_, message)| is_idle(message)).map(|(slot, _)| slot).collect();
    table.remove_all(idle);
}

/// Evicts messages without a line since `before_ms`, and if there are more than `limit` bytes, the
/// longest idle until a quarter of the memory is free. The latest stays and does not count, however
/// large it is: its next line would bring it back.
pub(crate) fn evict(table: &mut QueueTable, before_ms: i64, limit: u64, shelf: &mut dyn Shelf) {
    let mut by_age: Vec<(i64, Slot)> =
        table.messages().map(|(slot, message)| (message.last_ms, slot)).collect();
    by_age.sort_unstable();
    let latest = by_age.pop_if(|(last_ms, _)| *last_ms >= before_ms);
    let latest = latest.map_or(0, |(_, slot)| u64::from(table.message(slot).weight));
    let mut weight = table.weight() - latest;
    let aim = if weight > limit { limit / 4 * 3 } else { u64::MAX };
    let mut evicted = Vec::new();
    for (last_ms, slot) in by_age {
        if last_ms >= before_ms && weight <= aim {
            break;
        }
        let is_reachable = table.is_reachable(slot);
        let message = table.message(slot);
        weight -= u64::from(message.weight);
        if !message.closed && is_reachable {
            shelf.put(table.take(slot));
        } else {
            evicted.push(slot);
        }
    }
    table.remove_all(evicted);
}
