//! What a queued message is found by: its queue id, and its host, which gives its own ids.
//!
//! Not here: ids that are used again (`queue_id_reuse`). Invariant: two ids of 24 bytes or less
//! share a key only if they are equal; of equal ids, the hosts differ by a hash of 32 bits.

use crate::maillog::postfix::lossy;
use rustc_hash::FxHasher;
use std::hash::{Hash, Hasher};

/// Bytes of a queue id that are compared as they are.
const COMPARED: usize = 24;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueKey {
    id: [u64; COMPARED / 8],
    /// A hash of the rest of the id, and of the host.
    rest: u32,
}

impl QueueKey {
    pub(crate) fn new(host: &[u8], queue_id: &[u8]) -> QueueKey {
        let mut id = [0; COMPARED];
        let length = queue_id.len().min(COMPARED);
        id[..length].copy_from_slice(&queue_id[..length]);
        let mut hasher = FxHasher::default();
        hasher.write(&queue_id[length..]);
        hasher.write(lossy(host).as_bytes());
        let rest = hasher.finish() as u32;
        let word = |at: usize| id.as_chunks().0.get(at).map_or(0, |word| u64::from_le_bytes(*word));
        QueueKey { id: [word(0), word(1), word(2)], rest }
    }

    pub(crate) fn of_text(host: &str, queue_id: &str) -> QueueKey {
        QueueKey::new(host.as_bytes(), queue_id.as_bytes())
    }
}

impl Hash for QueueKey {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let [a, b, c] = self.id;
        hasher.write_u64(a ^ u64::from(self.rest));
        hasher.write_u64(b.wrapping_add(c));
    }
}
