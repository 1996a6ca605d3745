//! `/agent-status…`: the state of the index, as Postfix-Deliverability-Analytics answers.
//!
//! Not here: what only its own process has (memory, garbage, restarts). Invariant: the keys are
//! those that its scripts read.

use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::PageAsked;
use super::agent_envelope::{enveloped, enveloped_text};
use super::agent_record::AgentRecord;
use super::agent_records::{AgentRecords, MOST, OfGroup, TooMany};
use crate::clock;
use crate::index::{Filter, Index};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::ops::ControlFlow;

pub(super) const ROUTES: &[HttpRoute] = &[
    HttpRoute::new("/agent-status", Need::AllMail, &[], status).for_agents(),
    HttpRoute::new("/agent-status/rcpt-address-counts", Need::SomeMail, &[], address_counts).for_agents(),
    HttpRoute::new("/agent-status/rcpt-addresses", Need::SomeMail, &[], addresses).for_agents(),
    HttpRoute::new("/agent-status/unknown-bounces", Need::SomeMail, &[], unknown_bounces).for_agents(),
    HttpRoute::new("/agent-status/index-age", Need::AllMail, &[], index_age).for_agents(),
    HttpRoute::new("/agent-status/indexed-log-files", Need::AllMail, &[], log_files).for_agents(),
];

/// What its scripts read. Deliveries are counted, of which each has one line of these.
const CLIENT_LINES: &str = "Count of indexed client-id log lines from backup";
const MESSAGE_LINES: &str = "Count of indexed message-id log lines from backup";
const ENTRIES: &str = "Count of indexed log entries (delivery attempts regardless of the status) from backup";

/// Deliveries that are read together.
const PAGE: usize = 1000;

/// A time as it writes one.
fn shown(at_ms: Option<i64>) -> String {
    let at = at_ms.and_then(|at_ms| Timestamp::from_millisecond(at_ms).ok());
    let local = at.map(|at| at.to_zoned(clock::local_zone()));
    local.map_or_else(|| "not yet".into(), |at| at.strftime("%Y %b %d %H:%M:%S.%3f").to_string())
}

fn status(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let index = asked.view.whole()?.index;
    let newest = index.map(|index| index.newest_delivery(clock::now_ms())).transpose()?.flatten();
    let many = index.map(Index::named_counts).transpose()?.unwrap_or_default();
    Ok(enveloped(
        asked.headers,
        json!({
            "Agent started at": shown(Some(asked.desk.started_ms)),
            "Agent restarted at": shown(None),
            "Last line received at": shown(newest),
            CLIENT_LINES: many.with_client,
            MESSAGE_LINES: many.with_message_id,
            ENTRIES: many.deliveries,
            "Client statistics": {},
        }),
    ))
}

fn address_counts(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let counts = asked.view.address_counts()?.into_iter();
    let counts = counts.map(|(client, count)| (client, Value::from(count)));
    Ok(enveloped(asked.headers, Value::Object(counts.collect())))
}

fn addresses(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (mut found, mut is_whole) = (AgentRecords::new(OfGroup::Each), true);
    asked.view.each_address(|client, address| {
        is_whole = found.add([client.to_owned(), String::new()], &address).is_ok();
        if is_whole { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    match is_whole {
        true => Ok(enveloped_text(asked.headers, |to| found.write(to, 1))),
        false => Err(too_many("addresses")),
    }
}

fn unknown_bounces(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let (mut found, mut after) = (AgentRecords::new(OfGroup::Each), None);
    let statuses = ["bounced", "deferred"].map(str::to_owned).to_vec();
    let filter = Filter { statuses, ..Filter::default() };
    loop {
        let page = asked.view.deliveries(PageAsked {
            filter: filter.clone(),
            is_wanted: &|delivery| delivery.client_id.is_some(),
            after,
            oldest_first: false,
            limit: PAGE,
        })?;
        for delivery in &page.deliveries {
            let Some((client, record)) = delivery.client_id.clone().zip(AgentRecord::of(delivery)) else {
                continue;
            };
            if record.is_unknown() {
                let added = found.add([client, String::new()], &record);
                added.map_err(|TooMany| too_many("bounces"))?;
            }
        }
        after = page.next;
        if after.is_none() {
            return Ok(enveloped_text(asked.headers, |to| found.write(to, 1)));
        }
    }
}

fn too_many(what: &str) -> Problem {
    let detail = format!("the {what} are more than {} MiB", MOST >> 20);
    let fix = "ask /agent-read/CLIENT with from and to for each client";
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail, fix)
}

fn index_age(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let page = asked.view.deliveries(PageAsked {
        filter: Filter::default(),
        is_wanted: &|_| true,
        after: None,
        oldest_first: true,
        limit: 1,
    })?;
    let oldest = page.deliveries.first().map(|one| one.last_seen);
    Ok(enveloped(asked.headers, json!(oldest)))
}

fn log_files(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let index = asked.view.whole()?.index;
    let logs = index.map(|index| index.last_read()).transpose()?.unwrap_or_default();
    let name = |log: &str| log.rsplit('/').next().unwrap_or_default().to_owned();
    let names: Vec<String> = logs.iter().map(|(log, _)| name(log)).collect();
    Ok(enveloped(asked.headers, json!(names)))
}
