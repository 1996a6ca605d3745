//! The lines of one transaction: read from the file and correlated. What has changed is given on,
//! many deliveries together.
//!
//! Not here: where they go. Invariant: what is given does not depend on who takes it, in this
//! thread or in another.

use super::delivery_counter::{ChangedDeliveries, DeliveryCounter};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::maillog::correlate::{Correlator, QueuedMessage, Shelf};
use crate::maillog::tail::Tail;
use crate::maillog::{Delivery, PackedDeliveries};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Chunks of a file after which everything that has changed is given, and not only what has come to
/// its end, which is cheaper.
const WRITE_CHUNKS: u32 = 64;
/// The same if much memory is used: what has changed takes more until it was given.
const WRITE_CHUNKS_EARLY: u32 = 16;
const MUCH: u64 = 48 << 20;
/// States that are given together.
const TOGETHER: usize = 2000;
/// Bytes of them: replies may be long.
const TOGETHER_BYTES: usize = 2 << 20;

/// Memory for states that are given together.
fn room() -> ChangedDeliveries {
    let deliveries = PackedDeliveries::with_capacity(TOGETHER + TOGETHER / 4);
    ChangedDeliveries { deliveries, ..ChangedDeliveries::default() }
}

/// Whether these are to be given.
pub(crate) fn are_many(changed: &ChangedDeliveries) -> bool {
    changed.replies.len() >= TOGETHER || changed.deliveries.bytes() > TOGETHER_BYTES
}

/// How much goes into one transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionSize {
    /// Bytes of the log.
    bytes: u64,
    time: Duration,
}

impl TransactionSize {
    /// As many bytes as the write-ahead log may grow by; others wait to write meanwhile.
    pub(crate) const USUAL: TransactionSize =
        TransactionSize { bytes: 128 << 20, time: Duration::from_secs(5) };
    /// The first reading has no write-ahead log. Readers wait only while rows are written, which is
    /// at the end.
    pub(crate) const FIRST: TransactionSize =
        TransactionSize { bytes: 1 << 30, time: Duration::from_secs(12) };
}

/// When a transaction ends.
#[derive(Clone, Copy)]
pub(crate) struct TransactionEnd<'w> {
    pub(crate) since: Instant,
    pub(crate) size: TransactionSize,
    pub(crate) stop: &'w AtomicBool,
    /// When the share of the log ends.
    pub(crate) share: Deadline,
}

impl TransactionEnd<'_> {
    /// The same if messages took so long to come back from the shelf: that is done once for each
    /// transaction, and leaves it its time, or else a huge message would make each a short one.
    fn after_loading(self, loading: Duration) -> Self {
        TransactionEnd { since: self.since + loading.min(self.size.time), ..self }
    }

    /// Whether it ends after this many bytes.
    pub(crate) fn is_reached(&self, bytes: u64) -> bool {
        bytes >= self.size.bytes
            || self.since.elapsed() > self.size.time
            || self.share.passed()
            || self.stop.load(Ordering::Relaxed)
    }
}

/// Bytes that were read in this transaction, an estimate of those that remain, and the memory that
/// the reader takes: of messages under way, and of what it counted.
#[derive(Clone, Copy)]
pub(crate) struct BytesRead {
    pub(crate) bytes: u64,
    pub(crate) ahead: u64,
    pub(crate) memory: u64,
}

/// A shelf, and how long messages took to come back from it.
struct TimedShelf<'s> {
    shelf: &'s mut dyn Shelf,
    loading: Duration,
}

impl Shelf for TimedShelf<'_> {
    fn put(&mut self, message: QueuedMessage) {
        self.shelf.put(message);
    }

    fn take(&mut self, host: &str, queue_id: &str) -> Option<QueuedMessage> {
        let began = Instant::now();
        let found = self.shelf.take(host, queue_id);
        if found.is_some() {
            self.loading += began.elapsed();
        }
        found
    }
}

pub(crate) struct LogLines<'t> {
    pub(crate) tail: &'t mut Tail,
    pub(crate) end: TransactionEnd<'t>,
    /// Where the transaction began.
    pub(crate) before: u64,
}

impl LogLines<'_> {
    /// Reads to the end of the transaction, after its first chunk; returns whether there may be
    /// more.
    pub(crate) fn read(
        self,
        correlator: &mut Correlator,
        shelf: &mut dyn Shelf,
        counter: &mut DeliveryCounter,
        mut give: impl FnMut(ChangedDeliveries, BytesRead) -> Result<()>,
    ) -> Result<bool> {
        let LogLines { tail, end, before } = self;
        let shelf = &mut TimedShelf { shelf, loading: Duration::ZERO };
        let mut changed = room();
        for chunks in 1.. {
            let bytes = tail.notes().bytes - before;
            let memory = correlator.weight() + counter.counts.weight() as u64;
            let read = BytesRead { bytes, ahead: tail.ahead(), memory };
            let full = end.after_loading(shelf.loading).is_reached(read.bytes) || counter.counts.is_full();
            let next = if full { None } else { tail.next_chunk()? };
            let mut given = Ok(());
            let take = |delivery: &Delivery<'_>| {
                counter.take(delivery, &mut changed);
                if are_many(&changed) && given.is_ok() {
                    given = give(std::mem::replace(&mut changed, room()), read);
                }
            };
            let together = if read.memory > MUCH { WRITE_CHUNKS_EARLY } else { WRITE_CHUNKS };
            if chunks % together == 0 || next.is_none() {
                correlator.drain(shelf, take);
            } else {
                correlator.drain_ended(take);
            }
            given?;
            if next.is_none() {
                give(std::mem::take(&mut changed), read)?;
            }
            let Some(chunk) = next else { return Ok(full) };
            correlator.set_reference(chunk.reference_ms);
            correlator.read(chunk.lines, shelf);
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loading_messages_leaves_a_transaction_its_time() {
        let stop = AtomicBool::new(false);
        let (time, share) = (Duration::from_secs(12), Deadline::after(Duration::from_secs(100)));
        let size = TransactionSize { bytes: 100, time };
        let since = Instant::now().checked_sub(Duration::from_secs(15)).unwrap();
        let end = TransactionEnd { since, size, stop: &stop, share };
        assert!(end.is_reached(0) && end.after_loading(Duration::from_secs(1)).is_reached(0));
        let loaded = end.after_loading(Duration::from_secs(10));
        assert!(!loaded.is_reached(0) && loaded.is_reached(100));
        let long_ago = Instant::now().checked_sub(Duration::from_secs(25)).unwrap();
        let end = TransactionEnd { since: long_ago, ..end };
        assert!(end.after_loading(Duration::from_secs(1000)).is_reached(0), "not without limit");
    }
}
