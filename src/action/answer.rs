//! Mail about a message to its return path: a bounce, a report of success, a complaint or an
//! automatic reply, if it may be sent at all.
//!
//! Not here: what the mail says (`dsn`, `complaint`, `auto_reply`), and where it goes (`decide`).
//! Counters are bouncy-sink's; the action, which comes before each note, says what was sent.

use super::doors::smtp::{Letter, SmtpTarget};
use super::loops;
use super::send::{self, Sent};
use super::step_attempt::StepAttempt;
use crate::plan::{Refusal, Route, StepEnd};
use crate::store::Performed;

/// How answers of one kind are counted.
pub(crate) struct AnswerKind {
    /// Before the names of its counters.
    pub(crate) counter: &'static str,
}

/// Mail exchangers that a note names, at most.
const NAMED: usize = 3;

pub(crate) const BOUNCE: AnswerKind = AnswerKind { counter: "oob" };
pub(crate) const SUCCESS: AnswerKind = AnswerKind { counter: "success_report" };
pub(crate) const COMPLAINT: AnswerKind = AnswerKind { counter: "fbl" };
pub(crate) const AUTO_REPLY: AnswerKind = AnswerKind { counter: "autoreply" };

/// Sends what `write` gives to where `route` says, unless `ended` is how the step ends without it.
pub(crate) fn send(
    AnswerKind { counter }: &AnswerKind,
    route: &Route,
    ended: impl FnOnce() -> Option<Performed>,
    write: impl FnOnce() -> Letter,
    attempt: &StepAttempt<'_>,
) -> Performed {
    let (mail, config) = (attempt.mail, &attempt.doors.config);
    let performed = |end: StepEnd, counted: &str, note: String| {
        Performed::new(end, &format!("{counter}_{counted}"), note)
    };
    if let Some(refusal) = route.refusal {
        let note = explain(refusal, &mail.envelope.sender, &route.hosts);
        return performed(StepEnd::GivenUp, counted(refusal), note);
    }
    if let Some(why) = loops::why_not(mail, config.send.max_received) {
        return performed(StepEnd::GivenUp, "loop", format!("not sent: {why}"));
    }
    if let Some(ended) = ended() {
        return ended;
    }
    let letter = write();
    let from = letter.from.clone().unwrap_or_default();
    let to = SmtpTarget::exchangers(route.hosts.clone(), config);
    let refused = |why: String| format!("not sent to <{}>: {why}", route.to);
    match send::send(&letter, &to, mail.key.text(), attempt) {
        Sent::To { host } => {
            let note = format!("sent from <{from}> to <{}> via {host}", letter.to);
            performed(StepEnd::Succeeded, "sent", note)
        }
        Sent::Later { at_ms, why } => performed(StepEnd::Later { at_ms }, "deferred", refused(why)),
        Sent::Failed { why } => performed(StepEnd::GivenUp, "smtp_error", refused(why)),
    }
}

/// The counter of a refusal.
fn counted(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::MissingReturnPath => "missing_return_path",
        Refusal::MissingTo => "missing_to",
        Refusal::NotRecognised => "return_path_not_sparkpost",
    }
}

/// Why nothing is sent, and what to look at.
fn explain(refusal: Refusal, sender: &str, unknown: &[String]) -> String {
    let mut note = format!("not sent, {}: <{sender}>", refusal.text());
    if !unknown.is_empty() {
        let named = unknown.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        note.push_str(&format!(
            "; the policy knows none of its mail exchangers: {named} (of the sink: mx_allowlist)"
        ));
    }
    note
}
