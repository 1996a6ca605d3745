//! `/api/v1/messages/{id}`: one message's life; what is known about an address; kept reports.
//!
//! Not here: finding it (`found_message`, `find`).

use super::super::found_message::{FoundMessage, OtherMessage};
use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::RawLine;
use crate::archive::{self, Kept};
use crate::clock;
use crate::digest;
use crate::find::Known;
use crate::index::StoredDelivery;
use serde::Serialize;
use serde_json::json;

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/api/v1/messages/{id}", Need::SomeMail, &["delivery"], message),
    HttpRoute::new("/api/v1/find/{key}", Need::AllMail, &[], find),
    HttpRoute::new("/api/v1/reports/{about}", Need::AllMail, &[], reports),
    HttpRoute::new("/api/v1/reports/{about}/{id}", Need::AllMail, &[], report),
];

/// Digits of the id of a report.
const DIGITS: usize = 16;

#[derive(Serialize)]
struct MessageLife {
    id: String,
    /// The lines of the mail log, the oldest first.
    lines: Vec<RawLine>,
    /// Why there are none.
    no_lines: Option<String>,
    deliveries: Vec<StoredDelivery>,
    timeline: Vec<Moment>,
    /// Other messages with the same queue id.
    others: Vec<OtherMessage>,
    /// What carom did about it and its recipients; null for a customer.
    known: Option<Known>,
}

/// Something that happened to the message.
#[derive(Serialize)]
struct Moment {
    time: String,
    /// `seen`, `delivery`, `report`, `step`, `notification`, `suppressed`.
    what: &'static str,
    recipient: Option<String>,
    text: String,
}

fn message(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let found = FoundMessage::find(asked, asked.part(0))?;
    let FoundMessage { id, lines, no_lines, deliveries, others, known } = found;
    let timeline = timeline(&deliveries, known.as_ref());
    Ok(HttpAnswer::json(&MessageLife { id, lines, no_lines, deliveries, timeline, others, known }))
}

fn timeline(deliveries: &[StoredDelivery], known: Option<&Known>) -> Vec<Moment> {
    let mut moments: Vec<(i64, Moment)> = Vec::new();
    let mut add = |at_ms: i64, what, recipient: Option<String>, text: String| {
        moments.push((at_ms, Moment { time: clock::rfc3339(at_ms), what, recipient, text }));
    };
    if let Some(first) = deliveries.iter().min_by_key(|one| one.first_seen) {
        let from = first
            .sender
            .as_deref()
            .map_or("an unknown sender", |one| if one.is_empty() { "<>" } else { one });
        add(first.first_seen, "seen", None, format!("first seen, from {from}"));
    }
    for one in deliveries {
        let reply = one.reply.as_deref().map(|reply| format!(": {reply}")).unwrap_or_default();
        let reason = one.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let text = format!("{} after {} attempts{reason}{reply}", one.status, one.attempts);
        add(one.last_seen, "delivery", one.recipient.clone(), text);
    }
    if let Some(known) = known {
        for row in &known.log {
            let event = row.event.as_ref();
            let recipient = event.map(|event| event.recipient.clone());
            add(row.at_ms, "report", recipient.clone(), row.text());
            for step in &row.steps {
                let at_ms = step.at.as_deref().and_then(clock::parse).unwrap_or(row.at_ms);
                add(at_ms, "step", recipient.clone(), step.text());
            }
        }
        for entry in &known.suppressed {
            let text = format!("suppressed: {}", entry.reason);
            add(entry.added_ms, "suppressed", Some(entry.address.clone()), text);
        }
        for one in &known.notifications {
            add(one.at_ms, "notification", None, format!("{} {}", one.event, one.state));
        }
    }
    moments.sort_by_key(|(at_ms, _)| *at_ms);
    moments.into_iter().map(|(_, moment)| moment).collect()
}

fn find(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let key = asked.part(0).trim_start_matches('<').trim_end_matches('>');
    asked.desk.fold();
    let Some(store) = asked.view.whole()?.store else {
        return Err(Problem::not_found("nothing was stored yet"));
    };
    Ok(HttpAnswer::json(&Known::about(key, store, &asked.desk.config).whole()?))
}

fn reports(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let about = asked.part(0).to_lowercase();
    let row = |kept: &Kept| json!({ "id": id_of(kept), "time": clock::rfc3339(kept.at_ms), "at_ms": kept.at_ms, "reason": kept.reason });
    let kept: Vec<_> = archive::about(&asked.desk.config, &about).iter().map(row).collect();
    Ok(HttpAnswer::json(&json!({ "about": about, "reports": kept })))
}

fn report(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (about, id) = (asked.part(0).to_lowercase(), asked.part(1));
    let kept = archive::about(&asked.desk.config, &about);
    let Some(kept) = kept.iter().find(|kept| id_of(kept) == id) else {
        return Err(Problem::not_found(format!("no report {id} about {about} is kept")));
    };
    let raw = archive::read(kept, &asked.desk.config)?;
    let name = format!("attachment; filename=\"{id}.eml\"");
    Ok(HttpAnswer::of("message/rfc822", raw).with("content-disposition", name))
}

/// What stands for a kept report: its place says where carom keeps its files.
fn id_of(kept: &Kept) -> String {
    digest::sha256_hex(&[kept.file.as_os_str().as_encoded_bytes()], DIGITS)
}
