//! Notifying an application of what happened to an address: one POST to the URL that is configured
//! for the sender domain, with a Standard Webhooks signature and the same id at every try, also of
//! another host whose soft bounce has reached the threshold together with this one.
//!
//! Not here: the POST itself (`post`), and when to try again (`doors::retry_time`). Invariant: one
//! report leads to one notification; only a 2xx answer counts. What the application refuses, or
//! does not answer for days, is parked for an operator.

use super::lookup;
use super::pause;
use super::post::{self, PostEnd, Posted, Request};
use super::step_attempt::StepAttempt;
use crate::clock::{self, DAY_MS};
use crate::config::{Application, Endpoint, NOTIFY_VARIABLES};
use crate::error::Result;
use crate::plan::{Notification, StepEnd};
use crate::store::{Effect, NotificationState, Performed, Store};
use crate::text::counted;
use crate::webhook::{self, UrlTemplate};

pub(crate) fn notify(notification: &Notification, attempt: &StepAttempt<'_>) -> Performed {
    let Notification { event, address, sender_domain, has_application, .. } = notification;
    let Some(application) = attempt.doors.config.applications.of(sender_domain) else {
        // There was one when the step was promised, or at the first try.
        let was_configured = *has_application || attempt.before > 0;
        return if was_configured { no_longer(notification) } else { unconfigured(notification) };
    };
    match earlier(notification, attempt) {
        Earlier::None => {}
        Earlier::Notified => {
            let note = format!("{event} {address} was notified before");
            return Performed::new(StepEnd::Succeeded, "notified_before", note);
        }
        Earlier::Waits(step) => {
            let note = format!("{event} {address} waits in the step {step}: see carom outbox");
            return Performed::new(StepEnd::Noted, "notified_before", note);
        }
    }
    if application.paused {
        return pause::held(notification, application, attempt);
    }
    let attempt = &StepAttempt { since_ms: pause::since_ms(application, attempt), ..*attempt };
    let Posted { end, said } = post(notification, application, attempt);
    let note = format!("{event} {address}: {said}");
    let days = counted(application.give_up_days, "day");
    match end {
        PostEnd::Delivered => Performed::new(StepEnd::Succeeded, "notified", note),
        PostEnd::Refused => Performed::new(StepEnd::Parked, "notify_parked", note),
        PostEnd::Later { at_ms } => Performed::new(StepEnd::Later { at_ms }, "notify_deferred", note),
        PostEnd::GivenUp => {
            Performed::new(StepEnd::Parked, "notify_given_up", format!("{note}; tried for {days}"))
        }
    }
}

/// How the step ends if no application is configured for the sender domain.
pub(super) fn unconfigured(notification: &Notification) -> Performed {
    let note = format!("no [[notify]] for {}", notification.sender_domain);
    Performed::new(StepEnd::Noted, "notify_unconfigured", note)
}

/// How a pending step ends whose application is no longer configured: it waits for an operator.
fn no_longer(notification: &Notification) -> Performed {
    let Notification { event, address, sender_domain, .. } = notification;
    let note = format!("{event} {address}: there is no [[notify]] for {sender_domain} any more");
    Performed::new(StepEnd::Parked, "notify_parked", note)
}

fn post(notification: &Notification, application: &Application, attempt: &StepAttempt<'_>) -> Posted {
    let (mail, days) = (attempt.mail, application.give_up_days);
    let of_key = |key: &str| webhook::id(&[key, &notification.event, &notification.address]);
    let id = match attempt.doors.store.reached_together(mail.key.text(), &notification.address) {
        Ok(together) => of_key(together.as_deref().unwrap_or(mail.key.text())),
        Err(error) => return post::not_yet(error.to_string(), &of_key(mail.key.text()), days, attempt),
    };
    if let Err(error) = application.secrets.get() {
        return post::not_yet(error.to_string(), &id, days, attempt);
    }
    let template = match &application.endpoint {
        Endpoint::Url(template) => Ok(template.clone()),
        Endpoint::Lookup { document, pointer } => {
            match lookup::template(document, pointer, attempt.doors, attempt.deadline) {
                Ok(text) => UrlTemplate::parse(&text, &NOTIFY_VARIABLES),
                Err(why) => return post::not_yet(why, &id, days, attempt),
            }
        }
    };
    let at_ms = notification.happened_ms.unwrap_or(mail.at_ms);
    match template.and_then(|template| request(notification, application, &template, &id, at_ms)) {
        Ok(request) => post::post(&request, days, attempt),
        Err(error) => Posted { end: PostEnd::Refused, said: error.to_string() },
    }
}

/// How long (milliseconds) the same report is not notified again.
const ONCE_MS: i64 = 30 * DAY_MS;

/// Another report of the same that leads to this notification: the log and a report of one bounce,
/// or a report that came twice.
enum Earlier {
    None,
    Notified,
    /// It is pending, or parked.
    Waits(String),
}

/// Looks for one. If that cannot be found out, the notification is sent.
fn earlier(notification: &Notification, attempt: &StepAttempt<'_>) -> Earlier {
    let Some(bounce) = &notification.bounce else { return Earlier::None };
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
    standing(&effect, &notification.event, &attempt.doors.store).unwrap_or_else(|error| {
        tracing::warn!(%error, "the application may be notified twice");
        Earlier::None
    })
}

fn standing(effect: &Effect<'_>, event: &str, store: &Store) -> Result<Earlier> {
    if store.take_effect(effect)? {
        return Ok(Earlier::None);
    }
    let Some(first) = store.effect_of(effect)? else { return Ok(Earlier::Notified) };
    let of_first = |one: &NotificationState| {
        one.event == event && one.id.rsplit_once('/').is_some_and(|(key, _)| key == first)
    };
    let known: Vec<NotificationState> =
        store.notifications(effect.address)?.into_iter().filter(of_first).collect();
    if let Some(waiting) = known.iter().find(|one| matches!(one.state, "pending" | "parked")) {
        return Ok(Earlier::Waits(waiting.id.clone()));
    }
    let came_to_nothing = !known.is_empty() && known.iter().all(|one| one.state == "given up");
    match came_to_nothing && store.take_over(effect, &first)? {
        true => Ok(Earlier::None),
        false => Ok(Earlier::Notified),
    }
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
    let secrets = application.secrets.get()?;
    Request::new(template.fill(&values)?, form.content_type(), form.write(&told)?, id, secrets)
}
