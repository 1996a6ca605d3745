//! Which deliveries a request is about: the filters and the period that the API and the page have
//! in common, and the place in a list.
//!
//! Not here: the filter's SQL (`index`). Invariant: a filter that is named here is read here.

use super::http_query::HttpQuery;
use super::http_route::HttpAsked;
use super::problem::Problem;
use super::view::PageAsked;
use crate::class::About;
use crate::clock::typed_time;
use crate::index::{DeliveryMatch, DeliveryPage, Filter, PlaceInTime};
use crate::maillog::LoggedStatus;
use crate::stats::period::Period;

/// By what deliveries are found; an option of `carom deliveries` has the same name, with hyphens.
pub(crate) const FILTERS: &[&str] = &[
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
];
/// How often rows are looked at for one page of people.
const LOOKS: usize = 5;

/// What the index can answer.
pub(crate) fn filter(query: &HttpQuery) -> Result<Filter, Problem> {
    let status = |word: &str| {
        let word = word.trim().to_ascii_lowercase();
        let known: Option<LoggedStatus> = serde_json::from_value(word.into()).ok();
        known.map(|status| status.name().to_owned()).ok_or_else(|| {
            let fix = "use sent, bounced, deferred, expired, deleted, discarded, held, rejected or forwarded";
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
pub(crate) fn wanted(query: &HttpQuery) -> Result<DeliveryMatch, Problem> {
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
pub(crate) fn found(asked: &HttpAsked<'_>, limit: usize) -> Result<DeliveryPage, Problem> {
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

/// A place as a client keeps it.
pub(crate) fn cursor(place: PlaceInTime) -> String {
    format!("{:x}-{:x}", place.last_seen, place.row)
}

pub(crate) fn place(cursor: &str) -> Result<PlaceInTime, Problem> {
    let number = |text: &str| i64::from_str_radix(text, 16).ok();
    let place = cursor
        .split_once('-')
        .and_then(|(last_seen, row)| Some(PlaceInTime { last_seen: number(last_seen)?, row: number(row)? }));
    place.ok_or_else(|| Problem::bad_value("cursor", "is not one of ours", "use the `next` of an answer"))
}

/// The period that figures are asked for; without any, what is usual.
pub(crate) fn period(asked: &HttpAsked<'_>, usual: Option<&str>) -> Result<Period, Problem> {
    let (mut since, until) = (asked.query.time("since")?, asked.query.time("until")?);
    if since.is_none() && until.is_none() {
        since = usual.and_then(|usual| typed_time::time(usual).ok());
    }
    asked.view.period(since, until).map_err(|error| {
        Problem::bad_value("since", error.text(), "give the beginning as since, and the end as until")
    })
}
