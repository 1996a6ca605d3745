//! One HTML page about a period: it needs no network, no script and no other file.
//!
//! Charts are SVG made here (`chart`); behind each stands a table (`tables`). Light and dark follow the reader's
//! system. Not here: the dashboard, and where the page is kept. Invariant: text from mail goes through `escape`, and the
//! page's own policy forbids scripts, frames, forms and every address, so that a slip here would still be harmless.

mod chart;
mod tables;
#[cfg(test)]
mod tests;

use super::super::figures::Figures;
use super::wording::{bytes, clean, duration, number, share};
use std::fmt::Write;

const STYLE: &str = include_str!("page.css");
/// Characters of a name that are shown.
const LONGEST_NAME: usize = 100;

/// What the page shows besides the figures.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Page {
    /// When it was made, milliseconds since 1970.
    pub(crate) made_ms: i64,
    /// Lines of each list.
    pub(crate) top: usize,
}

/// The page.
pub(crate) fn render(figures: &Figures, page: &Page) -> String {
    let mut to = String::with_capacity(64 << 10);
    let host =
        if figures.host.is_empty() { "Deliveries".into() } else { escape(&figures.host, LONGEST_NAME) };
    let period = period(figures);
    let _ = write!(
        to,
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n<meta name=color-scheme content=\"light dark\">\n\
         <meta name=robots content=noindex>\n<meta name=referrer content=no-referrer>\n\
         <title>{host}: deliveries, {period}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{host}</h1><p>{period} <span class=zone>{zone}</span></p></header>\n",
        zone = figures.zone(),
    );
    to.push_str("<dl class=tiles>\n");
    tiles(&mut to, figures);
    to.push_str("</dl>\n");
    if figures.totals.total() == 0 {
        to.push_str("<p>Nothing was delivered, refused or put off.</p>\n");
    }
    chart::course(&mut to, figures);
    to.push_str("<div class=pair>\n");
    tables::reasons(&mut to, "reasons", "Why deliveries failed or were put off", &figures.reasons, page.top);
    tables::reasons(&mut to, "rejects", "Why mail was refused in the session", &figures.rejects, page.top);
    to.push_str("</div>\n");
    tables::heat(&mut to, &figures.provider_reasons);
    tables::lines(&mut to, "providers", "Providers", "Provider", &figures.providers, page.top);
    tables::lines(&mut to, "domains", "Recipient domains", "Domain", &figures.recipient_domains, page.top);
    let timed = if figures.providers.iter().any(|line| line.delay.is_some()) {
        ("Time to deliver, by provider", &figures.providers)
    } else {
        ("Time to deliver, by recipient domain", &figures.recipient_domains)
    };
    chart::delays(&mut to, timed.0, timed.1, figures.delay.as_ref(), page.top);
    tables::lines(&mut to, "clients", "Clients", "Client", &figures.clients, page.top);
    tables::lines(&mut to, "senders", "Sender domains", "Domain", &figures.sender_domains, page.top);
    tables::lines(&mut to, "relays", "Relays", "Relay", &figures.relays, page.top);
    tables::unknown(&mut to, &figures.unknown, page.top);
    let lines = &figures.lines;
    let made = figures.clock(page.made_ms, "%Y-%m-%d %H:%M");
    let _ = write!(
        to,
        "<footer><p>{} lines of logs parsed, {} ignored, {} not understood.</p><p>Made by carom {} on {made}.</p></footer>\n\
         </main>\n</body>\n</html>\n",
        number(lines.parsed),
        number(lines.ignored),
        number(lines.unknown),
        env!("CARGO_PKG_VERSION"),
    );
    to
}

/// Text for content and for attributes in double quotes.
fn escape(text: &str, most: usize) -> String {
    let mut safe = String::with_capacity(text.len().min(most));
    for c in clean(text, most).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// A number that stays with its unit.
fn unbroken(text: &str) -> String {
    text.replace(' ', "\u{a0}")
}

fn period(figures: &Figures) -> String {
    let last = figures.to_ms.saturating_sub(1).max(figures.from_ms);
    let [from, to] = [figures.from_ms, last].map(|at| figures.clock(at, "%-d %B %Y"));
    let midnight = |at: i64| figures.clock(at, "%H:%M") == "00:00";
    match (from == to, midnight(figures.from_ms) && midnight(figures.to_ms)) {
        (true, true) => figures.clock(figures.from_ms, "%A, %-d %B %Y"),
        (false, true) => format!("{from} to {to}"),
        _ => {
            let [from, to] = [figures.from_ms, figures.to_ms].map(|at| figures.clock(at, "%-d %B %Y %H:%M"));
            format!("{from} to {to}")
        }
    }
}

/// What matters most, in large digits.
fn tiles(to: &mut String, figures: &Figures) {
    let totals = &figures.totals;
    let concluded = totals.concluded();
    let mut tile = |class: &str, name: &str, value: String, note: String| {
        let _ = writeln!(
            to,
            "<div class=\"tile {class}\"><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>"
        );
    };
    let size =
        if figures.bytes > 0 { format!(", {}", unbroken(&bytes(figures.bytes))) } else { String::new() };
    let of = |count: u64| match concluded {
        0 => "none concluded".to_owned(),
        _ => format!("{} of {} concluded", unbroken(&share(count, concluded)), number(concluded)),
    };
    let quiet = |class: &'static str, count: u64| if count == 0 { "none" } else { class };
    tile(
        "sent",
        "Delivered",
        share(totals.sent, concluded),
        format!("{} messages{size}", number(totals.sent)),
    );
    tile(quiet("bounced", totals.bounced), "Bounced", number(totals.bounced), of(totals.bounced));
    tile(quiet("expired", totals.expired), "Expired", number(totals.expired), of(totals.expired));
    let put_off = format!("{} attempts put off", number(figures.deferrals));
    tile(quiet("deferred", totals.deferred), "Waiting", number(totals.deferred), put_off);
    let all = totals.total();
    let refused = format!("{} of all, in the session", unbroken(&share(totals.rejected, all)));
    tile(quiet("rejected", totals.rejected), "Rejected", number(totals.rejected), refused);
    if let Some(delay) = figures.delay {
        let [most, nearly] = [delay.p90, delay.p99].map(|seconds| unbroken(&duration(seconds)));
        let rest = format!("90\u{a0}% in {most}, 99\u{a0}% in {nearly}");
        tile("delay", "Half delivered in", duration(delay.p50), rest);
    }
}
