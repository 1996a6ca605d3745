//! Verbs of the store for counters and the series of minutes: a part of the seam.
//!
//! Not here: SQL (`sqlite/counter_rows`). Invariant: what a process has counted in memory goes into
//! the store that is there now, also if it has opened another one.

use super::sqlite::counter_rows;
use super::sqlite::database_fault::moved_away;
use super::{Store, Tally};
use crate::clock;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

impl Store {
    /// When carom first ran here (RFC 3339), and every counter.
    pub(crate) fn counters(&self) -> Result<(Option<String>, BTreeMap<String, u64>)> {
        counter_rows::counters(&self.db)
    }

    /// What was here before is gone: a damaged store was moved away, and has not come back.
    pub(crate) fn moved_away(&self) -> Option<Error> {
        let begun = self.exists().then(|| self.counters().ok()).flatten();
        moved_away(self.db.path(), begun.and_then(|(begun, _)| clock::parse(&begun?)))
    }

    /// Adds to counters.
    pub(crate) fn count(&self, tally: &Tally) -> Result<()> {
        if self.is_replaced() && self.exists() {
            return Store::lazy(self.db.path()).count(tally);
        }
        let tally = tally.clone();
        self.db.write(move |db| counter_rows::add_all(db, &tally))
    }

    /// Messages of each minute, oldest first: unix seconds of the minute's start, and how many.
    pub(crate) fn series(&self) -> Result<Vec<(i64, u64)>> {
        counter_rows::series(&self.db)
    }
}
