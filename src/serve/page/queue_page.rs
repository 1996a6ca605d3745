//! `/queue`: what still waits for delivery, by destination, and why.
//!
//! Not here: the mail server's own queue; this is what its log says. Invariant: memory is bounded
//! by destinations and reasons, not by the queue.

use super::frame::{Frame, LONGEST};
use super::page_parts::{command, note, title};
use super::page_reader::PageReader;
use super::showing::show;
use crate::clock;
use crate::dimension::domain::of_address;
use crate::index::Filter;
use crate::serve::http_answer::HttpAnswer;
use crate::serve::http_route::HttpAsked;
use crate::serve::problem::Problem;
use crate::serve::view::NewestAsked;
use crate::stats::render::html::markup::{Html, card, scroll};
use crate::stats::render::wording::{duration, number};
use std::collections::BTreeMap;
use url::form_urlencoded::Serializer;

/// Destinations that are shown, and counted.
const SHOWN: usize = 100;
const COUNTED: usize = 100_000;
/// Reasons of a destination that are shown.
const REASONS: usize = 4;
/// Pages that are counted for a reader who does not see all mail.
const PAGES: usize = 50;
const PAGE: usize = 5000;
/// Statuses of what waits.
const DEFERRED: &str = "deferred";
const HELD: &str = "held";
const WAITING: &str = "deferred,held";
/// In the place of a reason.
const ON_HOLD: &str = "on hold";
const UNEXPLAINED: &str = "no reason logged";
/// Seconds between two looks at the present.
const FRESH: u32 = 60;

/// What waits for one destination.
#[derive(Clone, Debug, Default)]
struct Destination {
    waiting: u64,
    oldest_ms: i64,
    reasons: BTreeMap<String, u64>,
}

#[derive(Default)]
struct QueueView {
    all: u64,
    held: u64,
    destinations: BTreeMap<String, Destination>,
}

impl QueueView {
    fn add(&mut self, recipient: Option<&str>, reason: Option<&str>, first_ms: i64, held: bool) {
        self.all += 1;
        self.held += u64::from(held);
        let domain = recipient.map(of_address).unwrap_or_default().to_ascii_lowercase();
        if self.destinations.len() >= COUNTED && !self.destinations.contains_key(&domain) {
            return;
        }
        let one = self.destinations.entry(domain).or_default();
        one.waiting += 1;
        one.oldest_ms = if one.waiting == 1 { first_ms } else { one.oldest_ms.min(first_ms) };
        let reason = if held { ON_HOLD } else { reason.unwrap_or(UNEXPLAINED) };
        *one.reasons.entry(reason.to_owned()).or_default() += 1;
    }
}

pub(super) fn queue(asked: &HttpAsked<'_>) -> Result<HttpAnswer, Problem> {
    let reader = PageReader::of(asked, "/queue");
    let (view, now_ms) = (waiting(asked)?, clock::now_ms());
    let frame = Frame { title: "Queue", path: "/queue", fresh_for: Some(FRESH), reader: &reader };
    Ok(show(&frame, |to| {
        title(to, "Queue by destination");
        to.raw("<p><b>");
        list(to, view.all, &[("status", WAITING)]);
        to.raw("</b> deliveries wait, <b>");
        list(to, view.held, &[("status", HELD)]);
        to.raw("</b> of them on hold. This is what the logs say.</p>\n");
        match view.destinations.is_empty() {
            true => note(to, "Nothing waits."),
            false => destinations(to, &view, now_ms, &reader),
        }
        command(to, "The same on the command line", "carom deliveries --status deferred,held");
    }))
}

fn waiting(asked: &HttpAsked<'_>) -> Result<QueueView, Problem> {
    let mut view = QueueView::default();
    if let Ok(whole) = asked.view.whole() {
        if let Some(index) = whole.index {
            index.waiting((0, i64::MAX), |one| {
                view.add(one.recipient, one.reason, one.first_ms, one.held);
            })?;
        }
        return Ok(view);
    }
    let filter = &Filter { statuses: vec![DEFERRED.into(), HELD.into()], ..Filter::default() };
    let newest = NewestAsked { filter, is_wanted: &|_| true, page: PAGE, pages: PAGES };
    asked.view.newest(&newest, |one| {
        let held = one.status == "held";
        view.add(one.recipient.as_deref(), one.reason.as_deref(), one.first_seen, held);
    })?;
    Ok(view)
}

/// Where the deliveries of a figure are listed.
fn address(choices: &[(&str, &str)]) -> String {
    let mut query = Serializer::for_suffix(String::from("/deliveries?"), 12);
    query.extend_pairs(choices).finish()
}

/// A count, which leads to the deliveries that it counts.
fn list(to: &mut Html, count: u64, choices: &[(&str, &str)]) {
    to.tag("a", &[("href", &address(choices))]).text(number(count)).raw("</a>");
}

fn destinations(to: &mut Html, view: &QueueView, now_ms: i64, reader: &PageReader) {
    let mut sorted: Vec<(&String, &Destination)> = view.destinations.iter().collect();
    sorted.sort_by(|a, b| b.1.waiting.cmp(&a.1.waiting).then_with(|| a.0.cmp(b.0)));
    card(to, "destinations", "Destinations");
    scroll(to, "destinations");
    to.raw("<table class=rows><thead><tr><th scope=col>Domain<th scope=col>Waiting");
    to.raw("<th scope=col>Oldest<th scope=col>Why<tbody>");
    for (domain, one) in sorted.iter().take(SHOWN) {
        to.raw("<tr><th scope=row>");
        if domain.is_empty() {
            // No list has the addresses without a domain alone.
            to.raw("(none)<td>").text(number(one.waiting));
        } else {
            let choices = [("status", WAITING), ("domain", domain.as_str())];
            to.tag("a", &[("href", &address(&choices))]).raw("<bdi>");
            to.foreign(domain, LONGEST).raw("</bdi></a><td>");
            list(to, one.waiting, &choices);
        }
        to.raw("<td>")
            .text(duration(now_ms.saturating_sub(one.oldest_ms) as f64 / 1000.0))
            .raw(" <small>since ");
        reader.time(to, one.oldest_ms);
        to.raw("</small><td class=why>");
        let mut reasons: Vec<(&String, &u64)> = one.reasons.iter().collect();
        reasons.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
        for (place, (reason, count)) in reasons.into_iter().take(REASONS).enumerate() {
            to.raw(if place > 0 { ", " } else { "" }).foreign(reason, LONGEST).raw(" ");
            match (domain.as_str(), reason.as_str()) {
                ("", _) | (_, UNEXPLAINED) => _ = to.text(number(*count)),
                (domain, ON_HOLD) => list(to, *count, &[("status", HELD), ("domain", domain)]),
                (domain, reason) => {
                    list(to, *count, &[("status", DEFERRED), ("domain", domain), ("reason", reason)]);
                }
            }
        }
    }
    to.raw("</table></div>");
    if sorted.len() > SHOWN {
        let more = number((sorted.len() - SHOWN) as u64);
        to.raw("<p class=note>And ").text(more).raw(" more destinations.</p>");
    }
    to.raw("</section>\n");
}
