//! Whether carom works: for machines that watch it, and in detail for people.

use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use crate::clock;
use crate::error::Result;
use crate::index::Index;
use crate::maillog::Lines;
use crate::policy::listed_policy;
use serde_json::{Value, json};

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/healthz", Need::Nothing, &[], alive),
    HttpRoute::new("/api/v1/health", Need::AllMail, &[], health),
    HttpRoute::new("/api/v1/policies", Need::AllMail, &[], policies),
];

/// The files can be opened: that is all that a stranger learns.
fn alive(_asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    Ok(HttpAnswer::json(&json!({ "status": "ok" })))
}

fn health(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    asked.desk.fold();
    let whole = asked.view.whole()?;
    let index = whole.index.map(of_index).transpose()?;
    let beat = whole.store.map(|store| store.heartbeat()).transpose()?.flatten();
    let now_ms = clock::now_ms();
    Ok(HttpAnswer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "host": asked.desk.config.hostname(),
        "started": clock::rfc3339(asked.desk.started_ms),
        "now": clock::rfc3339(now_ms),
        "read_only": asked.desk.read_only,
        "index": index,
        "tick": beat.map(|beat| json!({
            "at": clock::rfc3339(beat.at_ms),
            "age_seconds": (now_ms - beat.at_ms).max(0) / 1000,
            "duration_ms": beat.duration_ms,
            "failed": beat.failed,
        })),
    })))
}

fn of_index(index: &Index) -> Result<Value> {
    let now_ms = clock::now_ms();
    let newest = index.newest_delivery(now_ms)?;
    let quality = index.quality()?;
    let Lines { events, ignored, foreign, unknown, .. } = index.all_lines()?;
    let read = index.last_read()?;
    let logs =
        read.into_iter().map(|(log, read_ms)| json!({ "log": log, "read": read_ms.map(clock::rfc3339) }));
    Ok(json!({
        "newest": newest.map(clock::rfc3339),
        "age_seconds": newest.map(|newest| (now_ms - newest).max(0) / 1000),
        "logs": logs.collect::<Vec<_>>(),
        "unreadable": index.unreadable_logs()?,
        "lines": { "parsed": events, "ignored": ignored + foreign, "unknown": unknown },
        "newest_deliveries": quality,
        "correlation_rate": quality.correlation_rate(),
    }))
}

fn policies(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let config = &asked.desk.config;
    let limits = &config.limits;
    Ok(HttpAnswer::json(&json!({ "policies": listed_policy::list(config), "limits": limits })))
}
