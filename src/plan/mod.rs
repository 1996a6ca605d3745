//! The plan: what a policy decided about one message, as data. The host's imports build it,
//! `--dry-run` shows it, the journal promises it, and `crate::action` runs it.
//!
//! Not here: what each step does (`actions`), and steps that only count (`bookkeeping`). Invariant:
//! its JSON is in journals and logs; it only grows.

mod actions;
mod bookkeeping;
mod effects;
mod grounds;
mod step_end;
mod unproven;

pub(crate) use actions::{
    Action, AutoReply, Bounce, Bounced, Complaint, Forwarding, Notification, Refusal, Route, Strike,
    SuccessReport, Suppression, Tell, Unmatched, UnprovenCopy, Visit,
};

pub(crate) use grounds::Grounds;
pub(crate) use step_end::{StepEnd, state_as_written};
pub(crate) use unproven::Unproven;

use crate::smtp_reply::SmtpReply;
use serde::{Deserialize, Serialize};

/// A decision about one message for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) verdict: Verdict,
    /// In the order in which the policy added them; a step waits only for earlier ones.
    pub(crate) steps: Vec<Step>,
    /// What a classifier should make of the refusal or of the bounce, if the policy says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expect: Option<String>,
}

impl Plan {
    /// A message that is refused is not delivered.
    pub(crate) fn forget_success_if_refused(&mut self) {
        if self.verdict != Verdict::Accept {
            // No step waits for it.
            self.steps.retain(|step| !matches!(step.action, Action::ReportSuccess(_)));
        }
    }

    /// What a classifier should make of a bounce goes with it.
    pub(crate) fn tell_bounces(&mut self) {
        for step in &mut self.steps {
            if let Action::Bounce(bounce) = &mut step.action {
                bounce.expect.clone_from(&self.expect);
            }
        }
    }
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

impl Verdict {
    /// That of a reply of class 4 or 5.
    pub(crate) fn of_refusal(reply: SmtpReply) -> Verdict {
        if reply.code < 500 { Verdict::Defer(reply) } else { Verdict::Reject(reply) }
    }
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

impl Step {
    /// Whether it waits for no other step and no time.
    pub(crate) fn starts_at_once(&self) -> bool {
        self.after.is_none() && self.delay == 0
    }
}
