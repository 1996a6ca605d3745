//! Verbs of the store for messages without side effects, which the message log has on record: a
//! part of the seam.
//!
//! Not here: SQL (`sqlite/record_rows`), and reading the log (`crate::message_log`).

use super::Store;
use super::message_record::{FoldedFile, MessageRecord};
use super::sqlite::record_rows;
use crate::error::Result;

impl Store {
    /// Records messages that the message log could not take, in one transaction.
    pub(crate) fn record(&self, records: Vec<MessageRecord>) -> Result<()> {
        record_rows::record(&self.db, records)
    }

    /// How far each file of the message log is folded.
    pub(crate) fn folded_files(&self) -> Result<Vec<FoldedFile>> {
        record_rows::folded_files(&self.db)
    }

    /// Takes the next records of a file, and with them how far it is folded `now`, in one
    /// transaction. Returns whether it did: not if another process has folded the file since it
    /// was folded as `before` says.
    pub(crate) fn fold(
        &self,
        records: Vec<MessageRecord>,
        before: Option<FoldedFile>,
        now: FoldedFile,
    ) -> Result<bool> {
        record_rows::fold(&self.db, records, before, now)
    }

    /// These files are gone.
    pub(crate) fn forget_files(&self, inodes: Vec<u64>) -> Result<()> {
        record_rows::forget_files(&self.db, inodes)
    }
}
