//! Alerting operators: a mail, or a POST to the rule's webhook.
//!
//! Not here: what an alert says (`crate::alert`). Invariant: the mail has the null sender, is
//! marked as automatic, and its Message-ID begins with [`ALERT_ID`], so that nothing answers it and
//! whatever comes of it is recognized.

use super::doors::smtp::{Letter, SendFailure, SmtpTarget};
use super::post::{self, PostEnd, Request};
use super::send::{self, Sent};
use super::step_attempt::StepAttempt;
use crate::auth::DnsFailure;
use crate::config::Alerting;
use crate::error::Error;
use crate::mailbox_syntax::split_address;
use crate::maillog::message_ids::ALERT_ID;
use crate::message::draft::{Draft, bracketed};
use crate::plan::{StepEnd, Tell};
use crate::store::Performed;

/// Days that a webhook that does not answer is retried.
const GIVE_UP_DAYS: u32 = 5;

pub(crate) fn tell(tell: &Tell, attempt: &StepAttempt<'_>) -> Performed {
    let done = |end: StepEnd, note: String| {
        let counter = match end {
            StepEnd::Succeeded => "alert_sent",
            StepEnd::Later { .. } | StepEnd::Held { .. } => "alert_deferred",
            StepEnd::Noted | StepEnd::GivenUp | StepEnd::Parked => "alert_failed",
        };
        Performed::new(end, counter, note)
    };
    match &tell.to {
        Some(to) => match by_mail(tell, to, attempt) {
            Sent::To { host } => done(StepEnd::Succeeded, format!("{} sent to <{to}> via {host}", tell.rule)),
            Sent::Later { at_ms, why } => {
                done(StepEnd::Later { at_ms }, format!("{} not sent to <{to}>: {why}", tell.rule))
            }
            Sent::Failed { why } => {
                done(StepEnd::GivenUp, format!("{} not sent to <{to}>: {why}", tell.rule))
            }
        },
        None => by_post(tell, attempt, done),
    }
}

fn by_mail(tell: &Tell, to: &str, attempt: &StepAttempt<'_>) -> Sent {
    let alerting = attempt.doors.config.alerting.get().map_err(SendFailure::temporary);
    match alerting
        .and_then(|alerting| Ok((target(to, alerting, attempt)?, letter(tell, to, alerting, attempt))))
    {
        Ok((target, letter)) => send::send(&letter, &target, &tell.id, attempt),
        Err(failure) => send::failed(failure, &tell.id, attempt),
    }
}

/// The server that the operator has named, else the mail exchangers of the address.
fn target(to: &str, alerting: &Alerting, attempt: &StepAttempt<'_>) -> Result<SmtpTarget, SendFailure> {
    if let Some(server) = &alerting.server {
        return Ok(SmtpTarget::named(server));
    }
    let domain = split_address(to).map_or("", |(_, domain)| domain);
    match attempt.doors.dns.mx(domain, attempt.deadline) {
        Ok(hosts) => Ok(SmtpTarget::exchangers(hosts, &attempt.doors.config)),
        Err(why @ DnsFailure::Temporary(_)) => Err(SendFailure::temporary(why)),
        Err(why) => Err(SendFailure::permanent(why)),
    }
}

fn letter(tell: &Tell, to: &str, alerting: &Alerting, attempt: &StepAttempt<'_>) -> Letter {
    let host = attempt.doors.config.hostname();
    let from = alerting.from.clone().unwrap_or_else(|| format!("carom@{host}"));
    let id = format!("{ALERT_ID}{}@{host}", tell.id);
    let mut draft = Draft::with_id(&bracketed(&from), to, &tell.subject, &id, &attempt.postmark());
    draft.field("Auto-Submitted", "auto-generated");
    draft.field("X-Carom-Alert", &tell.rule);
    Letter { from: None, to: to.to_owned(), data: draft.text(&tell.body).into() }
}

fn by_post(tell: &Tell, attempt: &StepAttempt<'_>, done: impl Fn(StepEnd, String) -> Performed) -> Performed {
    let not_yet = |error: &Error| {
        let posted = post::not_yet(error.to_string(), &tell.id, GIVE_UP_DAYS, attempt);
        ended(tell, posted.end, &posted.said, &done)
    };
    let rules = match attempt.doors.config.alerting.get() {
        Ok(alerting) => &alerting.rules,
        Err(error) => return not_yet(&error),
    };
    let webhook = rules.iter().find(|rule| rule.name == tell.rule).and_then(|rule| rule.webhook.as_ref());
    let Some(webhook) = webhook else {
        let note = format!("{} not sent: the config no longer has this webhook", tell.rule);
        return done(StepEnd::GivenUp, note);
    };
    let secrets = match webhook.secrets.get() {
        Ok(secrets) => secrets,
        Err(error) => return not_yet(&error),
    };
    let body = tell.body.clone().into_bytes();
    match Request::new(webhook.url.clone(), "application/json", body, &tell.id, secrets) {
        Ok(request) => {
            let posted = post::post(&request, GIVE_UP_DAYS, attempt);
            ended(tell, posted.end, &posted.said, done)
        }
        Err(error) => done(StepEnd::GivenUp, format!("{} not sent: {error}", tell.rule)),
    }
}

fn ended(tell: &Tell, end: PostEnd, said: &str, done: impl Fn(StepEnd, String) -> Performed) -> Performed {
    let note = format!("{}: {said}", tell.rule);
    match end {
        PostEnd::Delivered => done(StepEnd::Succeeded, note),
        PostEnd::Later { at_ms } => done(StepEnd::Later { at_ms }, note),
        PostEnd::Refused => done(StepEnd::GivenUp, format!("refused: {note}")),
        PostEnd::GivenUp => done(StepEnd::GivenUp, note),
    }
}
