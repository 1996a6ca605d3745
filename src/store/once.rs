//! What comes of a report once, however often it comes, and complaints that match nobody.
//!
//! Not here: the rows (`sqlite/report_rows.rs`, `sqlite/reached_thresholds.rs`), and what makes two
//! reports the same (`policy/fingerprint`).

use super::sqlite::{reached_thresholds, report_rows};
use super::{Effect, Store};
use crate::error::Result;
use crate::plan::Unmatched;

impl Store {
    /// Whether this report takes effect: the same one has not done so under another key.
    pub(crate) fn take_effect(&self, effect: &Effect<'_>) -> Result<bool> {
        report_rows::take_effect(&self.db, effect)
    }

    /// The key of the report that has taken this effect.
    pub(crate) fn effect_of(&self, effect: &Effect<'_>) -> Result<Option<String>> {
        report_rows::effect_of(&self.db, effect)
    }

    /// Lets a report take an effect in place of another, which came to nothing. Returns whether it
    /// did: a third one may have been quicker.
    pub(crate) fn take_over(&self, effect: &Effect<'_>, other: &str) -> Result<bool> {
        report_rows::take_over(&self.db, effect, other)
    }

    /// What the notification of this report has in common with those of other hosts whose soft
    /// bounces have reached the threshold together with its own; `None`: nothing.
    pub(crate) fn reached_together(&self, key: &str, address: &str) -> Result<Option<String>> {
        reached_thresholds::noted(&self.db, key, address)
    }

    /// Notes a complaint that matches nobody.
    pub(crate) fn put_unmatched(&self, complaint: &Unmatched, at_ms: i64) -> Result<()> {
        report_rows::put_unmatched(&self.db, complaint, at_ms)
    }

    /// Complaints of a period (milliseconds since 1970) that match nobody.
    pub(crate) fn unmatched(&self, period: (i64, i64)) -> Result<u64> {
        report_rows::unmatched(&self.db, period)
    }
}
