//! Sending a letter, and what the host's reply means for the step.
//!
//! Not here: the letter (`dsn`, `complaint`, `auto_reply`, `tell`), and the SMTP session
//! (`doors::smtp`).

use super::doors::retry_time::Patience;
use super::doors::smtp::{Letter, SendFailure, SmtpTarget};
use super::step_attempt::StepAttempt;

pub(super) enum Sent {
    To { host: String },
    Later { at_ms: i64, why: String },
    Failed { why: String },
}

/// `key` is the same at each try.
pub(super) fn send(letter: &Letter, to: &SmtpTarget, key: &str, attempt: &StepAttempt<'_>) -> Sent {
    let doors = attempt.doors;
    match doors.smtp.deliver(letter, to, &doors.config, &doors.dns, attempt.deadline) {
        Ok(host) => Sent::To { host },
        Err(failure) => failed(failure, key, attempt),
    }
}

/// A letter that could not be sent is retried for some time, unless the failure is permanent.
pub(super) fn failed(failure: SendFailure, key: &str, attempt: &StepAttempt<'_>) -> Sent {
    let patience = Patience::with_mail(attempt.doors.config.send.give_up_hours);
    let why = failure.text;
    match attempt.next_try(&patience, key, 0).filter(|_| failure.temporary) {
        Some(at_ms) => Sent::Later { at_ms, why },
        None => Sent::Failed { why },
    }
}
