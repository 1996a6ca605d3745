//! `/api/v1/deliveries`: what the mail logs say became of each message.
//!
//! Not here: which deliveries (`delivery_filters`). Invariant: a page costs a bounded number of
//! rows.

use super::super::delivery_filters::{FILTERS, cursor, filter, place, wanted};
use super::super::http_answer::HttpAnswer;
use super::super::http_route::{HttpAsked, HttpRoute, Need};
use super::super::problem::Problem;
use super::super::view::PageAsked;
use super::delivery_sheet;
use crate::index::{Filter, StoredDelivery, provider_of};
use serde::Serialize;
use std::collections::BTreeMap;

pub(super) const ROUTES: &[HttpRoute] =
    &[HttpRoute::new("/api/v1/deliveries", Need::SomeMail, PARAMETERS, deliveries).with(FILTERS)];

/// How a list is given, beside which deliveries it has.
const PARAMETERS: &[&str] = &["latest", "first", "group", "format", "order", "limit", "cursor"];
/// Deliveries of a page.
const USUAL: usize = 100;
const MOST: usize = 1000;
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
