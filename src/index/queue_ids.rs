//! The queue ids of the messages on a shelf, by hash: in a long run nearly no id of a line is among
//! them, and then memory answers.
//!
//! Not here: the messages (`shelf`). Invariant: an id that is on the shelf is never denied.

use crate::maillog::correlate::QueuedMessage;
use rustc_hash::{FxBuildHasher, FxHashSet};
use std::hash::BuildHasher;

#[derive(Clone, Debug, Default)]
pub(crate) struct QueueIds(FxHashSet<u64>);

impl QueueIds {
    /// Whether a message with this id may be there.
    pub(crate) fn may_have(&self, queue_id: &str) -> bool {
        self.0.contains(&FxBuildHasher.hash_one(queue_id))
    }

    pub(crate) fn add(&mut self, queue_id: &str) {
        self.0.insert(FxBuildHasher.hash_one(queue_id));
    }

    /// Adds the ids of a message.
    pub(crate) fn note(&mut self, message: &QueuedMessage) {
        message.queue_ids().for_each(|queue_id| self.add(queue_id));
    }
}
