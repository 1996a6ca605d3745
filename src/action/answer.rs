//! Mail about a message to its return path: a bounce, a complaint or an automatic reply, if it may
//! be sent at all.
//!
//! Not here: what the mail says (`dsn`, `complaint`, `auto_reply`), and where it goes (`decide`).
//! Counters and words are bouncy-sink's.

use super::doors::smtp::{Letter, SmtpTarget};
use super::loops;
use super::send::{self, Sent};
use super::step_attempt::StepAttempt;
use crate::plan::{Refusal, Route, StepEnd};
use crate::store::Performed;

/// How answers of one kind are named.
pub(crate) struct AnswerKind {
    /// In notes.
    pub(crate) word: &'static str,
    /// Before the names of its counters.
    pub(crate) counter: &'static str,
}

pub(crate) const BOUNCE: AnswerKind = AnswerKind { word: "OOB", counter: "oob" };
pub(crate) const COMPLAINT: AnswerKind = AnswerKind { word: "FBL", counter: "fbl" };
pub(crate) const AUTO_REPLY: AnswerKind = AnswerKind { word: "Auto-reply", counter: "autoreply" };

/// Sends what `write` gives to where `route` says, unless `ended` is how the step ends without it.
pub(crate) fn send(
    AnswerKind { word, counter }: &AnswerKind,
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
        let (counted, why) = explain(refusal);
        let note = format!("!{word} not sent, {why}: <{}>", mail.envelope.sender);
        return performed(StepEnd::Failed, counted, note);
    }
    if let Some(why) = loops::why_not(mail, config.send.max_received) {
        return performed(StepEnd::Failed, "loop", format!("!{word} not sent: {why}"));
    }
    if let Some(ended) = ended() {
        return ended;
    }
    let letter = write();
    let from = letter.from.clone().unwrap_or_default();
    let to = SmtpTarget::exchangers(route.hosts.clone(), config);
    let refused = |why: String| format!("!{word} endpoint returned error: {why}");
    match send::send(&letter, &to, mail.key.text(), attempt) {
        Sent::To { host } => {
            let note = format!("{word} sent,from <{from}> to <{}> via {host}", letter.to);
            performed(StepEnd::Succeeded, "sent", note)
        }
        Sent::Later { at_ms, why } => performed(StepEnd::Later { at_ms }, "deferred", refused(why)),
        Sent::Failed { why } => performed(StepEnd::Failed, "smtp_error", refused(why)),
    }
}

/// The counter and the reason of a refusal.
fn explain(refusal: Refusal) -> (&'static str, &'static str) {
    match refusal {
        Refusal::MissingReturnPath => ("missing_return_path", "there is no Return-Path"),
        Refusal::MissingTo => ("missing_to", "there is no recipient to answer for"),
        Refusal::NotRecognised => {
            ("return_path_not_sparkpost", "the Return-Path is not one that may be answered")
        }
    }
}
