//! Verbs of the store for what was looked up elsewhere and is not looked up again for a while: a
//! part of the seam.
//!
//! Not here: SQL (`sqlite`), and looking up (`crate::action`).

use super::Store;
use super::observed::TemplateLookup;
use super::sqlite::{deferral_rows, mark_rows, template_rows};
use crate::error::Result;

impl Store {
    /// Remembers an answer until `expires_ms`. When the memory is full, a new answer is not
    /// remembered.
    pub(crate) fn remember(&self, name: &str, value: bool, expires_ms: i64) -> Result<()> {
        mark_rows::remember(&self.db, name, value, expires_ms)
    }

    /// A remembered answer that has not expired.
    pub(crate) fn remembered(&self, name: &str, now_ms: i64) -> Result<Option<bool>> {
        mark_rows::remembered(&self.db, name, now_ms)
    }

    /// How often a message was deferred, and when mail with this triplet first was (milliseconds
    /// since 1970).
    pub(crate) fn deferrals(&self, message: &str, triplet: &str, now_ms: i64) -> Result<(u32, Option<i64>)> {
        deferral_rows::deferrals(&self.db, message, triplet, now_ms)
    }

    /// Remembers that a message was deferred.
    pub(crate) fn defer(&self, message: &str, triplet: &str, now_ms: i64) -> Result<()> {
        deferral_rows::defer(&self.db, message, triplet, now_ms)
    }

    /// The result of the last look-up at a source.
    pub(crate) fn template(&self, source: &str) -> Result<Option<TemplateLookup>> {
        template_rows::template(&self.db, source)
    }

    /// Remembers the result of a look-up.
    pub(crate) fn put_template(&self, source: &str, lookup: &TemplateLookup) -> Result<()> {
        template_rows::put_template(&self.db, source, lookup)
    }
}
