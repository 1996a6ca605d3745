//! One try of a step: the mail it is about, the ways out, how often it was tried before, and the
//! deadline.
//!
//! Not here: how long retries go on (`doors::retry_time`).

use super::doors::Doors;
use super::doors::retry_time::Patience;
use crate::clock;
use crate::deadline::Deadline;
use crate::mail::Mail;
use crate::message::draft::Postmark;

#[derive(Clone, Copy)]
pub(crate) struct StepAttempt<'a> {
    pub(super) mail: &'a Mail,
    /// Its number in the plan.
    pub(super) step: usize,
    pub(super) doors: &'a Doors,
    /// Tries before this one.
    pub(super) before: u32,
    /// When the time began after which it is given up, in milliseconds since 1970.
    pub(super) since_ms: i64,
    pub(super) deadline: Deadline,
}

impl StepAttempt<'_> {
    /// What names the mail that this step sends. The seed is known to nobody outside.
    pub(super) fn postmark(&self) -> Postmark {
        let Mail { key, seed, at_ms, .. } = self.mail;
        let (key, step) = (key.text().as_bytes(), self.step.to_be_bytes());
        Postmark::new(&[&seed.to_be_bytes(), &step, key], *at_ms)
    }

    /// When to try again, not within `wait_ms`; `None`: give up. `key` is that of what is sent.
    pub(super) fn next_try(&self, patience: &Patience, key: &str, wait_ms: i64) -> Option<i64> {
        patience.next_try(self.before + 1, self.since_ms, clock::now_ms(), key, wait_ms)
    }
}
