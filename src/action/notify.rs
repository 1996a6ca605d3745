//! Telling an application what happened to an address: one POST to the URL that is configured for the sender domain, signed as
//! Standard Webhooks has it, with the same id at every try.
//!
//! Not here: when to try again (`retry`), the wire (`http`). Invariant: it is taken when the application has answered 2xx; what the
//! application will never take is parked, and shown.

use super::retry::{self, Next, Patience};
use super::webhook::{self, Body, Secrets, Value};
use super::{Doors, Outcome, Report, Subject, template};
use crate::clock;
use crate::config::{self, NotifyBody};
use crate::deadline::Deadline;
use crate::error::Result;
use crate::policy::plan::Notification;

/// Tells the application. `attempts` is how often it has been tried before.
pub(super) fn notify(
    notification: &Notification,
    subject: &Subject<'_>,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Report {
    let Some(target) = target(&doors.config.notify, &notification.sender_domain) else {
        let note = format!("no [[notify]] for {}", notification.sender_domain);
        return Report::new(Outcome::Failed, "notify_unconfigured", note);
    };
    let id = webhook::id(&[subject.key, &notification.event, &notification.address]);
    let request = match request(notification, target, &id, subject.at_ms) {
        Ok(request) => request,
        Err(error) => {
            return Report::new(Outcome::Failed, "notify_parked", format!("!not notified: {error}"));
        }
    };
    let now_ms = clock::now_ms();
    let answered = doors.http.post(&request.url, &request.headers, &request.body, deadline);
    let (next, said) = match &answered {
        Ok(answered) => {
            let next = retry::classify(Some(answered.status), answered.retry_after.as_deref(), now_ms);
            (next, format!("answered {}", answered.status))
        }
        Err(missed) => (retry::classify(None, None, now_ms), missed.text.clone()),
    };
    let note = format!("{} {} to {}: {said}", notification.event, notification.address, request.url);
    let patience = Patience { days: target.give_up_days, ..Patience::default() };
    match next {
        Next::Done => Report::new(Outcome::Succeeded, "notified", note),
        Next::Parked => Report::new(Outcome::Failed, "notify_parked", format!("!parked: {note}")),
        Next::Again { wait_ms } => match patience.next_try(attempts + 1, subject.at_ms, now_ms, &id, wait_ms)
        {
            Some(at_ms) => Report::new(Outcome::Later { at_ms }, "notify_deferred", format!("!{note}")),
            None => Report::new(Outcome::Failed, "notify_given_up", format!("!given up: {note}")),
        },
    }
}

/// The entry of the sender domain, else the one for `*`.
fn target<'a>(targets: &'a [config::Notify], sender_domain: &str) -> Option<&'a config::Notify> {
    let named = targets.iter().find(|target| target.sender_domain.eq_ignore_ascii_case(sender_domain));
    named.or_else(|| targets.iter().find(|target| target.sender_domain == "*"))
}

struct Request {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

fn request(notification: &Notification, target: &config::Notify, id: &str, at_ms: i64) -> Result<Request> {
    let domain = notification.sender_domain.as_str();
    let values = [
        ("address", notification.address.as_str()),
        ("sender_domain", domain),
        ("event", &notification.event),
    ];
    let url = template::url(&target.url, &values)?;
    let time = crate::clock::rfc3339(at_ms);
    let mut fields: Vec<(&str, Value)> = vec![
        ("id", id.into()),
        ("event", notification.event.as_str().into()),
        ("time", time.as_str().into()),
        ("address", notification.address.as_str().into()),
        ("sender_domain", domain.into()),
    ];
    fields.extend(notification.fields.iter().map(|(name, value)| (name.as_str(), value.as_str().into())));
    let form = match target.body {
        NotifyBody::Json => Body::Json,
        NotifyBody::Form => Body::Form,
    };
    let body = form.write(&fields)?;
    let mut headers =
        vec![("content-type", form.content_type().to_owned()), ("idempotency-key", id.to_owned())];
    if !target.secrets.is_empty() {
        headers.extend(Secrets::new(&target.secrets)?.headers(id, clock::now_ms(), &body)?);
    }
    Ok(Request { url, headers, body })
}
