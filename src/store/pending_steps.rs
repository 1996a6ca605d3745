//! Verbs of the store for pending steps: what waits for its time, for another try, or (parked) for
//! an operator. A part of the seam.
//!
//! Not here: SQL (`sqlite/pending_rows`), and doing steps (`crate::journal`).

use super::Store;
use super::journal_entry::{
    ForwardedMessage, LostAlert, NotificationState, PendingStep, PromisedLine, StepOnRecord,
};
use super::sqlite::{pending_rows, promise_rows};
use crate::error::Result;
use crate::plan::Verdict;

impl Store {
    /// Shows every pending step, the next due first; then the parked ones. `see` says whether it
    /// wants more.
    pub(crate) fn visit_steps(&self, see: &mut dyn FnMut(PendingStep) -> Result<bool>) -> Result<()> {
        pending_rows::visit(&self.db, see)
    }

    /// The same without those that wait for the end of another step: as operators see them.
    pub(crate) fn visit_shown_steps(&self, see: &mut dyn FnMut(PendingStep) -> Result<bool>) -> Result<()> {
        self.visit_steps(&mut |step| if step.waits { Ok(true) } else { see(step) })
    }

    #[cfg(test)]
    pub(crate) fn pending_steps(&self) -> Result<Vec<PendingStep>> {
        let mut all = Vec::new();
        self.visit_steps(&mut |step| {
            all.push(step);
            Ok(true)
        })?;
        Ok(all)
    }

    /// The steps with these keys and numbers, as far as they are pending or parked.
    pub(crate) fn steps_at(&self, places: &[(String, usize)]) -> Result<Vec<PendingStep>> {
        pending_rows::steps_at(&self.db, places)
    }

    /// The keys of messages with pending or parked steps that have this Message-ID.
    pub(crate) fn open_messages_named(&self, message_id: &str) -> Result<Vec<String>> {
        pending_rows::open_messages_named(&self.db, message_id)
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

    /// How many of the pending ones the config holds back.
    pub(crate) fn paused_steps(&self) -> Result<u64> {
        pending_rows::paused_steps(&self.db)
    }

    /// Every step of a message, with its state.
    pub(crate) fn steps_of(&self, key: &str) -> Result<Vec<StepOnRecord>> {
        pending_rows::steps_of(&self.db, key)
    }

    /// The verdict about a message that is on record, and what its line says; `None`: an earlier
    /// build has promised no line.
    pub(crate) fn decision(&self, key: &str) -> Result<Option<(Option<Verdict>, Option<PromisedLine>)>> {
        let found = promise_rows::look_up(&self.db, key)?;
        Ok(found.map(|found| (found.verdict, found.line)))
    }

    /// When a message that is on record was decided, in milliseconds since 1970.
    pub(crate) fn decided_ms(&self, key: &str) -> Result<Option<i64>> {
        pending_rows::decided_ms(&self.db, key)
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
