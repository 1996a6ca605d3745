//! Verbs of the store for entries that leave the suppression list because they were wrong: a part
//! of the seam.
//!
//! Not here: SQL (`sqlite/release_rows`), and which entries those are (`crate::release`).

use super::Store;
use super::sqlite::release_rows;
use super::suppressed::{Released, Suppressed};
use crate::error::Result;
use std::ops::Range;

impl Store {
    /// The entries that were added in a time (milliseconds since 1970, without its end): those in
    /// force, and those that later ones have replaced.
    pub(crate) fn suppressed_between(
        &self,
        since_ms: i64,
        until_ms: i64,
    ) -> Result<(Vec<Suppressed>, Vec<Suppressed>)> {
        release_rows::between(&self.db, since_ms, until_ms)
    }

    /// The entries that the one in force has replaced.
    pub(crate) fn earlier_suppressions(&self, address: &str, sender_domain: &str) -> Result<Vec<Suppressed>> {
        release_rows::earlier(&self.db, address, sender_domain)
    }

    /// What only soft bounces did to an address.
    pub(crate) fn soft_suppressions(&self, address: &str) -> Result<Vec<Suppressed>> {
        release_rows::soft(&self.db, address)
    }

    /// The same for the next addresses after this one.
    pub(crate) fn soft_suppressions_after(&self, after: &str, most: usize) -> Result<Vec<Suppressed>> {
        release_rows::soft_after(&self.db, after, most)
    }

    /// Takes entries off the list, unless they have changed, and promises the notifications, in one
    /// transaction; returns how many.
    pub(crate) fn release_suppressions(&self, releases: &[Released], now_ms: i64) -> Result<usize> {
        release_rows::release(&self.db, releases, now_ms)
    }

    /// Forgets entries that later ones have replaced.
    pub(crate) fn forget_replaced(&self, entries: &[Suppressed]) -> Result<()> {
        release_rows::forget_replaced(&self.db, entries)
    }

    /// Forgets the soft bounces of a time, of one sender domain or all.
    pub(crate) fn forget_strikes(&self, period: Range<i64>, sender_domain: Option<&str>) -> Result<()> {
        release_rows::forget_strikes(&self.db, period, sender_domain)
    }
}
