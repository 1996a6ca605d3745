//! A period on a terminal: what readers of pflogsumm look for, in the order of their questions.
//!
//! Not here: columns (`columns`), and whether there is a terminal. Invariant: no line is wider than
//! the width given, and without colour the text holds no escape sequence.

mod course;
mod lists;
#[cfg(test)]
mod tests;
mod totals;

use super::columns::{Paint, Table};
use super::wording::{clean, number, wrap};
use crate::clock::DAY_MS;
use crate::stats::Figures;

/// How a report should look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// With ANSI colours. The caller knows whether there is a terminal, and obeys `NO_COLOR`.
    pub(crate) colour: bool,
    /// Rows of each list.
    pub(crate) top: usize,
}

impl Default for Look {
    fn default() -> Look {
        Look { width: 80, colour: false, top: 10 }
    }
}

/// Nothing is laid out for less.
const NARROWEST: usize = 40;
/// Longer lines are harder to read than to scroll.
const WIDEST: usize = 140;
/// Characters about a log that cannot be read.
const LONGEST_FAULT: usize = 1_000;
/// Characters of a name.
const LONGEST_NAME: usize = 120;

pub(crate) fn render(figures: &Figures, look: &Look) -> String {
    let width = look.width.clamp(NARROWEST, WIDEST);
    let mut page = Writing { text: String::new(), figures, width, colour: look.colour, top: look.top.max(1) };
    page.title();
    page.unreadable_logs();
    page.unmatched_complaints();
    page.totals();
    page.course();
    page.reasons("Why deliveries failed or were deferred", &figures.reasons);
    page.reasons("Why mail was refused in the session", &figures.rejects);
    page.groups("Providers", "provider", &figures.providers);
    page.groups("Recipient domains", "domain", &figures.recipient_domains);
    page.groups("Sender domains", "domain", &figures.sender_domains);
    page.groups("Clients", "client", &figures.clients);
    page.groups("Relays", "relay", &figures.relays);
    page.sources();
    page.tls("TLS by provider", "provider", &figures.providers);
    page.tls("TLS by recipient domain", "domain", &figures.recipient_domains);
    page.most_deferred();
    page.slowest();
    page.unknown();
    page.lines_read();
    page.text
}

/// The report as it is written.
struct Writing<'a> {
    text: String,
    figures: &'a Figures,
    width: usize,
    colour: bool,
    top: usize,
}

impl Writing<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn painted(&self, text: &str, paint: Paint) -> String {
        paint.on(text, self.colour)
    }

    /// A heading after an empty line.
    fn head(&mut self, head: &str) {
        let head = self.painted(head, Paint::Bold);
        self.text.push_str(&format!("\n{head}\n"));
    }

    fn table(&mut self, table: &Table) {
        table.write(&mut self.text, self.width, self.colour);
    }

    fn title(&mut self) {
        let figures = self.figures;
        let until = figures.to_ms.saturating_sub(1).max(figures.from_ms);
        let from = figures.clock(figures.from_ms, "%Y-%m-%d %H:%M");
        let is_one_day = figures.length_ms() == DAY_MS && from.ends_with("00:00");
        let period = match is_one_day {
            true => figures.clock(figures.from_ms, "%A, %-d %B %Y"),
            false => format!("{from} to {}", figures.clock(until, "%Y-%m-%d %H:%M")),
        };
        let host = clean(&figures.host, LONGEST_NAME);
        let separator = if host.is_empty() { "" } else { " · " };
        for line in wrap(&format!("{host}{separator}{period} ({})", figures.zone_name()), self.width) {
            let line = self.painted(&line, Paint::Bold);
            self.line(&line);
        }
    }

    /// The logs whose deliveries are missing, and the fix.
    fn unreadable_logs(&mut self) {
        for log in &self.figures.unreadable {
            let text = format!("log that cannot be read since {}: {}", log.since, log.error());
            for line in wrap(&clean(&text, LONGEST_FAULT), self.width) {
                let line = self.painted(&line, Paint::Bad);
                self.line(&line);
            }
        }
    }

    /// Complaints that nobody was suppressed for, and where to see them.
    fn unmatched_complaints(&mut self) {
        let count = self.figures.unmatched_complaints;
        if count > 0 {
            let text = format!("complaints that match nobody: {count}; see carom find complaint-unmatched");
            let line = self.painted(&text, Paint::Fair);
            self.line(&line);
        }
    }

    /// What became of the lines of the logs.
    fn lines_read(&mut self) {
        let lines = self.figures.lines;
        if lines == Default::default() {
            return;
        }
        let paint = if lines.unknown > 0 { Paint::Fair } else { Paint::Dim };
        let [parsed, ignored, unknown] = [lines.parsed, lines.ignored, lines.unknown].map(number);
        self.text.push('\n');
        let text = format!("lines of logs: {parsed} parsed, {ignored} ignored, {unknown} not understood");
        for line in wrap(&text, self.width) {
            let line = self.painted(&line, paint);
            self.line(&line);
        }
    }
}
