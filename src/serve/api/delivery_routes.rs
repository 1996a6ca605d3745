//! `/api/v1/deliveries`: what the mail logs say became of each message.
//!
//! Not here: the filter's SQL (`index`). Invariant: a page costs a bounded number of rows.

use super::super::http_answer::HttpAnswer;
use super::super::http_query::HttpQuery;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::PageAsked;
use super::delivery_sheet;
use crate::class::About;
use crate::index::{DeliveryMatch, DeliveryPage, Filter, PlaceInTime, StoredDelivery, provider_of};
use crate::maillog::LoggedStatus;
use serde::Serialize;
use std::collections::BTreeMap;

pub(super) const ROUTES: &[HttpRoute] =
    &[HttpRoute::new("/api/v1/deliveries", Need::SomeMail, PARAMETERS, deliveries)];

pub(in crate::serve) const PARAMETERS: &[&str] = &[
    "recipient",
    "client",
    "sender",
    "queue_id",
    "message_id",
    "status",
    "failed",
    "reason",
    "provider",
    "domain",
    "sender_domain",
    "relay",
    "source",
    "tls",
    "about",
    "own",
    "shape",
    "unclassified",
    "since",
    "until",
    "latest",
    "first",
    "group",
    "format",
    "order",
    "limit",
    "cursor",
];
/// Deliveries of a page.
const USUAL: usize = 100;
const MOST: usize = 1000;
/// How often rows are looked at for one page of people.
const LOOKS: usize = 5;
/// By what deliveries of a page are grouped.
const GROUPS: [&str; 8] =
    ["recipient", "sender", "client", "queue_id", "message_id", "status", "reason", "provider"];

fn deliveries(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let query = asked.query;
    let (first, latest) = (query.flag("first")?, query.flag("latest")?);
    if first && latest {
        return Err(Problem::bad_value("first", "contradicts latest", "use one of the two"));
    }
    let order = query.word("order", &["newest", "oldest"])?;
    for (is_asked, name, other) in [(first, "first", "newest"), (latest, "latest", "oldest")] {
        if is_asked && order == Some(other) {
            let what = format!("contradicts {name}");
            return Err(Problem::bad_value("order", what, "use one of the two"));
        }
    }
    let filter = Filter { latest: first || latest, ..filter(query)? };
    let wanted = wanted(query)?;
    let page = asked.view.deliveries(PageAsked {
        filter,
        is_wanted: &|delivery| wanted.fits(delivery),
        after: query.text("cursor").map(place).transpose()?,
        oldest_first: first || order == Some("oldest"),
        limit: query.number("limit", (1, MOST))?.unwrap_or(USUAL),
    })?;
    let is_single = first || latest;
    let truncated = is_single.then_some(page.next.is_some());
    let next = page.next.map(cursor).filter(|_| !is_single);
    let group = query.word("group", &GROUPS)?;
    if query.word("format", &["json", "csv"])? == Some("csv") {
        if group.is_some() {
            return Err(Problem::bad_value("group", "contradicts format=csv", "use one of the two"));
        }
        return Ok(as_sheet(asked, &page.deliveries, next));
    }
    Ok(HttpAnswer::json(&match group {
        None => DeliveryList { deliveries: Some(page.deliveries), groups: None, next, truncated },
        Some(group) => {
            let groups = Some(grouped(page.deliveries, group));
            DeliveryList { deliveries: None, groups, next, truncated }
        }
    }))
}

/// The page as CSV; a link leads to the next one (RFC 8288).
fn as_sheet(asked: &HttpAsked<'_>, deliveries: &[StoredDelivery], next: Option<String>) -> HttpAnswer {
    let answer = HttpAnswer::of("text/csv; charset=utf-8", delivery_sheet::sheet(deliveries))
        .with("content-disposition", "attachment; filename=\"deliveries.csv\"");
    let Some(next) = next else { return answer };
    let mut query = asked.query.clone();
    query.set("cursor", next);
    answer.with("link", format_args!("</api/v1/deliveries?{}>; rel=\"next\"", query.written()))
}

#[derive(Serialize)]
struct DeliveryList {
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<StoredDelivery>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<BTreeMap<String, Vec<StoredDelivery>>>,
    next: Option<String>,
    /// With one delivery of each recipient, which cannot go on: not all of them are here.
    #[serde(skip_serializing_if = "Option::is_none")]
    truncated: Option<bool>,
}

/// What the index can answer.
pub(in crate::serve) fn filter(query: &HttpQuery) -> Result<Filter, Problem> {
    let status = |word: &str| {
        let word = word.trim().to_ascii_lowercase();
        let known: Option<LoggedStatus> = serde_json::from_value(word.into()).ok();
        known.map(|status| status.name().to_owned()).ok_or_else(|| {
            let fix = "use sent, bounced, deferred, expired, deleted, discarded, held or rejected";
            Problem::bad_value("status", "is not a status", fix)
        })
    };
    let about = |word: &str| {
        let fix = format!("use {}", About::ALL.map(About::name).join(", "));
        About::named(word).ok_or_else(|| Problem::bad_value("about", "is not known", fix))
    };
    let own = query.word("own", &["true", "false"])?.map(|word| word == "true");
    let (since_ms, until_ms) = (query.time("since")?, query.time("until")?);
    if since_ms.zip(until_ms).is_some_and(|(since, until)| since >= until) {
        return Err(Problem::bad_value("until", "is not after since", "give the beginning as since"));
    }
    Ok(Filter {
        failed: query.flag("failed")?,
        statuses: query
            .text("status")
            .into_iter()
            .flat_map(|all| all.split(','))
            .map(status)
            .collect::<Result<_, _>>()?,
        recipient: query.owned("recipient"),
        client: query.owned("client"),
        source: query.owned("source"),
        tls: query.owned("tls"),
        own,
        about: query.text("about").map(about).transpose()?,
        reason: query.owned("reason"),
        queue_id: query.owned("queue_id"),
        message_id: query.owned("message_id"),
        since_ms,
        until_ms,
        ..Filter::default()
    })
}

/// What it cannot: looked at one by one.
fn wanted(query: &HttpQuery) -> Result<DeliveryMatch, Problem> {
    Ok(DeliveryMatch {
        sender: query.given("sender").map(str::to_owned),
        reason: query.owned("reason"),
        provider: query.owned("provider"),
        domain: query.owned("domain"),
        sender_domain: query.owned("sender_domain"),
        relay: query.owned("relay"),
        shape: query.owned("shape"),
        unclassified: query.flag("unclassified")?,
    })
}

/// The page that a request is about, filled as far as a bounded number of rows allows.
pub(in crate::serve) fn found(asked: &HttpAsked<'_>, limit: usize) -> Result<DeliveryPage, Problem> {
    let (query, wanted) = (asked.query, wanted(asked.query)?);
    let mut after = query.text("cursor").map(place).transpose()?;
    let mut all = DeliveryPage::default();
    for _ in 0..LOOKS {
        let page = asked.view.deliveries(PageAsked {
            filter: filter(query)?,
            is_wanted: &|delivery| wanted.fits(delivery),
            after,
            oldest_first: false,
            limit: limit - all.deliveries.len(),
        })?;
        all.deliveries.extend(page.deliveries);
        (all.next, after) = (page.next, page.next);
        if page.next.is_none() || all.deliveries.len() >= limit {
            break;
        }
    }
    Ok(all)
}

/// The deliveries of a page, by what they have in common.
fn grouped(deliveries: Vec<StoredDelivery>, group: &str) -> BTreeMap<String, Vec<StoredDelivery>> {
    let mut groups: BTreeMap<String, Vec<StoredDelivery>> = BTreeMap::new();
    for delivery in deliveries {
        let name = match group {
            "recipient" => delivery.recipient.as_ref().map(|recipient| recipient.to_ascii_lowercase()),
            "sender" => delivery.sender.clone(),
            "client" => delivery.client_id.clone(),
            "queue_id" => delivery.queue_id.clone(),
            "message_id" => delivery.message_id.clone(),
            "status" => Some(delivery.status.clone()),
            "reason" => delivery.reason.clone(),
            _ => Some(provider_of(&delivery)),
        };
        groups.entry(name.unwrap_or_default()).or_default().push(delivery);
    }
    groups
}

/// A place as a client keeps it.
pub(in crate::serve) fn cursor(place: PlaceInTime) -> String {
    format!("{:x}-{:x}", place.last_seen, place.row)
}

fn place(cursor: &str) -> Result<PlaceInTime, Problem> {
    let number = |text: &str| i64::from_str_radix(text, 16).ok();
    let place = cursor
        .split_once('-')
        .and_then(|(last_seen, row)| Some(PlaceInTime { last_seen: number(last_seen)?, row: number(row)? }));
    place.ok_or_else(|| Problem::bad_value("cursor", "is not one of ours", "use the `next` of an answer"))
}
