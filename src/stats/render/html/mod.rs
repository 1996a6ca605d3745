//! One HTML page about a period: it needs no network, no script and no other file.
//!
//! Charts are SVG made here, and each has its figures in a table too. Light and dark follow the
//! reader's system. Not here: where the page is written. Invariant: text from mail is written by
//! `Html::foreign`, and the page's own security policy forbids scripts, frames, forms and every
//! address, so that a slip here would still be harmless.

pub(crate) mod markup;

pub(crate) mod figure_lists;
mod bars;
mod over_time;
mod delay_chart;
mod heat;
mod changes;
mod quality_card;
pub(crate) mod tables;
mod tiles;
#[cfg(test)]
mod tests;

use super::super::figures::Figures;
use super::super::gather::PresentFigures;
pub(crate) use changes::changes;
pub(crate) use delay_chart::{delays, slowest};
use figure_lists::Lists;
pub(crate) use heat::heat;
use markup::Html;
pub(crate) use quality_card::quality;
use tables::{GroupTable, ReasonTable};

/// The look of all pages.
pub(crate) const STYLE: &str = include_str!("page.css");
/// Characters about a log that cannot be read.
const LONGEST_FAULT: usize = 1_000;
/// Characters of a name that are shown.
const LONGEST_NAME: usize = 100;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Page<'a> {
    /// When it was made, milliseconds since 1970.
    pub(crate) made_ms: i64,
    /// Rows of each list.
    pub(crate) top: usize,
    /// Shown whatever the period is; `None`: no log was ever read.
    pub(crate) present: Option<&'a PresentFigures>,
}

pub(crate) fn render(figures: &Figures, page: &Page<'_>) -> String {
    let (mut to, lists) = (Html::default(), Lists::of(figures, false));
    head(&mut to, figures);
    summary(&mut to, figures, page.made_ms, &lists);
    if let Some(present) = page.present {
        changes(&mut to, &present.change, &|at, form| figures.clock(at, form), &lists);
    }
    course(&mut to, figures, &lists);
    slowest(&mut to, figures, page.top, &lists);
    details(&mut to, figures, page.top, &lists);
    if let Some(present) = page.present {
        quality(&mut to, figures, &present.quality, &lists);
    }
    foot(&mut to, figures, page);
    to.finish()
}

/// What matters most.
pub(crate) fn summary(to: &mut Html, figures: &Figures, made_ms: i64, lists: &Lists) {
    for log in &figures.unreadable {
        to.raw("<p class=unreadable>A log cannot be read since ").text(&log.since).raw(": ");
        to.foreign(&log.error().to_string(), LONGEST_FAULT).raw("</p>\n");
    }
    tiles::tiles(to, figures, made_ms, lists);
    if figures.totals.total() == 0 {
        to.raw("<p>Nothing was delivered, refused or deferred.</p>\n");
    }
}

/// What became of deliveries over time.
pub(crate) fn course(to: &mut Html, figures: &Figures, lists: &Lists) {
    over_time::over_time(to, figures, lists);
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
    to.raw(" <span class=zone>").text(figures.zone_name()).raw("</span></p>");
    if let Some(at) = over_time::late_begin(figures) {
        to.raw("<p class=begin>Data begin at ").text(figures.clock(at, "%-d %B %Y %H:%M")).raw("</p>");
    }
    to.raw("</header>\n");
}

/// Everything else, as lists of the `top` first.
pub(crate) fn details(to: &mut Html, figures: &Figures, top: usize, lists: &Lists) {
    tables::reasons(to, &ReasonTable::failed(figures), top, lists);
    tables::reasons(to, &ReasonTable::refused(figures), top, lists);
    heat(to, &figures.provider_reasons, lists);
    let groups = GroupTable::all(figures);
    let [providers, domains, others @ ..] = &groups;
    tables::groups(to, providers, top, lists);
    if figures.providers.is_empty() && !figures.recipient_domains.is_empty() {
        let why = "No recipient was at a provider that carom knows.";
        tables::none(to, "providers", "Providers", why);
    }
    tables::groups(to, domains, top, lists);
    delays(to, figures, top, lists);
    for table in others {
        tables::groups(to, table, top, lists);
    }
    tls(to, figures, top, lists);
    tables::unknown(to, &figures.unknown, top, lists);
}

/// Who was sent mail without TLS.
pub(crate) fn tls(to: &mut Html, figures: &Figures, top: usize, lists: &Lists) {
    let providers = GroupTable::new("tls-providers", "TLS by provider", "provider", &figures.providers);
    tables::tls(to, &providers, top, lists);
    let domains = GroupTable::new("tls", "TLS by recipient domain", "domain", &figures.recipient_domains);
    tables::tls(to, &domains, top, lists);
}

fn foot(to: &mut Html, figures: &Figures, page: &Page<'_>) {
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
