//! `/agent-status…`: the state of the index, as Postfix-Deliverability-Analytics answers.
//!
//! Not here: what only its own process has (memory, garbage, restarts). Invariant: the keys are
//! those that its scripts read.

use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::{NewestAsked, PageAsked};
use super::agent_envelope::enveloped;
use super::agent_record::AgentRecord;
use crate::clock;
use crate::index::{Filter, Index, StoredDelivery};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

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

/// Pages of deliveries that are looked at, the newest first.
const PAGES: usize = 20;
/// Deliveries of a page.
const PAGE: usize = 5000;

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

/// Gives `each` the newest deliveries of clients that the caller sees.
fn each_delivery(
    asked: &HttpAsked<'_>,
    filter: &Filter,
    mut each: impl FnMut(&str, AgentRecord),
) -> Result<(), Problem> {
    let is_wanted = &|delivery: &StoredDelivery| delivery.client_id.is_some();
    asked.view.newest(&NewestAsked { filter, is_wanted, page: PAGE, pages: PAGES }, |delivery| {
        if let Some((client, record)) = delivery.client_id.as_deref().zip(AgentRecord::of(delivery)) {
            each(client, record);
        }
    })?;
    Ok(())
}

fn by_client(asked: &HttpAsked<'_>) -> Result<BTreeMap<String, BTreeSet<String>>, Problem> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    each_delivery(asked, &Filter::default(), |client, record| {
        found.entry(client.to_owned()).or_default().insert(record.rcpt_email);
    })?;
    Ok(found)
}

fn address_counts(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let counts = by_client(asked)?.into_iter().map(|(client, all)| (client, Value::from(all.len())));
    Ok(enveloped(asked.headers, Value::Object(counts.collect())))
}

fn addresses(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    Ok(enveloped(asked.headers, json!(by_client(asked)?)))
}

fn unknown_bounces(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let mut found: BTreeMap<String, Vec<AgentRecord>> = BTreeMap::new();
    let statuses = ["bounced", "deferred"].map(str::to_owned).to_vec();
    each_delivery(asked, &Filter { statuses, ..Filter::default() }, |client, record| {
        if record.is_unknown() {
            found.entry(client.to_owned()).or_default().push(record);
        }
    })?;
    Ok(enveloped(asked.headers, json!(found)))
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
