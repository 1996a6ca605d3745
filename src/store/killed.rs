//! Verbs of the store about processes that were killed, and what they had in hand: a part of the
//! seam.
//!
//! Not here: SQL (`sqlite/killed_rows`), and how steps of the dead are taken (`sqlite/step_rows`).

use super::Store;
use super::journal_entry::MessageOnRecord;
use super::sqlite::killed_rows;
use super::sqlite::work_marks::WorkMark;
use crate::error::Result;

impl Store {
    /// The processes that were killed while they worked on messages, until they are forgotten.
    pub(crate) fn killed(&self) -> Vec<WorkMark> {
        killed_rows::killed(&self.db)
    }

    pub(crate) fn forget_killed(&self, killed: &[WorkMark]) {
        killed_rows::forget(&self.db, killed);
    }

    /// Whether another process works on messages.
    pub(crate) fn has_other_workers(&self) -> bool {
        killed_rows::has_others(&self.db)
    }

    /// The messages that no living process works on, and that were promised or ended since this
    /// time (milliseconds since 1970).
    pub(crate) fn left_since(&self, since_ms: i64) -> Result<Vec<MessageOnRecord>> {
        killed_rows::left_since(&self.db, since_ms)
    }
}
