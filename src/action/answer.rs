//! Mail about a message to its return path: a bounce, a complaint or an automatic reply, if it may be
//! sent at all.
//!
//! Not here: what the mail says (`dsn`, `complaint`, `auto_reply`), and where it goes (`decide`).
//! Counters and words are bouncy-sink's.

use super::doors::Doors;
use super::doors::retry::Patience;
use super::doors::smtp::Letter;
use super::loops;
use crate::clock;
use crate::deadline::Deadline;
use crate::mail::Mail;
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

/// Sends what `write` gives to where `route` says.
pub(crate) fn send(
    AnswerKind { word, counter }: &AnswerKind,
    route: &Route,
    write: impl FnOnce() -> Letter,
    mail: &Mail,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Performed {
    if let Some(refusal) = route.refusal {
        let (counted, why) = explain(refusal);
        let note = format!("!{word} not sent, {why}: <{}>", mail.envelope.sender);
        return Performed::new(StepEnd::Failed, &format!("{counter}_{counted}"), note);
    }
    if let Some(why) = loops::why_not(mail, doors.config.send.max_received) {
        return Performed::new(
            StepEnd::Failed,
            &format!("{counter}_loop"),
            format!("!{word} not sent: {why}"),
        );
    }
    let letter = write();
    let from = letter.from.clone().unwrap_or_default();
    match doors.smtp.deliver(&route.hosts, &letter, &doors.config, &doors.dns, deadline) {
        Ok(host) => {
            let note = format!("{word} sent,from <{from}> to <{}> via {host}", letter.to);
            Performed::new(StepEnd::Succeeded, &format!("{counter}_sent"), note)
        }
        Err(failure) => {
            let note = format!("!{word} endpoint returned error: {}", failure.text);
            let patience = Patience::with_mail(doors.config.send.give_up_hours);
            let next = || patience.next_try(attempts + 1, mail.at_ms, clock::now_ms(), mail.key.text(), 0);
            match failure.temporary.then(next).flatten() {
                Some(at_ms) => Performed::new(StepEnd::Later { at_ms }, &format!("{counter}_deferred"), note),
                None => Performed::new(StepEnd::Failed, &format!("{counter}_smtp_error"), note),
            }
        }
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
