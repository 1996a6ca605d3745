//! Notifying an application of what happened to an address: one POST to the URL that is configured
//! for the sender domain, with a Standard Webhooks signature and the same id at every try.
//!
//! Not here: the POST itself (`post`), and when to try again (`doors::retry_time`). Invariant: one
//! report leads to one notification; only a 2xx answer counts. What the application refuses, or
//! does not answer for days, is parked for an operator.

use super::lookup;
use super::post::{self, PostEnd, Posted, Request};
use super::step_attempt::StepAttempt;
use crate::clock::{self, DAY_MS};
use crate::config::{Application, Endpoint, NOTIFY_VARIABLES};
use crate::error::Result;
use crate::plan::{Notification, StepEnd};
use crate::store::{Effect, Performed};
use crate::webhook::{self, UrlTemplate};

pub(crate) fn notify(notification: &Notification, attempt: &StepAttempt<'_>) -> Performed {
    let Notification { event, address, sender_domain, .. } = notification;
    let Some(application) = attempt.doors.config.applications.of(sender_domain) else {
        return unconfigured(notification);
    };
    if !is_first(notification, attempt) {
        return Performed::new(
            StepEnd::Succeeded,
            "notified_before",
            format!("{event} {address} was notified before"),
        );
    }
    let Posted { end, said } = post(notification, application, attempt);
    let note = format!("{event} {address}: {said}");
    match end {
        PostEnd::Delivered => Performed::new(StepEnd::Succeeded, "notified", note),
        PostEnd::Refused => Performed::new(StepEnd::Parked, "notify_parked", format!("!parked: {note}")),
        PostEnd::Later { at_ms } => {
            Performed::new(StepEnd::Later { at_ms }, "notify_deferred", format!("!{note}"))
        }
        PostEnd::GivenUp => Performed::new(StepEnd::Parked, "notify_given_up", format!("!given up: {note}")),
    }
}

/// How the step ends if no application is configured for the sender domain.
pub(super) fn unconfigured(notification: &Notification) -> Performed {
    let note = format!("no [[notify]] for {}", notification.sender_domain);
    Performed::new(StepEnd::Failed, "notify_unconfigured", note)
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

/// How long (milliseconds) the same report is not notified again.
const ONCE_MS: i64 = 30 * DAY_MS;

/// Whether no other report of the same has led to this notification, under another key: the log and
/// a report of one bounce, or a report that came twice. If that cannot be found out, it is sent.
fn is_first(notification: &Notification, attempt: &StepAttempt<'_>) -> bool {
    let Some(bounce) = &notification.bounce else { return true };
    let (mail, of_type) = (attempt.mail, |(name, _): &&(String, String)| name == "feedback_type");
    let kind = notification.fields.iter().find(of_type).map_or("", |(_, value)| value.as_str());
    let event = format!("notify {} {kind}", notification.event);
    let effect = Effect {
        event: event.trim_end(),
        id: &bounce.id,
        address: &notification.address.to_lowercase(),
        key: mail.key.text(),
        at_ms: mail.at_ms,
        until_ms: mail.at_ms + ONCE_MS,
    };
    attempt.doors.store.take_effect(&effect).unwrap_or_else(|error| {
        tracing::warn!(%error, "the application may be notified twice");
        true
    })
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
