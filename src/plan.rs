//! The plan: what a policy decided about one message, as data. It is built by the host's imports, shown by
//! `--dry-run`, promised in the journal, and run by `action`. It holds no code and does nothing.

use crate::feedback_type::FeedbackType;
use crate::smtp_reply::SmtpReply;
use serde::{Deserialize, Serialize};

/// A decision about one message for one recipient.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// What the mail server is told.
    pub(crate) verdict: Verdict,
    /// What is to be done, in the order the policy said it; a step hangs only on one before it.
    pub(crate) steps: Vec<Step>,
}

/// What the mail server is told about the message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// The message is taken.
    #[default]
    Accept,
    /// Refused for good.
    Reject(SmtpReply),
    /// Refused for now.
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
    /// What to do.
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

/// How a step ended: the same value from the action to the journal, the message log and the counters.
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
            StepEnd::Failed | StepEnd::Parked => "failed",
            StepEnd::Later { .. } => "later",
        }
    }
}

impl Serialize for StepEnd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub(crate) enum Action {
    /// Fetch the images of allowed trackers.
    Open(Visit),
    /// Fetch the links of allowed trackers.
    Click(Visit),
    /// Send an out-of-band bounce.
    Bounce(Bounce),
    /// Send a feedback report.
    Complain(Complaint),
    /// Send an automatic reply.
    AutoReply(AutoReply),
    /// Keep a copy in the done directory.
    Keep,
    /// Keep a copy under an address.
    KeepFor {
        /// The address, lower case.
        address: String,
    },
    /// Count a soft bounce.
    Strike(Strike),
    /// Suppress an address.
    Suppress(Suppression),
    /// Tell the application.
    Notify(Notification),
    /// Tell operators of an alert; no policy can ask for it.
    Alert(Tell),
    /// The verdict itself: nothing to do, it always succeeds.
    Verdict,
    /// Add one to a counter.
    Count {
        /// The counter's name.
        name: String,
    },
}

/// How links are fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// Hosts that need no probe.
    pub(crate) trackers: Vec<String>,
    /// Whether other hosts may be probed.
    pub(crate) probe: bool,
    /// User-Agent; the host fills it in before the plan is promised, so that a retry sends the same one.
    pub(crate) user_agent: String,
    /// Seconds for all links together.
    pub(crate) timeout: u32,
    /// The addresses to fetch, taken from the message when the plan is made.
    pub(crate) urls: Vec<String>,
}

/// Where mail about a message may be sent: the answer of the policy's `map`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Route {
    /// Hosts to try, in order. Empty: the return path may not be answered, and `refusal` says why.
    pub(crate) hosts: Vec<String>,
    /// The envelope recipient of what is sent.
    pub(crate) to: String,
    /// Why nothing may be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refusal: Option<Refusal>,
}

/// Why a message may not be answered. Each has its counter (`oob_…`, `fbl_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Refusal {
    /// The return path is null or not an address: there is nobody to answer.
    MissingReturnPath,
    /// There is no recipient to answer for.
    MissingTo,
    /// The policy does not know the mail exchanger of the return path.
    NotRecognised,
}

/// An out-of-band bounce (RFC 3464).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Bounce {
    /// The reply it reports.
    pub(crate) reply: SmtpReply,
    /// Envelope sender and From; `None` is the null sender and MAILER-DAEMON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    /// Where it goes.
    pub(crate) route: Route,
}

/// A feedback report (RFC 5965).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Complaint {
    pub(crate) feedback_type: FeedbackType,
    /// Envelope sender and From.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sender: Option<String>,
    /// Where it goes.
    pub(crate) route: Route,
}

/// What bounced, so that the log line and the report of one bounce count once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bounced {
    /// A digest of the Message-ID and the address.
    pub(crate) id: String,
    /// Our mail log says so, not a report.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) logged: bool,
}

/// A soft bounce to be counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Strike {
    /// The address that bounced, lower case.
    pub(crate) address: String,
    /// Whose mail bounced, lower case.
    pub(crate) sender_domain: String,
    /// With so many in the window the step succeeds.
    pub(crate) threshold: u32,
    /// Days after which a soft bounce no longer counts.
    pub(crate) window: u32,
    /// Whether the report is proven to be about a message of ours.
    pub(crate) proven: bool,
    /// What bounced, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bounce: Option<Bounced>,
}

/// An address that gets no more mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Suppression {
    /// The address, lower case.
    pub(crate) address: String,
    /// Whose mail it gets no more, lower case; empty: nobody's.
    pub(crate) sender_domain: String,
    /// Why.
    pub(crate) reason: String,
    /// Days until it gets mail again; 0: until somebody removes it.
    pub(crate) days: u32,
}

/// Something that an application should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notification {
    /// What happened.
    pub(crate) event: String,
    /// The address it happened to.
    pub(crate) address: String,
    /// Whose mail it was, lower case.
    pub(crate) sender_domain: String,
    /// More that is known: names and values, in order.
    pub(crate) fields: Vec<(String, String)>,
    /// What bounced, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bounce: Option<Bounced>,
}

/// What operators are told of an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tell {
    /// The rule.
    pub(crate) rule: String,
    /// The same at every try.
    pub(crate) id: String,
    /// The address that is told; none: the rule's webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Subject of the mail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) subject: String,
    /// Text of the mail, or JSON.
    pub(crate) body: String,
}

/// An automatic reply (RFC 3834).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AutoReply {
    /// Subject.
    pub(crate) subject: String,
    /// Plain text body.
    pub(crate) text: String,
    /// Where it goes.
    pub(crate) route: Route,
}

impl Plan {
    /// Takes the steps out that are certain and change nothing outside: the verdict, and what is counted right away.
    /// Returns the names to count. What hung on them starts at once, or never if it waited for their failure.
    pub(crate) fn take_bookkeeping(&mut self) -> Vec<String> {
        let mut counted = Vec::new();
        let mut kept: Vec<Step> = Vec::new();
        let mut fates: Vec<Fate> = Vec::new();
        for mut step in std::mem::take(&mut self.steps) {
            let after = step.after.take().map(|(index, condition)| (fates[index], condition));
            let fate = match after {
                Some((Fate::Never, _) | (Fate::Done, Condition::Failed)) => Fate::Never,
                None | Some((Fate::Done, _)) if step.is_bookkeeping() && step.delay == 0 => {
                    if let Action::Count { name } = step.action {
                        counted.push(name);
                    }
                    Fate::Done
                }
                after => {
                    step.after = match after {
                        Some((Fate::Kept(index), condition)) => Some((index, condition)),
                        _ => None,
                    };
                    kept.push(step);
                    Fate::Kept(kept.len() - 1)
                }
            };
            fates.push(fate);
        }
        self.steps = kept;
        counted
    }

    /// What is counted at once because `step` has ended: the numbers of those steps and the counters' names. They hang on it
    /// directly or through each other.
    pub(crate) fn counts_after(&self, step: usize, succeeded: bool) -> Vec<(usize, &str)> {
        let mut ended = vec![(step, succeeded)];
        let mut counts = Vec::new();
        for (number, next) in self.steps.iter().enumerate().skip(step + 1) {
            let (Some((earlier, condition)), Action::Count { name }, 0) =
                (next.after, &next.action, next.delay)
            else {
                continue;
            };
            let met = |&(ended, succeeded): &(usize, bool)| ended == earlier && condition.is_met(succeeded);
            if ended.iter().any(met) {
                ended.push((number, true));
                counts.push((number, name.as_str()));
            }
        }
        counts
    }
}

impl Condition {
    fn is_met(self, succeeded: bool) -> bool {
        match self {
            Condition::Succeeded => succeeded,
            Condition::Failed => !succeeded,
            Condition::Finished => true,
        }
    }
}

/// What became of a step while bookkeeping was taken out.
#[derive(Clone, Copy)]
enum Fate {
    Kept(usize),
    Done,
    Never,
}

impl Action {
    /// The action's name, as plans and logs show it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Action::Open(_) => "open",
            Action::Click(_) => "click",
            Action::Bounce(_) => "bounce",
            Action::Complain(_) => "complain",
            Action::AutoReply(_) => "auto-reply",
            Action::Keep => "keep",
            Action::KeepFor { .. } => "keep-for",
            Action::Strike(_) => "strike",
            Action::Suppress(_) => "suppress",
            Action::Notify(_) => "notify",
            Action::Alert(_) => "alert",
            Action::Verdict => "verdict",
            Action::Count { .. } => "count",
        }
    }
}

impl Step {
    /// Whether it waits for nothing: no other step, and no time.
    pub(crate) fn starts_at_once(&self) -> bool {
        self.after.is_none() && self.delay == 0
    }

    fn is_bookkeeping(&self) -> bool {
        matches!(self.action, Action::Count { .. } | Action::Verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(action: Action, after: Option<(usize, Condition)>) -> Step {
        Step { after, delay: 0, action }
    }

    fn count(name: &str) -> Action {
        Action::Count { name: name.into() }
    }

    #[test]
    fn bookkeeping_is_taken_out_and_the_rest_keeps_its_order() {
        let mut plan = Plan {
            verdict: Verdict::Accept,
            steps: vec![
                step(Action::Verdict, None),
                step(count("accept"), Some((0, Condition::Succeeded))),
                step(Action::Keep, Some((1, Condition::Finished))),
                step(count("kept"), Some((2, Condition::Succeeded))),
                step(count("never"), Some((0, Condition::Failed))),
            ],
        };
        assert_eq!(plan.take_bookkeeping(), ["accept"]);
        assert_eq!(
            plan.steps,
            [step(Action::Keep, None), step(count("kept"), Some((0, Condition::Succeeded)))]
        );
    }

    #[test]
    fn counts_that_hang_on_a_step_are_found_through_each_other_but_not_through_other_steps() {
        let later = Step { delay: 60, ..step(count("a_minute_on"), Some((0, Condition::Succeeded))) };
        let plan = Plan {
            verdict: Verdict::Accept,
            steps: vec![
                step(Action::Keep, None),
                step(count("kept"), Some((0, Condition::Succeeded))),
                step(count("not_kept"), Some((0, Condition::Failed))),
                step(count("through"), Some((1, Condition::Finished))),
                later,
                step(Action::Keep, Some((0, Condition::Succeeded))),
                step(count("again"), Some((5, Condition::Succeeded))),
            ],
        };
        assert_eq!(plan.counts_after(0, true), [(1, "kept"), (3, "through")]);
        assert_eq!(plan.counts_after(0, false), [(2, "not_kept")]);
    }
}
