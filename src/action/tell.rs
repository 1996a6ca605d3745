//! Telling operators of an alert: a mail, or a POST to the rule's webhook.
//!
//! Not here: what it says (`crate::alert`). Invariant: the mail has the null sender, says that it is automatic, and its Message-ID
//! begins with [`ALERT_ID`], so that nothing answers it and whatever comes of it is known for what it is.

use super::doors::Doors;
use super::doors::retry::{self, Next, Patience};
use super::doors::smtp::Letter;
use crate::auth::DnsFailure;
use crate::clock;
use crate::config::Config;
use crate::deadline::Deadline;
use crate::envelope::split_address;
use crate::mail::Mail;
use crate::maillog::message_ids::ALERT_ID;
use crate::message::draft::{Draft, bracketed};
use crate::plan::{StepEnd, Tell};
use crate::store::Performed;
use std::borrow::Cow;

/// A webhook that does not answer is given up after so many days.
const GIVE_UP_DAYS: u32 = 5;

/// Tells it. `attempts` is how often it has been tried before.
pub(crate) fn tell(tell: &Tell, mail: &Mail, doors: &Doors, attempts: u32, deadline: Deadline) -> Performed {
    match &tell.to {
        Some(to) => by_mail(tell, to, mail, doors, attempts, deadline),
        None => by_post(tell, mail, doors, attempts, deadline),
    }
}

fn by_mail(
    tell: &Tell,
    to: &str,
    mail: &Mail,
    doors: &Doors,
    attempts: u32,
    deadline: Deadline,
) -> Performed {
    let sent = hosts(to, doors, deadline).and_then(|(hosts, config)| {
        let letter = letter(tell, to, &config);
        let sent = doors.smtp.deliver(&hosts, &letter, &config, &doors.dns, deadline);
        sent.map_err(|failure| (failure.temporary, failure.text))
    });
    match sent {
        Ok(host) => Performed::new(
            StepEnd::Succeeded,
            "alert_sent",
            format!("{} told to <{to}> via {host}", tell.rule),
        ),
        Err((temporary, text)) => {
            let note = format!("!{} not told to <{to}>: {text}", tell.rule);
            let patience = Patience::with_mail(doors.config.send.give_up_hours);
            let next = patience.next_try(attempts + 1, mail.at_ms, clock::now_ms(), &tell.id, 0);
            match next.filter(|_| temporary) {
                Some(at_ms) => Performed::new(StepEnd::Later { at_ms }, "alert_deferred", note),
                None => Performed::new(StepEnd::Failed, "alert_failed", note),
            }
        }
    }
}

/// The hosts that take the mail, and the config it is sent by: a server that the operator has named may be a private one, and have a
/// port of its own.
fn hosts<'a>(
    to: &str,
    doors: &'a Doors,
    deadline: Deadline,
) -> Result<(Vec<String>, Cow<'a, Config>), (bool, String)> {
    let alerting = doors.config.alerting.get().map_err(|error| (true, error.to_string()))?;
    let Some(server) = &alerting.server else {
        let domain = split_address(to).map_or("", |(_, domain)| domain);
        let found = doors.dns.mx(domain, deadline);
        let hosts = found.map_err(|why| (matches!(why, DnsFailure::Temporary(_)), why.to_string()))?;
        return Ok((hosts, Cow::Borrowed(&*doors.config)));
    };
    let mut config = Config::clone(&doors.config);
    config
        .network
        .allow_private
        .extend(["0.0.0.0/0", "::/0"].iter().flat_map(|net| net.parse::<ipnet::IpNet>()));
    config.network.smtp_port = server.port;
    Ok((vec![server.host.clone()], Cow::Owned(config)))
}

fn letter(tell: &Tell, to: &str, config: &Config) -> Letter {
    let host = config.hostname();
    let from = config
        .alerting
        .get()
        .ok()
        .and_then(|alerting| alerting.from.clone())
        .unwrap_or_else(|| format!("carom@{host}"));
    let id = format!("{ALERT_ID}{}@{host}", tell.id);
    let mut draft = Draft::with_id(&bracketed(&from), to, &tell.subject, &id);
    draft.field("Auto-Submitted", "auto-generated");
    draft.field("X-Carom-Alert", &tell.rule);
    Letter { from: None, to: to.to_owned(), data: draft.text(&tell.body).into() }
}

fn by_post(tell: &Tell, mail: &Mail, doors: &Doors, attempts: u32, deadline: Deadline) -> Performed {
    let rules = doors.config.alerting.get().map(|alerting| &*alerting.rules).unwrap_or_default();
    let rule = rules.iter().find(|rule| rule.name == tell.rule);
    let Some(webhook) = rule.and_then(|rule| rule.webhook.as_ref()) else {
        let note = format!("!{} not told: the config has no such webhook any more", tell.rule);
        return Performed::new(StepEnd::Failed, "alert_failed", note);
    };
    let now_ms = clock::now_ms();
    let mut headers =
        vec![("content-type", "application/json".to_owned()), ("idempotency-key", tell.id.clone())];
    let url = &webhook.url;
    if let Some(secrets) = &webhook.secrets {
        let signed = secrets.headers(&tell.id, now_ms, tell.body.as_bytes());
        match signed {
            Ok(signed) => headers.extend(signed),
            Err(error) => {
                return Performed::new(
                    StepEnd::Failed,
                    "alert_failed",
                    format!("!{} not told: {error}", tell.rule),
                );
            }
        }
    }
    let answered = doors.http.post(url, &headers, tell.body.as_bytes(), deadline);
    let (next, said) = match &answered {
        Ok(answered) => {
            let next = retry::classify(Some(answered.status), answered.retry_after.as_deref(), now_ms);
            (next, format!("answered {}", answered.status))
        }
        Err(missed) => (retry::classify(None, None, now_ms), missed.text.clone()),
    };
    let note = format!("{} to {url}: {said}", tell.rule);
    match next {
        Next::Done => Performed::new(StepEnd::Succeeded, "alert_sent", note),
        Next::Parked => Performed::new(StepEnd::Failed, "alert_failed", format!("!parked: {note}")),
        Next::Again { wait_ms } => {
            let patience = Patience::with_application(GIVE_UP_DAYS);
            let next = patience.next_try(attempts + 1, mail.at_ms, now_ms, &tell.id, wait_ms);
            match next {
                Some(at_ms) => Performed::new(StepEnd::Later { at_ms }, "alert_deferred", format!("!{note}")),
                None => Performed::new(StepEnd::Failed, "alert_failed", format!("!given up: {note}")),
            }
        }
    }
}
