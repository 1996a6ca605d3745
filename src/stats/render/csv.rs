//! Comma-separated values (RFC 4180) that a spreadsheet may open.
//!
//! Not here: other separators. Invariant: a cell of text is never a formula: one that begins with a sign a
//! spreadsheet computes from gets an apostrophe in front, as OWASP advises, and numbers are only what carom counted.

use super::super::figures::{Figures, GroupFigures, OUTCOMES, Outcomes, Reason};
use crate::clock;
use serde::{Deserialize, Serialize};

/// What there is one file of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sheet {
    /// Outcomes over time.
    Series,
    /// Why deliveries failed or were put off.
    Reasons,
    /// Why mail was refused in the session.
    Rejects,
    /// By domain of the recipient.
    RecipientDomains,
    /// By who runs the recipient's mail server.
    Providers,
    /// By domain of the sender.
    SenderDomains,
    /// By client id.
    Clients,
    /// By next hop.
    Relays,
    /// Reasons of each provider.
    ProviderReasons,
    /// Replies that no rule knows.
    Unknown,
}

impl Sheet {
    pub(crate) const ALL: [Sheet; 10] = [
        Sheet::Series,
        Sheet::Reasons,
        Sheet::Rejects,
        Sheet::RecipientDomains,
        Sheet::Providers,
        Sheet::SenderDomains,
        Sheet::Clients,
        Sheet::Relays,
        Sheet::ProviderReasons,
        Sheet::Unknown,
    ];

    /// The name on the command line and of its file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Sheet::Series => "series",
            Sheet::Reasons => "reasons",
            Sheet::Rejects => "rejects",
            Sheet::RecipientDomains => "recipient-domains",
            Sheet::Providers => "providers",
            Sheet::SenderDomains => "sender-domains",
            Sheet::Clients => "clients",
            Sheet::Relays => "relays",
            Sheet::ProviderReasons => "provider-reasons",
            Sheet::Unknown => "unknown",
        }
    }
}

/// One sheet with its head.
pub(crate) fn sheet(figures: &Figures, sheet: Sheet) -> String {
    let mut file = File::default();
    match sheet {
        Sheet::Series => {
            file.head(&["time"], &OUTCOMES);
            for point in &figures.series {
                let time = clock::rfc3339(point.at_ms);
                file.row([Cell::Text(&time)].into_iter().chain(counts(&point.outcomes)));
            }
        }
        Sheet::Reasons => file.reasons(&figures.reasons),
        Sheet::Rejects => file.reasons(&figures.rejects),
        Sheet::RecipientDomains => file.lines("domain", &figures.recipient_domains),
        Sheet::Providers => file.lines("provider", &figures.providers),
        Sheet::SenderDomains => file.lines("domain", &figures.sender_domains),
        Sheet::Clients => file.lines("client", &figures.clients),
        Sheet::Relays => file.lines("relay", &figures.relays),
        Sheet::ProviderReasons => {
            file.head(&["provider", "reason", "count"], &[]);
            for one in &figures.provider_reasons {
                file.row([Cell::Text(&one.provider), Cell::Text(&one.reason), Cell::Count(one.count)]);
            }
        }
        Sheet::Unknown => {
            file.head(&["count", "shape", "example"], &[]);
            for one in &figures.unknown {
                file.row([Cell::Count(one.count), Cell::Text(&one.shape), Cell::Text(&one.example)]);
            }
        }
    }
    file.text
}

/// Any rows of text under a head, for lists that are not figures.
pub(crate) fn rows<'a>(head: &[&str], rows: impl IntoIterator<Item = Vec<&'a str>>) -> String {
    let mut file = File::default();
    file.head(head, &[]);
    for row in rows {
        file.row(row.into_iter().map(Cell::Text));
    }
    file.text
}

enum Cell<'a> {
    Text(&'a str),
    Count(u64),
    Seconds(Option<f64>),
}

#[derive(Default)]
struct File {
    text: String,
}

impl File {
    fn head(&mut self, first: &[&str], more: &[&str]) {
        self.row(first.iter().chain(more).map(|name| Cell::Text(name)));
    }

    fn row<'a>(&mut self, cells: impl IntoIterator<Item = Cell<'a>>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            match cell {
                Cell::Text(text) => self.quoted(text),
                Cell::Count(count) => self.text.push_str(&count.to_string()),
                Cell::Seconds(Some(seconds)) if seconds.is_finite() => {
                    self.text.push_str(&seconds.to_string())
                }
                Cell::Seconds(_) => {}
            }
        }
        self.text.push_str("\r\n");
    }

    fn quoted(&mut self, text: &str) {
        const COMPUTED: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
        let first = text.chars().find(|c| !c.is_whitespace() && !c.is_control() && *c != '\u{feff}');
        let computed = first.is_some_and(|c| COMPUTED.contains(&c)) || text.starts_with(['\t', '\r', '\n']);
        // NUL ends a file for some readers; a lone CR ends a row for others, inside quotes or not; an escape drives a terminal.
        let text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
        if computed || text.contains([',', '"', '\n', ';', '\t']) || text != text.trim() {
            let mark = if computed { "'" } else { "" };
            self.text.push_str(&format!("\"{mark}{}\"", text.replace('"', "\"\"")));
        } else {
            self.text.push_str(&text);
        }
    }

    fn lines(&mut self, what: &str, lines: &[GroupFigures]) {
        let more = ["deferrals", "bytes", "delay_p50_seconds", "delay_p90_seconds", "delay_p99_seconds"];
        self.head(&[what], &[&OUTCOMES[..], &more].concat());
        for line in lines {
            let delay = |of: fn(&super::super::figures::Percentiles) -> f64| {
                Cell::Seconds(line.delay.as_ref().map(of))
            };
            let name = [Cell::Text(&line.name)].into_iter().chain(counts(&line.outcomes));
            let more = [Cell::Count(line.deferrals), Cell::Count(line.bytes)];
            let delays = [delay(|of| of.p50), delay(|of| of.p90), delay(|of| of.p99)];
            self.row(name.chain(more).chain(delays));
        }
    }

    fn reasons(&mut self, reasons: &[Reason]) {
        self.head(&["reason", "category", "count"], &[]);
        for one in reasons {
            self.row([Cell::Text(&one.reason), Cell::Text(&one.category), Cell::Count(one.count)]);
        }
    }
}

fn counts<'a>(outcomes: &Outcomes) -> impl Iterator<Item = Cell<'a>> + use<'a> {
    outcomes.counts().into_iter().map(Cell::Count)
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    #[test]
    fn every_row_has_as_many_cells_as_the_head() {
        for kind in Sheet::ALL {
            let name = kind.name();
            let text = sheet(&fixture::day(), kind);
            let rows = parse(&text);
            assert!(rows.len() > 1, "{name}");
            assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{name}: {rows:?}");
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
        let series = sheet(&fixture::day(), Sheet::Series);
        assert!(series.starts_with("time,sent,deferred,bounced,"), "{series}");
        assert!(series.contains("\r\n2026-11-20T01:00:00Z,100,0,0,0,0,0,0,0\r\n"), "{series}");
        let lines = sheet(&fixture::day(), Sheet::Relays);
        assert!(lines.ends_with(",2,20,300\r\n"), "{lines}");
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

    /// As RFC 4180 has it.
    fn parse(text: &str) -> Vec<Vec<String>> {
        let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '"' if quoted && chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
                '"' => quoted = !quoted,
                ',' if !quoted => row.push(std::mem::take(&mut cell)),
                '\r' if !quoted => {}
                '\n' if !quoted => {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                other => cell.push(other),
            }
        }
        rows
    }
}
