//! Rules of classification: drafts for replies that no rule knows, what a rule would change, and
//! installing it.
//!
//! Not here: drafts and trials (`suggest`). Invariant: no rule is installed that was not tried on
//! the failures of the last days in the same request.

use super::super::audited_action::{AuditedAction, carry_out};
use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::json_body::JsonBody;
use super::super::problem::Problem;
use crate::config::is_rule_named;
use crate::deadline::stopping;
use crate::ingest::Watch;
use crate::suggest::{self, DraftChanges, Suggestion, WrittenRule};
use axum::http::StatusCode;
use serde_json::json;
use std::sync::Arc;

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/api/v1/rules", Need::AllMail, &[], installed),
    HttpRoute::new("/api/v1/rules/drafts", Need::AllMail, &["days", "limit"], drafts),
    HttpRoute::new("/api/v1/rules/test", Need::Act, &[], test),
    HttpRoute::new("/api/v1/rules", Need::Act, &[], install),
    HttpRoute::new("/api/v1/rules/remove", Need::Act, &[], remove),
];

/// Days of failures that a rule is tried on.
const DAYS: u32 = 30;

fn watched<T>(work: impl FnOnce(&Watch<'_>) -> crate::error::Result<T>) -> crate::error::Result<T> {
    work(&Watch { stop: &stopping::flag(), progress: &|_, _| {} })
}

fn installed(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let config = &asked.desk.config;
    let rules = config.installed_rules()?;
    let next = "carom reclassify";
    Ok(HttpAnswer::json(&json!({ "policy": config.index.policy, "rules": rules, "for_old_failures": next })))
}

fn drafts(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let days = asked.query.number("days", (1, 3650))?.unwrap_or(DAYS);
    let limit = asked.query.number("limit", (1, 100))?.unwrap_or(10);
    let Some(index) = asked.view.whole()?.index else {
        return Ok(HttpAnswer::json(&Suggestion { days, ..Suggestion::default() }));
    };
    let config = &asked.desk.config;
    Ok(HttpAnswer::json(&watched(|watch| suggest::suggest(config, index, (days, limit), watch))?))
}

/// The rule of the body, and what it would change.
fn tried(asked: &HttpAsked<'_>, body: &JsonBody) -> Result<(WrittenRule, DraftChanges), Problem> {
    let rule = WrittenRule {
        name: body.needed("name")?,
        pattern: body.needed("pattern")?,
        codes: body.text("codes")?,
        provider: body.text("provider")?,
        reason: body.needed("reason")?,
        severity: body.text("severity")?,
    };
    let days = body.number("days", (1, 3650))?.map_or(DAYS, |days| days as u32);
    let index = asked.view.whole()?.index;
    let config = Arc::new(asked.desk.config.with_rules_now());
    let changes = watched(|watch| rule.try_out(&config, index, days, watch));
    let changes = changes.map_err(|error| {
        let fix = error.remedy_text().unwrap_or("correct the rule");
        Problem::bad_value("rule", error.text(), fix)
    })?;
    Ok((rule, changes))
}

const MEMBERS: [&str; 8] = ["name", "pattern", "codes", "provider", "reason", "severity", "days", "force"];

fn test(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (rule, changes) = tried(asked, &JsonBody::read(asked, &MEMBERS)?)?;
    Ok(HttpAnswer::json(&json!({ "rule": rule, "changes": changes })))
}

fn install(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let body = JsonBody::read(asked, &MEMBERS)?;
    let (rule, changes) = tried(asked, &body)?;
    if (changes.known > 0 || changes.hard > 0) && !body.flag("force")? {
        let detail = format!(
            "the rule would decide {} failures that another rule knows, and make {} hard",
            changes.known, changes.hard
        );
        let fix = "make the pattern narrower, or send \"force\": true";
        return Err(Problem::new(StatusCode::CONFLICT, "takes-over", detail, fix));
    }
    let mut held = asked.desk.config.hold_rules()?;
    if held.has(&rule.name) {
        let fix = "choose another name";
        return Err(Problem::bad_value("name", "was installed a moment ago", fix));
    }
    let before = json!({ "rules": held.rules.len() });
    carry_out(asked, AuditedAction { name: "install-rule", what: &rule.name, before }, |_| {
        held.rules.push(rule.table());
        held.install()?;
        Ok(json!({ "rule": rule, "changes": changes, "for_old_failures": "carom reclassify" }))
    })
}

fn remove(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let name = JsonBody::read(asked, &["name"])?.needed("name")?;
    let mut held = asked.desk.config.hold_rules()?;
    let Some(before) = held.rules.iter().find(|rule| is_rule_named(rule, &name)).map(|rule| json!(rule))
    else {
        let fix = "see /api/v1/rules; rules of the config are removed there";
        let detail = format!("no rule {name} is installed");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not-found", detail, fix));
    };
    carry_out(asked, AuditedAction { name: "remove-rule", what: &name, before }, |_| {
        held.rules.retain(|rule| !is_rule_named(rule, &name));
        held.install()?;
        Ok(json!({ "name": name, "removed": true, "for_old_failures": "carom reclassify" }))
    })
}
