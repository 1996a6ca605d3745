//! The failure of a policy: a value, never a panic and never a lost message.
//!
//! Not here: what then happens to the message (`deliver`). Invariant: the text names the policy,
//! its hash and the cause, in one line.

use crate::text::{bounded, is_plain, one_line};
use std::fmt;

/// The failure of a policy. The setting `on_trap` decides what happens to the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Selects the counter `policy_…`.
    pub(crate) kind: FailureKind,
    /// The policy, its hash, and the cause, in one line.
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// It exceeded its time limit.
    TooSlow,
    /// It exceeded its memory limit.
    TooBig,
    /// It added more steps than a plan may have.
    TooManySteps,
    /// It asked for an invalid step: a wrong reply code, or a step that depends on a later one.
    BadStep,
    Trapped,
    /// It returned an error instead of a decision.
    Refused,
}

impl FailureKind {
    pub(crate) fn counter(self) -> &'static str {
        match self {
            FailureKind::TooSlow => "policy_too_slow",
            FailureKind::TooBig => "policy_too_big",
            FailureKind::TooManySteps => "policy_too_many_steps",
            FailureKind::BadStep => "policy_bad_step",
            FailureKind::Trapped => "policy_trapped",
            FailureKind::Refused => "policy_refused",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The most bytes of a text in a status line.
const LINE: usize = 300;

/// Makes the text fit a status line: guests choose the text of their errors.
pub(crate) fn status_line(text: &str) -> String {
    one_line(bounded(text, LINE))
}

/// The same of a text that most often fits.
pub(crate) fn as_status_line(text: String) -> String {
    if text.len() <= LINE && is_plain(&text) { text } else { status_line(&text) }
}
