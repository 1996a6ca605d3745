//! Comma-separated values (RFC 4180) that a spreadsheet may open.
//!
//! Written by hand, because the crate `csv` cannot choose per cell what is quoted: a spreadsheet in
//! another language also splits at semicolons and tabs. Invariant: a cell of text is never a
//! formula. Text that begins with a sign a spreadsheet computes from gets an apostrophe in front,
//! as OWASP advises; numbers are only what carom counted.

use super::super::figures::{Figures, GroupFigures, Percentiles, Reason};
use super::super::outcomes::{Outcomes, STATUSES};
use super::sheet::Sheet;
use crate::clock;
use crate::maillog::LoggedStatus;

/// Signs that begin a formula, also in their full-width forms.
const COMPUTED: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// One sheet with its head.
pub(crate) fn sheet(figures: &Figures, sheet: Sheet) -> String {
    let mut rows = Rows::default();
    match sheet {
        Sheet::Series => rows.series(figures),
        Sheet::Reasons => rows.reasons(&figures.reasons),
        Sheet::Rejects => rows.reasons(&figures.rejects),
        Sheet::RecipientDomains | Sheet::Providers if figures.of_some_mail => rows.outcomes(figures, sheet),
        Sheet::RecipientDomains => rows.groups("domain", &figures.recipient_domains),
        Sheet::Providers => rows.groups("provider", &figures.providers),
        Sheet::SenderDomains => rows.groups("domain", &figures.sender_domains),
        Sheet::Clients => rows.groups("client", &figures.clients),
        Sheet::Relays => rows.groups("relay", &figures.relays),
        Sheet::Sources => rows.groups("source", &figures.sources),
        Sheet::Tls => {
            rows.head(&["by", "destination", "level", "deliveries"]);
            rows.tls("provider", &figures.providers);
            rows.tls("recipient-domain", &figures.recipient_domains);
        }
        Sheet::ProviderReasons => {
            rows.head(&["provider", "reason", "count"]);
            for one in &figures.provider_reasons {
                rows.row([Cell::Text(&one.provider), Cell::Text(&one.reason), Cell::Count(one.count)]);
            }
        }
        Sheet::Unknown => {
            rows.head(&["count", "shape", "example"]);
            for one in &figures.unknown {
                rows.row([Cell::Count(one.count), Cell::Text(&one.shape), Cell::Text(&one.example)]);
            }
        }
    }
    rows.text
}

/// Rows of text under a head, if it has names, for lists that are not figures.
pub(crate) fn rows<'a>(head: &[&str], rows: impl IntoIterator<Item = Vec<&'a str>>) -> String {
    let mut written = Rows::default();
    if !head.is_empty() {
        written.head(head);
    }
    for row in rows {
        written.row(row.into_iter().map(Cell::Text));
    }
    written.text
}

enum Cell<'a> {
    Text(&'a str),
    Count(u64),
    Seconds(Option<f64>),
}

#[derive(Default)]
struct Rows {
    text: String,
}

impl Rows {
    fn head(&mut self, names: &[&str]) {
        self.row(names.iter().map(|name| Cell::Text(name)));
    }

    fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            match cell {
                Cell::Text(text) => self.text.push_str(&guarded(text)),
                Cell::Count(count) => self.text.push_str(&count.to_string()),
                Cell::Seconds(Some(seconds)) if seconds.is_finite() => {
                    self.text.push_str(&seconds.to_string());
                }
                Cell::Seconds(_) => {}
            }
        }
        self.text.push_str("\r\n");
    }

    fn series(&mut self, figures: &Figures) {
        self.head(&[&["time"], &STATUSES.map(LoggedStatus::name)[..]].concat());
        for point in &figures.series {
            let time = clock::rfc3339(point.at_ms);
            self.row([Cell::Text(&time)].into_iter().chain(counts(&point.outcomes)));
        }
    }

    fn groups(&mut self, what: &str, groups: &[GroupFigures]) {
        let more = ["deferrals", "bytes", "delay_p50_seconds", "delay_p90_seconds", "delay_p99_seconds"];
        self.head(&[&[what], &STATUSES.map(LoggedStatus::name)[..], &more].concat());
        for group in groups {
            let delay = |of: fn(&Percentiles) -> f64| Cell::Seconds(group.delay.as_ref().map(of));
            let name = [Cell::Text(&group.name)].into_iter().chain(counts(&group.outcomes));
            let more = [Cell::Count(group.deferrals), Cell::Count(group.bytes)];
            let delays = [delay(|of| of.p50), delay(|of| of.p90), delay(|of| of.p99)];
            self.row(name.chain(more).chain(delays));
        }
    }

    /// Groups of which nothing else is counted.
    fn outcomes(&mut self, figures: &Figures, sheet: Sheet) {
        let (what, groups) = match sheet {
            Sheet::Providers => ("provider", &figures.providers),
            _ => ("domain", &figures.recipient_domains),
        };
        self.head(&[&[what], &STATUSES.map(LoggedStatus::name)[..]].concat());
        for group in groups {
            self.row([Cell::Text(&group.name)].into_iter().chain(counts(&group.outcomes)));
        }
    }

    fn tls(&mut self, by: &str, groups: &[GroupFigures]) {
        for group in groups {
            for (level, deliveries) in &group.tls {
                let of = [by, &group.name, level].map(Cell::Text);
                self.row(of.into_iter().chain([Cell::Count(*deliveries)]));
            }
        }
    }

    fn reasons(&mut self, reasons: &[Reason]) {
        self.head(&["reason", "category", "count"]);
        for one in reasons {
            self.row([Cell::Text(&one.reason), Cell::Text(&one.category), Cell::Count(one.count)]);
        }
    }
}

fn counts<'a>(outcomes: &Outcomes) -> impl Iterator<Item = Cell<'a>> + use<'a> {
    STATUSES.map(|status| outcomes.of(status)).into_iter().map(Cell::Count)
}

/// Text as a cell: no formula, no control characters, quoted where a spreadsheet could split it.
fn guarded(text: &str) -> String {
    let first = text.chars().find(|c| !c.is_whitespace() && !c.is_control() && *c != '\u{feff}');
    let computed = first.is_some_and(|c| COMPUTED.contains(&c)) || text.starts_with(['\t', '\r', '\n']);
    // NUL ends a file for some readers; a lone CR ends a row for others, inside quotes or not; an
    // escape drives a terminal.
    let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    if !computed && !text.contains([',', '"', '\n', ';', '\t']) && text == text.trim() {
        return text;
    }
    let mark = if computed { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        for kind in Sheet::ALL {
            let text = sheet(&fixture::day(), kind);
            let rows = parse(&text);
            assert!(rows.len() > 1, "{kind:?}");
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{kind:?}: {rows:?}");
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        let series = sheet(&fixture::day(), Sheet::Series);
        assert!(series.starts_with("time,sent,deferred,bounced,"), "{series}");
        assert!(series.contains("\r\n2026-11-20T01:00:00.000Z,100,0,0,0,0,0,0,0\r\n"), "{series}");
        let relays = sheet(&fixture::day(), Sheet::Relays);
        assert!(relays.ends_with(",2,20,300\r\n"), "{relays}");
    }

    #[test]
    fn no_text_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\u{feff}=1", "＝1", "\n"] {
            let file = rows(&["x"], [vec![text]]);
            let parsed = parse(&file);
            let cell = &parsed[1][0];
            assert!(cell.starts_with('\''), "{text:?} is {cell:?}");
        }
        assert_eq!(rows(&["x"], [vec!["a\u{1b}[31m\0b\u{9b}"]]), "x\r\na[31mb\r\n");
        let file = rows(&["x", "y"], [vec!["a,\"b\"\nc", "plain@example.com"], vec![fixture::HOSTILE, ""]]);
        assert!(file.starts_with("x,y\r\n\"a,\"\"b\"\"\nc\",plain@example.com\r\n\"'=1+1|"), "{file}");
    }

    /// As another program reads it.
    fn parse(text: &str) -> Vec<Vec<String>> {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
    }
}
