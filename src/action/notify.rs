//! Telling an application what happened to an address: one POST to the URL that is configured for the sender domain, signed as
//! Standard Webhooks has it, with the same id at every try.
//!
//! Not here: when to try again (`retry`), the wire (`http`). Invariant: it is taken when the application has answered 2xx; what the
//! application does not take, or not in all the time it has, is parked: shown, and tried again when an operator says so.

use super::doors::Doors;
use super::doors::retry::{self, Next, Patience};
use super::lookup;
use crate::clock::{self, DAY_MS};
use crate::config::{Application, Endpoint, NOTIFY_VARIABLES};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::mail::Mail;
use crate::plan::{Notification, StepEnd};
use crate::store::Performed;
use crate::webhook::{self, UrlTemplate};

/// Tells the application. `attempts` is how often it has been tried before.
pub(crate) fn notify(
    notification: &Notification,
    mail: &Mail,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Performed {
    let Some(target) = doors.config.applications.of(&notification.sender_domain) else {
        let note = format!("no [[notify]] for {}", notification.sender_domain);
        return Performed::new(StepEnd::Failed, "notify_unconfigured", note);
    };
    if was_told(notification, doors) {
        let note = format!("{} {} was told before", notification.event, notification.address);
        return Performed::new(StepEnd::Succeeded, "notified_before", note);
    }
    let id = webhook::id(&[mail.key.text(), &notification.event, &notification.address]);
    let now_ms = clock::now_ms();
    let template = match &target.endpoint {
        Endpoint::Url(template) => Ok(Ok(template.clone())),
        Endpoint::Lookup { document, pointer } => lookup::template(document, pointer, doors, deadline)
            .map(|text| UrlTemplate::parse(&text, &NOTIFY_VARIABLES)),
    };
    let asked = template.map(|template| request(notification, target, &template?, &id, mail.at_ms));
    let (next, said) = match asked {
        Err(why) => (retry::classify(None, None, now_ms), why),
        Ok(Err(error)) => (Next::Parked, error.to_string()),
        Ok(Ok(request)) => match doors.http.post(&request.url, &request.headers, &request.body, deadline) {
            Ok(answered) => {
                let next = retry::classify(Some(answered.status), answered.retry_after.as_deref(), now_ms);
                (next, format!("{} answered {}", request.url, answered.status))
            }
            Err(missed) => (retry::classify(None, None, now_ms), format!("{}: {}", request.url, missed.text)),
        },
    };
    let note = format!("{} {}: {said}", notification.event, notification.address);
    let patience = Patience::with_application(target.give_up_days);
    match next {
        Next::Done => {
            remember(notification, doors, now_ms);
            Performed::new(StepEnd::Succeeded, "notified", note)
        }
        Next::Parked => Performed::new(StepEnd::Parked, "notify_parked", format!("!parked: {note}")),
        Next::Again { wait_ms } => match patience.next_try(attempts + 1, mail.at_ms, now_ms, &id, wait_ms) {
            Some(at_ms) => Performed::new(StepEnd::Later { at_ms }, "notify_deferred", format!("!{note}")),
            None => Performed::new(StepEnd::Parked, "notify_given_up", format!("!given up: {note}")),
        },
    }
}

/// How long it is remembered that an application was told of a bounce: the log line and the report of one are not further apart.
const TOLD_MS: i64 = 10 * DAY_MS;

/// Whether the log line and the report of one bounce are about to tell the same: then it is told once.
fn was_told(notification: &Notification, doors: &Doors) -> bool {
    let Some(bounce) = &notification.bounce else { return false };
    let name = told_name(&bounce.id, &notification.event, !bounce.logged);
    doors.store.remembered(&name, clock::now_ms()).is_ok_and(|told| told == Some(true))
}

fn remember(notification: &Notification, doors: &Doors, now_ms: i64) {
    let Some(bounce) = &notification.bounce else { return };
    let name = told_name(&bounce.id, &notification.event, bounce.logged);
    if let Err(error) = doors.store.remember(&name, true, now_ms + TOLD_MS) {
        tracing::warn!(%error, "the application may be told twice");
    }
}

fn told_name(id: &str, event: &str, logged: bool) -> String {
    format!("told {event} {id} {}", if logged { "by the log" } else { "by a report" })
}

struct Request {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn request(
    notification: &Notification,
    target: &Application,
    template: &UrlTemplate,
    id: &str,
    at_ms: i64,
) -> Result<Request> {
    let domain = notification.sender_domain.as_str();
    let values = [
        ("address", notification.address.as_str()),
        ("sender_domain", domain),
        ("event", &notification.event),
    ];
    let url = template.fill(&values)?;
    let time = crate::clock::rfc3339(at_ms);
    let mut fields: Vec<(&str, &str)> = vec![
        ("id", id),
        ("event", notification.event.as_str()),
        ("time", time.as_str()),
        ("address", notification.address.as_str()),
        ("sender_domain", domain),
    ];
    fields.extend(notification.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let form = target.body;
    let body = form.write(&fields)?;
    let mut headers =
        vec![("content-type", form.content_type().to_owned()), ("idempotency-key", id.to_owned())];
    if let Some(secrets) = &target.secrets {
        headers.extend(secrets.headers(id, clock::now_ms(), &body)?);
    }
    Ok(Request { url, headers, body })
}
