//! What support staff press: suppress, release, undo, retry, drop, silence; and the record of it.
//!
//! Not here: who may (`gate`). Invariant: each action goes through `carry_out`.

use super::super::audited_action::{AuditedAction, carry_out};
use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::json_body::JsonBody;
use super::super::problem::Problem;
use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::journal::meant_steps::{self, StepName};
use crate::mailbox_syntax::normal_domain;
use crate::message_log::MessageLog;
use crate::release::{self, Undo, UndoFilter};
use crate::store::{AuditFilter, PendingStep, Suppressed};
use crate::suppress;
use axum::http::StatusCode;
use serde_json::{Value, json};

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/api/v1/audit", Need::AllMail, &["who", "action", "since", "limit", "cursor"], audit),
    HttpRoute::new("/api/v1/suppressions", Need::Act, &[], suppress_one),
    HttpRoute::new("/api/v1/suppressions/release", Need::Act, &[], release_one),
    HttpRoute::new("/api/v1/suppressions/undo", Need::Act, &[], undo),
    HttpRoute::new("/api/v1/outbox/retry", Need::Act, &[], retry),
    HttpRoute::new("/api/v1/outbox/drop", Need::Act, &[], give_up),
    HttpRoute::new("/api/v1/alerts/silence", Need::Act, &[], silence),
];

/// The longest that an alert may be silent.
const LONGEST_MS: i64 = 90 * DAY_MS;
/// Where an entry comes from that was added here.
const OPERATOR: &str = "operator";

fn audit(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let query = asked.query;
    let most: usize = query.number("limit", (1, 1000))?.unwrap_or(100);
    let filter = AuditFilter {
        before_id: query.number("cursor", (1, i64::MAX))?,
        since_ms: query.time("since")?,
        who: query.owned("who"),
        action: query.owned("action"),
        most: most + 1,
    };
    let store = asked.view.whole()?.store;
    let mut actions = store.map(|store| store.actions(&filter)).transpose()?.unwrap_or_default();
    let is_more = actions.len() > most;
    actions.truncate(most);
    let next = actions.last().filter(|_| is_more).map(|last| last.id.to_string());
    Ok(HttpAnswer::json(&json!({ "actions": actions, "next": next })))
}

/// What suppresses mail to an address, as the record has it.
fn entries(asked: &HttpAsked<'_>, address: &str, sender_domain: Option<&str>) -> Result<Value, Problem> {
    Ok(json!(asked.desk.store().entries_of(address, sender_domain, clock::now_ms())?))
}

fn suppress_one(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let members = ["address", "sender_domain", "reason", "days", "until", "force"];
    let (body, now_ms) = (JsonBody::read(asked, &members)?, clock::now_ms());
    let until = body.time("until")?;
    if until.is_some_and(|until| until <= now_ms) {
        return Err(Problem::bad_value("until", "is in the past", "give a time to come, or days"));
    }
    let days = body.number("days", (1, 36_500))?.map(|days| now_ms + days as i64 * DAY_MS);
    if until.is_some() && days.is_some() {
        return Err(Problem::bad_value("until", "contradicts days", "use one of the two"));
    }
    let expires_ms = until.or(days);
    let written = body.needed("address")?;
    let address = suppress::target(&written, expires_ms.is_some(), body.flag("force")?).map_err(|why| {
        Problem::bad_value("address", as_members(&why), "give an address, or a domain with days")
    })?;
    let reason = body.text("reason")?.unwrap_or_else(|| OPERATOR.into());
    let reason = suppress::reason(&reason)
        .map_err(|why| Problem::bad_value("reason", why, "send at most 1000 octets"))?;
    let entry = Suppressed {
        address: address.clone(),
        sender_domain: suppress::sender_domain(&body.text("sender_domain")?.unwrap_or_default())
            .map_err(|why| Problem::bad_value("sender_domain", why, "give a domain, or leave it out"))?,
        reason,
        source: OPERATOR.into(),
        added_ms: now_ms,
        expires_ms,
        ..Suppressed::default()
    };
    let before = entries(asked, &address, None)?;
    carry_out(asked, AuditedAction { name: "suppress", what: &address, before }, |store| {
        let new = store.suppress_all(std::slice::from_ref(&entry), None)?;
        Ok(json!({ "entry": entry, "new": new == 1 }))
    })
}

/// What the command says about its options, about the members of a body.
fn as_members(why: &str) -> String {
    why.replace("add --force", "send \"force\": true").replace("add --days or --until", "send days or until")
}

fn release_one(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let body = JsonBody::read(asked, &["address", "sender_domain"])?;
    let written = body.needed("address")?;
    let address = suppress::target(&written, true, true)
        .map_err(|why| Problem::bad_value("address", why, "give an entry of the list"))?;
    // An empty one names the entry for any sender; without the member, all entries are meant.
    let domain = body.written("sender_domain")?.map(|domain| normal_domain(&domain));
    let before = entries(asked, &address, domain.as_deref())?;
    carry_out(asked, AuditedAction { name: "release", what: &address, before }, |store| {
        let released = store.unsuppress(&address, domain.as_deref(), clock::now_ms(), None)?;
        let left = store.entries_of(&address, domain.as_deref(), clock::now_ms())?;
        Ok(json!({ "address": address, "released": released, "still_suppressed_by": left }))
    })
}

/// Whether entries of the list come from there.
pub(in crate::serve) fn known_source(source: Option<&str>) -> Result<(), Problem> {
    let sources = ["report", "log", "operator", "import"];
    match source.is_none_or(|source| sources.contains(&source)) {
        true => Ok(()),
        false => Err(Problem::bad_value("source", "is not known", format!("use {}", sources.join(", ")))),
    }
}

fn undo(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let members = ["since", "until", "rule", "reason", "source", "provider", "sender_domain", "dry_run"];
    let (body, now_ms) = (JsonBody::read(asked, &members)?, clock::now_ms());
    let Some(since_ms) = body.time("since")? else {
        return Err(Problem::bad_value("since", "is missing", "give the beginning of the period"));
    };
    let source = body.text("source")?;
    known_source(source.as_deref())?;
    let filter = UndoFilter {
        since_ms,
        until_ms: body.time("until")?.unwrap_or(release::open_end(now_ms)),
        rule: body.text("rule")?,
        reason: body.text("reason")?,
        source,
        provider: body.text("provider")?,
        sender_domain: body.text("sender_domain")?,
    };
    if filter.since_ms >= filter.until_ms {
        let fix = "give the beginning of the period as since";
        return Err(Problem::bad_value("until", "is not after since", fix));
    }
    let (config, dry_run) = (&asked.desk.config, body.flag("dry_run")?);
    let found = Undo::find(asked.desk.store(), &filter, config, now_ms)?;
    let shown = release::as_json(&found, &filter, dry_run);
    if dry_run {
        return Ok(HttpAnswer::json(&shown));
    }
    let what = filter.words();
    let before = shown["entries"].clone();
    carry_out(asked, AuditedAction { name: "undo", what: &what, before }, |store| {
        let keys = found.carry_out(store, now_ms)?;
        release::notify(&keys, config, store)?;
        Ok(shown)
    })
}

/// The steps that the body names, as they are now.
fn meant(asked: &HttpAsked<'_>) -> Result<(String, Vec<StepName>, Vec<PendingStep>), Problem> {
    let id = JsonBody::read(asked, &["id"])?.needed("id")?;
    let names = meant_steps::of_id(&id, asked.desk.store()).map_err(|error| {
        Problem::new(StatusCode::NOT_FOUND, "not-found", error.text(), "see /api/v1/outbox")
    })?;
    let steps = asked.desk.store().steps_at(&names)?;
    Ok((id, names, steps))
}

fn retry(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (id, names, steps) = meant(asked)?;
    let before = json!(steps);
    carry_out(asked, AuditedAction { name: "retry", what: &id, before }, |store| {
        let done = store.retry(&names, clock::now_ms())?;
        Ok(json!({ "done": done, "under_way": names.len() - done }))
    })
}

fn give_up(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (id, names, steps) = meant(asked)?;
    let before = json!(steps);
    carry_out(asked, AuditedAction { name: "drop", what: &id, before }, |store| {
        let given_up = store.give_up(&names, clock::now_ms())?;
        let done = given_up.len();
        MessageLog::open(&asked.desk.config).append_given_up(&meant_steps::dropped(&given_up, steps));
        Ok(json!({ "done": done, "under_way": names.len() - done }))
    })
}

fn silence(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (body, now_ms) = (JsonBody::read(asked, &["alert", "until", "hours"])?, clock::now_ms());
    let alert = body.needed("alert")?;
    let rules = &asked.desk.config.alerting.get()?.rules;
    if !rules.iter().any(|rule| rule.name == alert) {
        let detail = format!("there is no alert {alert}");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", detail, "see /api/v1/alerts"));
    }
    let hours = body.number("hours", (0, 24 * 90))?.map(|hours| now_ms + hours as i64 * HOUR_MS);
    let until = body.time("until")?;
    if until.is_some_and(|until| until <= now_ms) {
        let fix = "give a time to come; 0 hours ends it";
        return Err(Problem::bad_value("until", "is in the past", fix));
    }
    if until.is_some() && hours.is_some() {
        return Err(Problem::bad_value("until", "contradicts hours", "use one of the two"));
    }
    let Some(until_ms) = until.or(hours).filter(|until| *until <= now_ms + LONGEST_MS) else {
        let fix = "give hours or until, at most 90 days; 0 hours ends it";
        return Err(Problem::bad_value("hours", "says no such time", fix));
    };
    let of = |until: Option<i64>| json!({ "alert": alert, "silent_until": until.map(clock::rfc3339) });
    let before = of(asked.desk.store().silent_until(&alert)?);
    carry_out(asked, AuditedAction { name: "silence", what: &alert, before }, |store| {
        store.silence(&alert, until_ms)?;
        Ok(of(Some(until_ms)))
    })
}
