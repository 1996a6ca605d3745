//! Notifying an application of what happened to an address: one POST to the URL that is configured
//! for the sender domain, with a Standard Webhooks signature and the same id at every try.
//!
//! Not here: the POST itself (`post`), and when to try again (`doors::retry_time`). Invariant: only
//! a 2xx answer counts. What the application refuses, or does not answer for days, is parked for an
//! operator.

use super::doors::Doors;
use super::lookup;
use super::post::{self, PostEnd, Posted, Request};
use super::step_attempt::StepAttempt;
use crate::clock::{self, DAY_MS};
use crate::config::{Application, Endpoint, NOTIFY_VARIABLES};
use crate::error::Result;
use crate::plan::{Notification, StepEnd};
use crate::store::Performed;
use crate::webhook::{self, UrlTemplate};

pub(crate) fn notify(notification: &Notification, attempt: &StepAttempt<'_>) -> Performed {
    let Notification { event, address, sender_domain, .. } = notification;
    let Some(application) = attempt.doors.config.applications.of(sender_domain) else {
        let note = format!("no [[notify]] for {sender_domain}");
        return Performed::new(StepEnd::Failed, "notify_unconfigured", note);
    };
    if was_told(notification, attempt.doors) {
        return Performed::new(
            StepEnd::Succeeded,
            "notified_before",
            format!("{event} {address} was notified before"),
        );
    }
    let Posted { end, said } = post(notification, application, attempt);
    let note = format!("{event} {address}: {said}");
    match end {
        PostEnd::Delivered => {
            remember(notification, attempt.doors, clock::now_ms());
            Performed::new(StepEnd::Succeeded, "notified", note)
        }
        PostEnd::Refused => Performed::new(StepEnd::Parked, "notify_parked", format!("!parked: {note}")),
        PostEnd::Later { at_ms } => {
            Performed::new(StepEnd::Later { at_ms }, "notify_deferred", format!("!{note}"))
        }
        PostEnd::GivenUp => Performed::new(StepEnd::Parked, "notify_given_up", format!("!given up: {note}")),
    }
}

fn post(notification: &Notification, application: &Application, attempt: &StepAttempt<'_>) -> Posted {
    let (mail, days) = (attempt.mail, application.give_up_days);
    let id = webhook::id(&[mail.key.text(), &notification.event, &notification.address]);
    let template = match &application.endpoint {
        Endpoint::Url(template) => Ok(template.clone()),
        Endpoint::Lookup { document, pointer } => {
            match lookup::template(document, pointer, attempt.doors, attempt.deadline) {
                Ok(text) => UrlTemplate::parse(&text, &NOTIFY_VARIABLES),
                Err(why) => return post::not_yet(why, &id, days, attempt),
            }
        }
    };
    match template.and_then(|template| request(notification, application, &template, &id, mail.at_ms)) {
        Ok(request) => post::post(&request, days, attempt),
        Err(error) => Posted { end: PostEnd::Refused, said: error.to_string() },
    }
}

/// How long (milliseconds) a notification of a bounce is remembered: the log line and the report of
/// a bounce are not further apart.
const TOLD_MS: i64 = 10 * DAY_MS;

/// Whether the other of log line and report of this bounce has notified the application already.
fn was_told(notification: &Notification, doors: &Doors) -> bool {
    let Some(bounce) = &notification.bounce else { return false };
    let name = told_name(&bounce.id, &notification.event, !bounce.logged);
    doors.store.remembered(&name, clock::now_ms()).is_ok_and(|told| told == Some(true))
}

fn remember(notification: &Notification, doors: &Doors, now_ms: i64) {
    let Some(bounce) = &notification.bounce else { return };
    let name = told_name(&bounce.id, &notification.event, bounce.logged);
    if let Err(error) = doors.store.remember(&name, true, now_ms + TOLD_MS) {
        tracing::warn!(%error, "the application may be notified twice");
    }
}

/// The names under which it is remembered that an application was notified of what bounced.
pub(crate) fn told_names(bounce: &str) -> Vec<String> {
    if bounce.is_empty() {
        return Vec::new();
    }
    let both = |event| [true, false].map(|logged| told_name(bounce, event, logged));
    ["bounce.hard", "bounce.soft"].into_iter().flat_map(both).collect()
}

fn told_name(id: &str, event: &str, logged: bool) -> String {
    format!("told {event} {id} {}", if logged { "by the log" } else { "by a report" })
}

fn request(
    notification: &Notification,
    application: &Application,
    template: &UrlTemplate,
    id: &str,
    at_ms: i64,
) -> Result<Request> {
    let Notification { event, address, sender_domain, fields, .. } = notification;
    let values = [("address", address.as_str()), ("sender_domain", sender_domain), ("event", event)];
    let time = clock::rfc3339(at_ms);
    let mut told = vec![("id", id), ("event", event), ("time", &time), ("address", address)];
    told.push(("sender_domain", sender_domain));
    told.extend(fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let form = application.body;
    let secrets = application.secrets.as_ref();
    Request::new(template.fill(&values)?, form.content_type(), form.write(&told)?, id, secrets)
}
