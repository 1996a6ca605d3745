//! Verbs of the store for the state that hosts share: a part of the seam.
//!
//! Not here: SQL (`sqlite/shared_rows`, `sqlite/taken_facts`), and the exchange with other hosts
//! (`crate::shared`).

use super::Store;
use super::shared_fact::{FactVersion, SharedFact};
use super::shared_state::{GroupPosition, Merged, SharedSelf, Total};
use super::sqlite::{self, shared_rows, taken_facts};
use crate::error::Result;
use crate::files::lock::LockFile;
use std::path::PathBuf;

impl Store {
    /// This host among those that share.
    pub(crate) fn this_host(&self) -> Result<SharedSelf> {
        shared_rows::this_host(&self.db)
    }

    /// How many facts there are for other hosts.
    pub(crate) fn shared_facts(&self) -> Result<u64> {
        shared_rows::facts(&self.db)
    }

    /// Begins to note changes for other hosts. Nothing was noted before, so all groups of facts
    /// are to be compared.
    pub(crate) fn begin_sharing(&self, host: u32, groups: u32) -> Result<()> {
        shared_rows::begin(&self.db, host, groups)
    }

    /// Ranks too far ahead of the clock become those of changes that this host makes now. Returns
    /// whether there were any.
    pub(crate) fn renew_ranks(&self) -> Result<bool> {
        shared_rows::renew_ranks(&self.db)
    }

    /// Notes changes no more, and forgets what others know.
    pub(crate) fn end_sharing(&self) -> Result<()> {
        shared_rows::end(&self.db)
    }

    /// All groups of facts are to be compared, and all totals are to be shipped.
    pub(crate) fn compare_again(&self, groups: u32) -> Result<()> {
        shared_rows::compare_again(&self.db, groups)
    }

    /// A file beside the store, whose name ends in `suffix`.
    pub(crate) fn file_beside(&self, suffix: &str) -> PathBuf {
        sqlite::beside(self.db.path(), suffix)
    }

    /// Keeps other processes of this host from exchanging at the same time, until the lock is
    /// dropped. `None`: another process exchanges.
    pub(crate) fn lock_sharing(&self) -> Result<Option<LockFile>> {
        sqlite::lock_beside(&self.db, ".shared")
    }

    /// The first facts after this name that other hosts have not got yet.
    pub(crate) fn waiting_facts(&self, after: &str, most: usize) -> Result<Vec<SharedFact>> {
        shared_rows::waiting(&self.db, after, most)
    }

    /// The same, without a write.
    pub(crate) fn queued_facts(&self, after: &str, most: usize) -> Result<Vec<SharedFact>> {
        shared_rows::queued(&self.db, after, most).map(|(facts, _)| facts)
    }

    /// These versions have reached the shared store.
    pub(crate) fn shipped(&self, facts: Vec<(String, FactVersion)>) -> Result<()> {
        shared_rows::shipped(&self.db, facts)
    }

    /// Takes over the facts of other hosts that win over what is known here, and with them how far
    /// groups are read. What is known better here is queued.
    pub(crate) fn merge(
        &self,
        facts: Vec<SharedFact>,
        positions: Vec<GroupPosition>,
        now_ms: i64,
    ) -> Result<Merged> {
        taken_facts::merge(&self.db, facts, positions, now_ms)
    }

    /// The same for very many facts in the order of their names, in several transactions.
    pub(crate) fn merge_many(
        &self,
        facts: impl Iterator<Item = Result<SharedFact>> + Send,
        now_ms: i64,
    ) -> Result<Merged> {
        taken_facts::merge_many(&self.db, facts, now_ms)
    }

    /// How far the changes of each group are read.
    pub(crate) fn group_positions(&self) -> Result<Vec<GroupPosition>> {
        shared_rows::positions(&self.db)
    }

    /// Calls `take` for each fact that hosts share, as they all are at one moment.
    pub(crate) fn each_fact(&self, take: &mut dyn FnMut(SharedFact) -> Result<()>) -> Result<()> {
        shared_rows::each_fact(&self.db, take)
    }

    /// Forgets what was removed so long ago that every host knows.
    pub(crate) fn forget_removed(&self, now_ms: i64) -> Result<()> {
        shared_rows::forget_removed(&self.db, now_ms)
    }

    /// Counters, minutes from this one on, and earlier ones that have changed since they were
    /// shipped.
    pub(crate) fn totals_to_ship(&self, from_minute: i64) -> Result<Vec<Total>> {
        shared_rows::totals_to_ship(&self.db, from_minute)
    }

    /// These totals were shipped.
    pub(crate) fn shipped_totals(&self, totals: Vec<Total>) -> Result<()> {
        shared_rows::shipped_totals(&self.db, totals)
    }
}
