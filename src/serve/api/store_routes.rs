//! What the store keeps: counters, pending steps, the suppression list, alerts.
//!
//! Not here: changing it (`action_routes`).

use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use crate::alert::Desk;
use crate::clock;
use crate::digest;
use crate::mailbox_syntax::normal_domain;
use crate::stats::sink_counters;
use crate::store::{PendingStep, Store, Suppressed, WAITING_STATES};
use crate::suppress;
use serde_json::{Value, json};

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/api/v1/counters", Need::AllMail, &[], counters),
    HttpRoute::new("/api/v1/counters/minutes", Need::AllMail, &[], minutes),
    HttpRoute::new("/api/v1/outbox", Need::AllMail, &["state", "action", "limit", "cursor"], outbox),
    HttpRoute::new("/api/v1/alerts", Need::AllMail, &[], alerts),
    HttpRoute::new("/api/v1/suppressions", Need::SomeMail, &["containing", "limit", "cursor"], suppressions),
    HttpRoute::new("/api/v1/suppressions/{address}", Need::SomeMail, &["sender_domain"], entries),
];

/// Rows of a page.
const USUAL: usize = 100;
const MOST: usize = 1000;

/// What a store says, of the newest messages too; without a store yet, `nothing`.
pub(in crate::serve) fn of_store(
    asked: &HttpAsked<'_>,
    nothing: Value,
    says: impl FnOnce(&Store) -> crate::error::Result<Value>,
) -> Result<HttpAnswer, Problem> {
    asked.desk.fold();
    let answer = asked.view.whole()?.store.map_or(Ok(nothing), says)?;
    Ok(HttpAnswer::json(&answer))
}

pub(in crate::serve) fn counters(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    of_store(asked, sink_counters::before_the_first(), sink_counters::json)
}

pub(in crate::serve) fn minutes(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    of_store(asked, json!([]), sink_counters::series_json)
}

fn outbox(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let query = asked.query;
    let state = query.word("state", &WAITING_STATES)?;
    let limit = query.number("limit", (1, MOST))?.unwrap_or(USUAL);
    let action = query.text("action");
    let after = query.text("cursor").map(step_place).transpose()?;
    of_store(asked, json!({ "steps": [], "next": null }), |store| {
        let (mut page, mut has_more) = (Vec::new(), false);
        store.visit_shown_steps(&mut |step| {
            // A step may have ended since the page before: its place is what counts.
            if step.is_of(state, action) && after.as_ref().is_none_or(|after| StepPlace::of(&step) > *after) {
                has_more = page.len() == limit;
                if !has_more {
                    page.push(step);
                }
            }
            Ok(!has_more)
        })?;
        let next = page.last().filter(|_| has_more).map(|step| StepPlace::of(step).written());
        Ok(json!({ "steps": page, "next": next }))
    })
}

/// A step's place in the list: what is pending first, then by its time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct StepPlace {
    is_parked: bool,
    due_ms: i64,
    key: String,
    step: usize,
}

impl StepPlace {
    fn of(step: &PendingStep) -> StepPlace {
        let is_parked = step.is_parked();
        StepPlace { is_parked, due_ms: step.due_ms, key: step.key.clone(), step: step.step }
    }

    /// As a client keeps it.
    fn written(&self) -> String {
        let StepPlace { is_parked, due_ms, key, step } = self;
        digest::hex(format!("{is_parked}\n{due_ms}\n{step}\n{key}").as_bytes())
    }
}

fn step_place(cursor: &str) -> Result<StepPlace, Problem> {
    let text = digest::from_hex(cursor).and_then(|octets| String::from_utf8(octets).ok());
    let place = text.as_deref().and_then(|text| {
        let mut parts = text.splitn(4, '\n');
        let mut part = || parts.next();
        Some(StepPlace {
            is_parked: part()?.parse().ok()?,
            due_ms: part()?.parse().ok()?,
            step: part()?.parse().ok()?,
            key: part()?.to_owned(),
        })
    });
    place.ok_or_else(no_cursor)
}

fn no_cursor() -> Problem {
    Problem::bad_value("cursor", "is not one of ours", "use the `next` of an answer")
}

fn alerts(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let config = &asked.desk.config;
    of_store(asked, json!({ "alerts": [] }), |store| {
        let beat = store.heartbeat()?.unwrap_or_default();
        let now_ms = clock::now_ms();
        let desk = Desk { config, store, now_ms, failed: &beat.failed, logs_complete: true };
        Ok(json!({ "alerts": desk.states()? }))
    })
}

fn suppressions(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let query = asked.query;
    let limit = query.number("limit", (1, MOST))?.unwrap_or(USUAL);
    let containing = query.text("containing").unwrap_or_default().to_lowercase();
    let after = query.text("cursor").map(entry_at).transpose()?;
    let (entries, next) = asked.view.suppressions(&containing, after, clock::now_ms(), limit)?;
    let next = next.as_ref().map(place_of);
    Ok(HttpAnswer::json(&json!({ "suppressions": entries, "next": next })))
}

fn entries(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let address = suppress::target(asked.part(0), true, true)
        .map_err(|why| Problem::bad_value("address", why, "give an address, or an entry of the list"))?;
    let sender_domain = asked.query.text("sender_domain").map(normal_domain);
    let (entries, is_suppressed) =
        asked.view.entries_of(&address, sender_domain.as_deref(), clock::now_ms())?;
    let answer = json!({ "address": address, "suppressed": is_suppressed, "suppressions": entries });
    Ok(HttpAnswer::json(&answer))
}

/// An entry's place in the list, as a client keeps it.
pub(in crate::serve) fn place_of(entry: &Suppressed) -> String {
    digest::hex(format!("{}\n{}", entry.address, entry.sender_domain).as_bytes())
}

pub(in crate::serve) fn entry_at(cursor: &str) -> Result<Suppressed, Problem> {
    let text = digest::from_hex(cursor).and_then(|octets| String::from_utf8(octets).ok());
    let entry = text.as_deref().and_then(|text| text.split_once('\n')).map(|(address, domain)| Suppressed {
        address: address.to_owned(),
        sender_domain: domain.to_owned(),
        ..Suppressed::default()
    });
    entry.ok_or_else(no_cursor)
}
