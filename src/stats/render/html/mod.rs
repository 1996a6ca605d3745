//! One HTML page about a period: it needs no network, no script and no other file.
//!
//! Charts are SVG made here, and each has its figures in a table too. Light and dark follow the
//! reader's system. Not here: where the page is written. Invariant: text from mail is written by
//! `Html::foreign`, and the page's own security policy forbids scripts, frames, forms and every
//! address, so that a slip here would still be harmless.

mod markup;

mod bars;
mod over_time;
mod delay_chart;
mod heat;
mod tables;
mod tiles;
#[cfg(test)]
mod tests;

use super::super::figures::Figures;
use markup::Html;

const STYLE: &str = include_str!("page.css");
/// Characters about a log that cannot be read.
const LONGEST_FAULT: usize = 1_000;
/// Characters of a name that are shown.
const LONGEST_NAME: usize = 100;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// When it was made, milliseconds since 1970.
    pub(crate) made_ms: i64,
    /// Rows of each list.
    pub(crate) top: usize,
}

pub(crate) fn render(figures: &Figures, page: &Page) -> String {
    let mut to = Html::default();
    head(&mut to, figures);
    for log in &figures.unreadable {
        to.raw("<p class=unreadable>A log cannot be read since ").text(&log.since).raw(": ");
        to.foreign(&log.error().to_string(), LONGEST_FAULT).raw("</p>\n");
    }
    tiles::tiles(&mut to, figures);
    if figures.totals.total() == 0 {
        to.raw("<p>Nothing was delivered, refused or deferred.</p>\n");
    }
    over_time::over_time(&mut to, figures);
    lists(&mut to, figures, page.top);
    foot(&mut to, figures, page);
    to.finish()
}

fn head(to: &mut Html, figures: &Figures) {
    let host = if figures.host.is_empty() { "this host" } else { &figures.host };
    let period = period(figures);
    to.raw(
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n<meta name=color-scheme content=\"light dark\">\n\
         <meta name=robots content=noindex>\n<meta name=referrer content=no-referrer>\n\
         <title>",
    );
    to.foreign(host, LONGEST_NAME).text(": deliveries, ").text(&period);
    to.raw("</title>\n<style>\n").raw(STYLE).raw("</style>\n</head>\n<body>\n<main>\n<header><h1>");
    to.raw("Mail deliveries of ").foreign(host, LONGEST_NAME).raw("</h1><p>").text(period);
    to.raw(" <span class=zone>").text(figures.zone()).raw("</span></p>");
    if let Some(at) = over_time::late_begin(figures) {
        to.raw("<p class=begin>Data begin at ").text(figures.clock(at, "%-d %B %Y %H:%M")).raw("</p>");
    }
    to.raw("</header>\n");
}

fn lists(to: &mut Html, figures: &Figures, top: usize) {
    let list = "carom deliveries --status bounced,expired,deferred";
    let failed = ("reasons", "Why deliveries failed or were deferred", list);
    tables::reasons(to, failed, &figures.reasons, top);
    let list = "carom deliveries --status rejected";
    let refused = ("rejects", "Why mail was refused in the session", list);
    tables::reasons(to, refused, &figures.rejects, top);
    heat::heat(to, &figures.provider_reasons);
    tables::groups(to, "providers", "Providers", "Provider", &figures.providers, top);
    if figures.providers.is_empty() && !figures.recipient_domains.is_empty() {
        let why = "No recipient was at a provider that carom knows.";
        tables::none(to, "providers", "Providers", why);
    }
    tables::groups(to, "domains", "Recipient domains", "Domain", &figures.recipient_domains, top);
    delay_chart::delays(to, figures, top);
    tables::groups(to, "clients", "Clients", "Client", &figures.clients, top);
    tables::groups(to, "senders", "Sender domains", "Domain", &figures.sender_domains, top);
    tables::groups(to, "relays", "Relays", "Relay", &figures.relays, top);
    if figures.sources.len() > 1 {
        tables::groups(to, "sources", "Sources", "Source", &figures.sources, top);
    }
    tables::tls(to, "tls-providers", "TLS by provider", "Provider", &figures.providers, top);
    tables::tls(to, "tls", "TLS by recipient domain", "Domain", &figures.recipient_domains, top);
    tables::unknown(to, &figures.unknown, top);
}

fn foot(to: &mut Html, figures: &Figures, page: &Page) {
    use super::wording::number;
    let lines = &figures.lines;
    to.raw("<footer><p>").text(number(lines.parsed)).raw(" lines of logs parsed, ");
    to.text(number(lines.ignored)).raw(" ignored, ").text(number(lines.unknown)).raw(" not understood.</p>");
    to.raw("<p>Made by carom ").raw(env!("CARGO_PKG_VERSION")).raw(" on ");
    to.text(figures.clock(page.made_ms, "%Y-%m-%d %H:%M"));
    to.raw(".</p></footer>\n</main>\n</body>\n</html>\n");
}

/// `Friday, 20 November 2026`; several days, or parts of days, from and to.
fn period(figures: &Figures) -> String {
    let last = figures.to_ms.saturating_sub(1).max(figures.from_ms);
    let [from, to] = [figures.from_ms, last].map(|at| figures.clock(at, "%-d %B %Y"));
    let is_midnight = |at: i64| figures.clock(at, "%H:%M") == "00:00";
    match (from == to, is_midnight(figures.from_ms) && is_midnight(figures.to_ms)) {
        (true, true) => figures.clock(figures.from_ms, "%A, %-d %B %Y"),
        (false, true) => format!("{from} to {to}"),
        _ => {
            let [from, to] = [figures.from_ms, figures.to_ms].map(|at| figures.clock(at, "%-d %B %Y %H:%M"));
            format!("{from} to {to}")
        }
    }
}
