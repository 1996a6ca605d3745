//! Queue-id reuse: when a line with a known queue id is about another message than the one before.
//!
//! A short queue id (microseconds and an inode number) comes back as soon as its message has left
//! the queue, and lines of several processes may be logged in the wrong order. Not here: where
//! messages are found (`queue_table`). Invariant: only what happens once in the life of a message
//! (it arrives, is named, leaves the queue) proves that a message is another one.

use super::queue_key::QueueKey;
use super::queued_message::QueuedMessage;

/// Lines about one arrival are logged within this time, in any order.
const ARRIVAL_MS: i64 = 5_000;

/// smtpd or pickup logged an arrival at this time: whether it is the arrival of the known message.
pub(crate) fn is_same_arrival(known: &QueuedMessage, at_ms: i64) -> bool {
    let left_its_id = known.requeued_as().is_some();
    !left_its_id && !known.active && !known.closed && at_ms - known.first_ms < ARRIVAL_MS
}

/// cleanup logged a Message-ID: whether the known message has another one. cleanup is done with a
/// message before the queue manager takes it up, so from then on another Message-ID is proof.
pub(crate) fn has_other_message_id(known: &QueuedMessage, message_id: &str) -> bool {
    (known.active || known.closed) && known.message_id().is_some_and(|known| known != message_id)
}

/// The queue manager took up a message: whether the known one has left the queue before.
pub(crate) fn has_left_the_queue(known: &QueuedMessage) -> bool {
    known.closed
}

/// Whether other messages have taken over all queue ids of a message, so that no line can be about
/// it.
pub(crate) fn has_lost_its_ids(message: &QueuedMessage, leads_to_it: impl Fn(&QueueKey) -> bool) -> bool {
    !message.queue_ids().any(|id| leads_to_it(&QueueKey::of_text(message.host(), id)))
}
