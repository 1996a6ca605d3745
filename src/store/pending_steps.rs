//! Verbs of the store for pending steps: what waits for its time, for another try, or (parked) for
//! an operator. A part of the seam.
//!
//! Not here: SQL (`sqlite/pending_rows`), and doing steps (`crate::journal`).

use super::Store;
use super::journal_entry::{ForwardedMessage, LostAlert, NotificationState, PendingStep, StepOnRecord};
use super::sqlite::pending_rows;
use crate::error::Result;

impl Store {
    /// Every pending step, the next due first; then the parked ones.
    pub(crate) fn pending_steps(&self) -> Result<Vec<PendingStep>> {
        pending_rows::pending_steps(&self.db)
    }

    /// Messages that are still to be forwarded.
    pub(crate) fn messages_to_forward(&self) -> Result<Vec<ForwardedMessage>> {
        pending_rows::messages_to_forward(&self.db)
    }

    /// Alerts since a time that nobody was told of: the last try failed.
    pub(crate) fn lost_alerts(&self, since_ms: i64) -> Result<Vec<LostAlert>> {
        pending_rows::lost_alerts(&self.db, since_ms)
    }

    /// How many steps are pending, and how many are parked.
    pub(crate) fn step_counts(&self) -> Result<(u64, u64)> {
        pending_rows::step_counts(&self.db)
    }

    /// Every step of a message, with its state.
    pub(crate) fn steps_of(&self, key: &str) -> Result<Vec<StepOnRecord>> {
        pending_rows::steps_of(&self.db, key)
    }

    /// Makes steps due now. Their tries go on counting. Returns how many: steps that a process
    /// works on are left alone.
    pub(crate) fn retry(&self, steps: &[(String, usize)], now_ms: i64) -> Result<usize> {
        pending_rows::retry(&self.db, steps, now_ms)
    }

    /// Gives steps up and counts each as dropped. Returns which: steps that a process works on are
    /// left alone.
    pub(crate) fn give_up(&self, steps: &[(String, usize)], now_ms: i64) -> Result<Vec<(String, usize)>> {
        pending_rows::give_up(&self.db, steps, now_ms)
    }

    /// Every notification about an address, oldest first, with its state.
    pub(crate) fn notifications(&self, address: &str) -> Result<Vec<NotificationState>> {
        pending_rows::notifications(&self.db, address)
    }

    /// Pending steps that have failed at least once, plus notifications parked since
    /// `since_ms`. Alerts do not count, so that no alert causes another.
    pub(crate) fn failing_steps(&self, since_ms: i64) -> Result<u64> {
        pending_rows::failing_steps(&self.db, since_ms)
    }
}
