//! The plan: what a policy decided about one message, as data. The host's imports build it,
//! `--dry-run` shows it, the journal promises it, and `crate::action` runs it.
//!
//! Not here: what each step does (`actions`), and steps that only count (`bookkeeping`). Invariant:
//! its JSON is in journals and logs; it only grows.

mod actions;
mod bookkeeping;
mod effects;
mod grounds;
mod unproven;

pub(crate) use actions::{
    Action, AutoReply, Bounce, Bounced, Complaint, Forwarding, Notification, Refusal, Route, Strike,
    Suppression, Tell, Unmatched, UnprovenCopy, Visit,
};

pub(crate) use grounds::Grounds;
pub(crate) use unproven::Unproven;

use crate::smtp_reply::SmtpReply;
use serde::{Deserialize, Serialize};

/// A decision about one message for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) verdict: Verdict,
    /// In the order in which the policy added them; a step waits only for earlier ones.
    pub(crate) steps: Vec<Step>,
}

/// The answer to the mail server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    #[default]
    Accept,
    Reject(SmtpReply),
    /// Try again later.
    Defer(SmtpReply),
}

/// One node of the action tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The step it waits for (an index into [`Plan::steps`]), and how that one must end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<(usize, Condition)>,
    /// Seconds from the decision to the step.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) delay: u32,
    #[serde(flatten)]
    pub(crate) action: Action,
}

fn is_zero(delay: &u32) -> bool {
    *delay == 0
}

/// How an earlier step must end before a later one starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Condition {
    Succeeded,
    Failed,
    /// Either way.
    Finished,
}

/// How a step ended: the same value from the action to the journal, the message log and the
/// counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepEnd {
    Succeeded,
    /// It cannot be done.
    Failed,
    /// It cannot be done until an operator has looked at it. Later steps treat it as failed.
    Parked,
    /// Try again, not before this time in milliseconds since 1970.
    Later {
        at_ms: i64,
    },
}

impl StepEnd {
    /// The word in the message log.
    pub(crate) fn word(self) -> &'static str {
        match self {
            StepEnd::Succeeded => "succeeded",
            StepEnd::Failed => "failed",
            StepEnd::Parked => "parked",
            StepEnd::Later { .. } => "later",
        }
    }
}

impl Serialize for StepEnd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

impl Step {
    /// Whether it waits for no other step and no time.
    pub(crate) fn starts_at_once(&self) -> bool {
        self.after.is_none() && self.delay == 0
    }
}
