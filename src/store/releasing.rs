//! Verbs of the store for entries that leave the suppression list because they were wrong: a part
//! of the seam.
//!
//! Not here: SQL (`sqlite/release_rows`), and which entries those are (`crate::release`).

use super::Store;
use super::soft_list::{ADDED, SoftList, digest_of};
use super::sqlite::release_rows;
use super::suppressed::{Released, Suppressed};
use crate::clock::HOUR_MS;
use crate::error::{Context, Result};
use crate::mailbox_syntax::{in_a_labels, normal_domain};
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

    /// The entries that the one in force has replaced, the newest first.
    pub(crate) fn earlier_suppressions(&self, address: &str, sender_domain: &str) -> Result<Vec<Suppressed>> {
        release_rows::earlier(&self.db, &in_a_labels(address), &normal_domain(sender_domain))
    }

    /// What only soft bounces did to an address.
    pub(crate) fn soft_suppressions(&self, address: &str) -> Result<Vec<Suppressed>> {
        release_rows::soft(&self.db, &in_a_labels(address))
    }

    /// Whether soft bounces may have suppressed an address (in lower case): answered by a file
    /// beside the store, which stays unopened.
    pub(crate) fn may_be_soft(&self, address: &str) -> bool {
        self.soft_list().may_have(&in_a_labels(address))
    }

    /// Brings that file up to date: adds what is new, or writes all of it if that is
    /// much, or an hour has passed.
    pub(crate) fn update_soft_list(&self, now_ms: i64) -> Result<()> {
        let list = self.soft_list();
        let new = release_rows::new_soft(&self.db)?;
        let is_recent = |at_ms: i64| (0..HOUR_MS).contains(&(now_ms - at_ms));
        if new.len() <= ADDED && list.written_ms().is_some_and(is_recent) {
            let mut missing = new.iter().filter(|address| !list.may_have(address));
            missing.try_for_each(|address| list.add(address)).context("the list of soft suppressions")?;
        } else {
            let mut digests = Vec::new();
            release_rows::each_soft(&self.db, |address| digests.push(digest_of(address)))?;
            list.write(&mut digests, now_ms)?;
        }
        match new.is_empty() {
            true => Ok(()),
            false => release_rows::forget_new_soft(&self.db, new),
        }
    }

    pub(super) fn note_soft(&self, address: &str) {
        if let Err(error) = self.soft_list().add(address) {
            tracing::warn!(%error, "the list of soft suppressions lacks an address until the next tick");
        }
    }

    fn soft_list(&self) -> SoftList {
        SoftList::beside(self.db.path())
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
        release_rows::forget_strikes(&self.db, period, sender_domain.map(normal_domain))
    }
}
