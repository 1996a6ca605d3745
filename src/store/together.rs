//! Verbs of the store for acting on many failures together: a part of the seam.
//!
//! Not here: SQL (`sqlite/transaction`), and what is done (`crate::log_failures`).

use super::Store;
use super::sqlite::{noted_line_rows, promise_rows, step_rows, transaction};
use crate::error::Result;

pub(crate) use super::sqlite::transaction::{Begun, StepState, Transaction};

impl Store {
    /// Does several things as one transaction.
    pub(crate) fn transaction<T: Send + Sync + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        transaction::transaction(&self.db, work)
    }

    /// Whether the journal knows these keys, in their order.
    pub(crate) fn known_keys(&self, keys: &[String]) -> Result<Vec<bool>> {
        promise_rows::known_keys(&self.db, keys)
    }

    /// This process does not do the steps of these messages that are leased to it: they can be done
    /// by anybody now.
    pub(crate) fn give_back(&self, keys: Vec<String>) -> Result<()> {
        step_rows::give_back(&self.db, keys)
    }

    /// Lines of this process that were noted up to this batch are in the message log.
    pub(crate) fn forget_noted_lines(&self, up_to: u64) -> Result<()> {
        noted_line_rows::forget_own(&self.db, up_to)
    }

    /// The batches of processes that have ended whose lines may be missing in the message log.
    pub(crate) fn left_lines(&self) -> Result<Vec<(u64, String)>> {
        noted_line_rows::left(&self.db)
    }

    /// The lines of these batches are there.
    pub(crate) fn forget_left_lines(&self, batches: Vec<u64>) -> Result<()> {
        noted_line_rows::forget_left(&self.db, batches)
    }
}
