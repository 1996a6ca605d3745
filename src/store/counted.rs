//! Verbs of the store for counters and the series of minutes: a part of the seam.
//!
//! Not here: SQL (`sqlite/counter_rows`). Invariant: what a process has counted in memory goes into
//! the store that is there now, also if it has opened another one.

use super::sqlite::counter_rows;
use super::{Store, Tally};
use crate::error::Result;
use std::collections::BTreeMap;

impl Store {
    /// When carom first ran here (RFC 3339), and every counter.
    pub(crate) fn counters(&self) -> Result<(Option<String>, BTreeMap<String, u64>)> {
        counter_rows::counters(&self.db)
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
