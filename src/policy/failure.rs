//! What it means that a policy failed: a value, never a panic and never a lost message.
//!
//! Not here: what becomes of the message (`deliver`). Invariant: the text names the policy, its
//! hash and the cause, in one line.

use crate::text::{bounded, one_line};
use std::fmt;

/// A policy failed. It is a value: the message it was asked about goes where `on_trap` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What kind of failure, for the counter `policy_…`.
    pub(crate) kind: FailureKind,
    /// The policy, its hash, and the cause, in one line.
    pub(crate) text: String,
}

/// What kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    /// It used more time than it may.
    TooSlow,
    /// It wanted more memory than it may have.
    TooBig,
    /// It made more steps than a plan may have.
    TooManySteps,
    /// It asked for a step that makes no sense: a wrong reply code, a step hanging on a later one.
    BadStep,
    /// It trapped.
    Trapped,
    /// It returned an error: it refused to decide.
    Refused,
}

impl FailureKind {
    /// The counter of such failures.
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

/// Guests choose the text of their errors; it ends up in a status line.
pub(crate) fn status_line(text: &str) -> String {
    one_line(bounded(text, 300))
}
