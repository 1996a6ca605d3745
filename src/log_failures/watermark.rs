//! How far the store is with the failures of an index: the number of the last batch, in both
//! databases. The store's is written with the batch, the index's after it.
//!
//! Not here: what makes a failure count once, which is its key in the journal. Invariant: the index
//! is never ahead, unless the store was restored from a backup or deleted; then the failures of the
//! last days are acted on again, as far as the store does not know them.

use crate::clock;
use crate::error::Result;
use crate::index::Index;
use crate::store::{Store, Transaction};

/// The store's mark: the name of the index, and the number of the batch.
const MARK: &str = "log failures";

/// The place of the next batch.
#[derive(Clone, Debug)]
pub(super) struct Watermark {
    /// The index's name.
    index: String,
    /// The last batch that the index knows.
    batch: u64,
}

impl Watermark {
    /// Reads it. If the store does not know a batch that the index has finished, all failures that
    /// are not too old are put back on the list.
    pub(super) fn of(index: &Index, store: &Store) -> Result<Watermark> {
        let (name, batch) = index.acted()?;
        let mark = Watermark { index: name, batch };
        if batch > 0 && mark.in_store(store.marked(MARK)?) < batch {
            let noted = index.note_failures_again(clock::now_ms())?;
            tracing::warn!(noted, "the store is older than the index; acting again on what it does not know");
            store.mark(MARK, &mark.text(batch))?;
        }
        Ok(mark)
    }

    /// Moves the mark in the store's transaction; returns the number of the batch.
    pub(super) fn advance(&self, store: &Transaction<'_>) -> Result<u64> {
        let batch = 1 + self.in_store(store.marked(MARK)?).max(self.batch);
        store.mark(MARK, &self.text(batch))?;
        Ok(batch)
    }

    /// The last batch of this index that the store knows.
    fn in_store(&self, mark: Option<String>) -> u64 {
        let mark = mark.unwrap_or_default();
        let batch = mark.strip_prefix(&self.index).and_then(|batch| batch.trim_start().parse().ok());
        batch.unwrap_or_default()
    }

    fn text(&self, batch: u64) -> String {
        format!("{} {batch}", self.index)
    }
}
