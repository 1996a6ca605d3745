//! A period on a terminal: what readers of pflogsumm look for, in the order of the questions they ask.
//!
//! Not here: columns (`table`), and whether there is a terminal. Invariant: no line is wider than the width given,
//! and without colour the text holds no escape sequence.

use crate::clock::DAY_MS;
use crate::stats::figures::{Figures, GroupFigures, OTHER, Reason, top};
use crate::stats::render::columns::{Cell, Paint, Table};
use crate::stats::render::wording::{bytes, clean, duration, number, share, width, wrap};
use std::fmt::Write;

/// How a report is to look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// With ANSI colours. The caller knows whether there is a terminal, and obeys `NO_COLOR`.
    pub(crate) colour: bool,
    /// Lines of each list.
    pub(crate) top: usize,
}

impl Default for Look {
    fn default() -> Look {
        Look { width: 80, colour: false, top: 10 }
    }
}

/// Narrower than this nothing is laid out.
const NARROWEST: usize = 40;
/// Columns of a longer line are harder to read than to scroll.
const WIDEST: usize = 140;
/// Characters of a name that are looked at.
const LONGEST_NAME: usize = 120;
const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The report.
pub(crate) fn render(figures: &Figures, look: &Look) -> String {
    let width = look.width.clamp(NARROWEST, WIDEST);
    let mut page = Page { text: String::new(), figures, width, colour: look.colour, top: look.top.max(1) };
    page.title();
    page.totals();
    page.course();
    page.reasons("Why deliveries failed or were put off", &figures.reasons);
    page.reasons("Why mail was refused in the session", &figures.rejects);
    page.lines("Providers", "provider", &figures.providers);
    page.lines("Recipient domains", "domain", &figures.recipient_domains);
    page.lines("Sender domains", "domain", &figures.sender_domains);
    page.lines("Clients", "client", &figures.clients);
    page.lines("Relays", "relay", &figures.relays);
    page.put_off();
    page.slowest();
    page.unknown();
    page.read();
    page.text
}

struct Page<'a> {
    text: String,
    figures: &'a Figures,
    width: usize,
    colour: bool,
    top: usize,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn head(&mut self, head: &str) {
        let head = Paint::Bold.on(head, self.colour);
        let _ = writeln!(self.text, "\n{head}");
    }

    fn title(&mut self) {
        let figures = self.figures;
        let day = figures.clock(figures.from_ms, "%A, %-d %B %Y");
        let until = figures.to_ms.saturating_sub(1).max(figures.from_ms);
        let from = figures.clock(figures.from_ms, "%Y-%m-%d %H:%M");
        let whole_day = figures.to_ms.saturating_sub(figures.from_ms) == DAY_MS && from.ends_with("00:00");
        let period = match whole_day {
            true => day,
            false => format!("{from} to {}", figures.clock(until, "%Y-%m-%d %H:%M")),
        };
        let host = clean(&figures.host, LONGEST_NAME);
        let title =
            format!("{host}{}{period} ({})", if host.is_empty() { "" } else { " · " }, figures.zone());
        for line in wrap(&title, self.width) {
            let line = Paint::Bold.on(&line, self.colour);
            self.line(&line);
        }
    }

    fn totals(&mut self) {
        let totals = &self.figures.totals;
        let all = totals.total();
        self.text.push('\n');
        if all == 0 {
            self.line("  nothing was delivered, refused or put off");
            return;
        }
        let rows = [
            ("delivered", totals.sent, Paint::Good),
            ("bounced", totals.bounced, Paint::Bad),
            ("expired", totals.expired, Paint::Bad),
            ("still deferred", totals.deferred, Paint::Fair),
            ("rejected", totals.rejected, Paint::Fair),
            ("held", totals.held, Paint::Fair),
            ("deleted", totals.deleted, Paint::Plain),
            ("discarded", totals.discarded, Paint::Plain),
        ];
        let room = self.width.saturating_sub(2 + 14 + 2 + 9 + 2 + 8 + 3).min(50);
        let shown = |(_, count, _): &(&str, u64, Paint)| *count > 0;
        for (index, (name, count, paint)) in rows.iter().enumerate().filter(|(i, row)| *i < 2 || shown(row)) {
            let eighths =
                usize::try_from(u128::from(*count) * (room as u128) * 8 / u128::from(all)).unwrap_or(0);
            let eighths = eighths.max(usize::from(*count > 0));
            let mut bar = "█".repeat(eighths / 8);
            bar.push_str(["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]);
            let bar = paint.on(&bar, self.colour);
            let count = Cell::count(*count, if index == 0 { Paint::Plain } else { *paint });
            let percent = share(rows[index].1, all);
            let bar = if room > 0 { bar } else { String::new() };
            self.line(&format!("  {name:14}  {:>9}  {percent:>8}  {bar}", count.plain()));
        }
        self.text.push('\n');
        let mut facts = Vec::new();
        let concluded = totals.concluded();
        if concluded > 0 {
            let rate = share(totals.sent, concluded);
            facts.push(format!("{rate} of {} that came to an end were delivered", number(concluded)));
        }
        if self.figures.deferrals > 0 {
            facts.push(format!("{} attempts were put off", number(self.figures.deferrals)));
        }
        if self.figures.bytes > 0 {
            facts.push(format!("{} delivered", bytes(self.figures.bytes)));
        }
        if let Some(delay) = self.figures.delay {
            let [half, most, nearly] = [delay.p50, delay.p90, delay.p99].map(duration);
            facts.push(format!("half within {half}, 90 % within {most}, 99 % within {nearly}"));
        }
        let room = self.width - 2;
        for line in facts.iter().flat_map(|fact| wrap(fact, room)) {
            self.line(&format!("  {line}"));
        }
    }

    fn course(&mut self) {
        let room = self.width.saturating_sub(2 + 11 + 2 + 2 + 22);
        let (length, points) = self.figures.steps(room.max(24));
        if points.iter().all(|point| point.outcomes.total() == 0) || points.len() < 2 {
            return;
        }
        // A day of hours looks better wide.
        let wide = if points.len() * 2 <= room { 2 } else { 1 };
        self.head(&format!("Each {} from {}", length_name(length), self.time(points[0].at_ms)));
        for (at, name) in crate::stats::figures::OUTCOMES.iter().enumerate() {
            let counts: Vec<u64> = points.iter().map(|point| point.outcomes.counts()[at]).collect();
            let most = counts.iter().copied().max().unwrap_or(0);
            if most == 0 {
                continue;
            }
            let bars: String = counts.iter().flat_map(|count| [bar(*count, most)].repeat(wide)).collect();
            let paint = match *name {
                "sent" => Paint::Good,
                "bounced" | "expired" => Paint::Bad,
                _ => Paint::Fair,
            };
            let when = counts.iter().position(|count| *count == most).map_or(0, |index| points[index].at_ms);
            let peak = format!("most {} at {}", number(most), self.time(when));
            let fits = 2 + 11 + bars.chars().count() + 2 + width(&peak) <= self.width;
            let peak = if fits { Paint::Dim.on(&peak, self.colour) } else { String::new() };
            let name = if *name == "sent" { "delivered" } else { name };
            self.line(&format!("  {name:11}{}  {peak}", paint.on(&bars, self.colour)));
        }
        let mut scale = String::new();
        for (index, point) in points.iter().enumerate() {
            let label = self.time(point.at_ms);
            let column = index * wide;
            let every = points.len().div_ceil((points.len() * wide / 8).max(1)).max(1);
            if index.is_multiple_of(every) && column + width(&label) <= points.len() * wide {
                scale.push_str(&" ".repeat(column.saturating_sub(scale.len())));
                scale.push_str(&label);
            }
        }
        let scale = Paint::Dim.on(&scale, self.colour);
        self.line(&format!("  {:11}{scale}", ""));
    }

    /// A time as short as the period lets it be.
    fn time(&self, at_ms: i64) -> String {
        let days = self.figures.to_ms.saturating_sub(self.figures.from_ms) > 2 * DAY_MS;
        self.figures.clock(at_ms, if days { "%m-%d" } else { "%H:%M" })
    }

    fn reasons(&mut self, head: &str, reasons: &[Reason]) {
        if reasons.is_empty() {
            return;
        }
        self.head(head);
        let all = reasons.iter().fold(0u64, |sum, reason| sum.saturating_add(reason.count));
        let mut sorted: Vec<&Reason> = reasons.iter().collect();
        sorted.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
        let mut table = Table::new(&["reason", "count", "share", "category"]).with_text_at(3);
        for reason in sorted.iter().take(self.top) {
            table.row(vec![
                Cell::new(clean(&reason.reason, LONGEST_NAME), Paint::Plain),
                Cell::count(reason.count, Paint::Plain),
                Cell::new(share(reason.count, all), Paint::Plain),
                Cell::new(clean(&reason.category, 40), Paint::Dim),
            ]);
        }
        let rest = sorted.iter().skip(self.top).fold(0u64, |sum, reason| sum.saturating_add(reason.count));
        if rest > 0 {
            let cells =
                [Cell::count(rest, Paint::Dim), Cell::new(share(rest, all), Paint::Dim), Cell::default()];
            table.row([Cell::new(OTHER, Paint::Dim)].into_iter().chain(cells).collect());
        }
        table.write(&mut self.text, self.width, self.colour);
    }

    fn lines(&mut self, head: &str, what: &'static str, lines: &[GroupFigures]) {
        if lines.is_empty() {
            return;
        }
        let (kept, rest) = top(lines, self.top);
        let of = if lines.len() > kept.len() {
            format!(" ({} of {})", kept.len(), number(lines.len() as u64))
        } else {
            String::new()
        };
        self.head(&format!("{head}{of}"));
        let columns = [
            what, "sent", "bounced", "expired", "waiting", "rejected", "put off", "bytes", "half", "90 %",
            "99 %",
        ];
        let mut table = Table::new(&columns);
        for line in kept.iter().chain(&rest) {
            let paint = if line.name == OTHER { Paint::Dim } else { Paint::Plain };
            let outcomes = &line.outcomes;
            let mut cells = vec![
                Cell::new(clean(&line.name, LONGEST_NAME), paint),
                Cell::count(outcomes.sent, Paint::Plain),
                Cell::count(outcomes.bounced, Paint::Bad),
                Cell::count(outcomes.expired, Paint::Bad),
                Cell::count(outcomes.deferred, Paint::Fair),
                Cell::count(outcomes.rejected, Paint::Fair),
                Cell::count(line.deferrals, Paint::Fair),
                Cell::new(if line.bytes > 0 { bytes(line.bytes) } else { String::new() }, Paint::Dim),
            ];
            let times =
                line.delay.map(|delay| [delay.p50, delay.p90, delay.p99].map(duration)).unwrap_or_default();
            cells.extend(times.map(|time| Cell::new(time, Paint::Plain)));
            table.row(cells);
        }
        table.write(&mut self.text, self.width, self.colour);
    }

    fn put_off(&mut self) {
        let mut lines: Vec<&GroupFigures> =
            self.figures.recipient_domains.iter().filter(|line| line.deferrals > 0).collect();
        lines.sort_by(|a, b| b.deferrals.cmp(&a.deferrals).then_with(|| a.name.cmp(&b.name)));
        if lines.is_empty() {
            return;
        }
        self.head("Put off most often");
        let mut table = Table::new(&["domain", "put off", "each delivery", "waiting now"]);
        for line in lines.iter().take(self.top) {
            let total = line.outcomes.total().max(1);
            table.row(vec![
                Cell::new(clean(&line.name, LONGEST_NAME), Paint::Plain),
                Cell::count(line.deferrals, Paint::Fair),
                Cell::new(format!("{:.2}", line.deferrals as f64 / total as f64), Paint::Plain),
                Cell::count(line.outcomes.deferred, Paint::Fair),
            ]);
        }
        table.write(&mut self.text, self.width, self.colour);
    }

    fn slowest(&mut self) {
        let timed =
            |line: &'_ GroupFigures| line.delay.map(|delay| (line.name.clone(), line.outcomes.sent, delay));
        let mut lines: Vec<_> = self.figures.recipient_domains.iter().filter_map(timed).collect();
        lines.sort_by(|a, b| b.2.p90.total_cmp(&a.2.p90).then_with(|| a.0.cmp(&b.0)));
        if lines.len() < 2 {
            return;
        }
        self.head("Slowest");
        let mut table = Table::new(&["domain", "90 % within", "half", "99 %", "sent"]);
        for (name, sent, delay) in lines.iter().take(self.top) {
            let slow = if delay.p90 > 3600.0 { Paint::Fair } else { Paint::Plain };
            table.row(vec![
                Cell::new(clean(name, LONGEST_NAME), Paint::Plain),
                Cell::new(duration(delay.p90), slow),
                Cell::new(duration(delay.p50), Paint::Plain),
                Cell::new(duration(delay.p99), Paint::Plain),
                Cell::count(*sent, Paint::Plain),
            ]);
        }
        table.write(&mut self.text, self.width, self.colour);
    }

    fn unknown(&mut self) {
        let mut texts: Vec<_> = self.figures.unknown.iter().collect();
        texts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.shape.cmp(&b.shape)));
        if texts.is_empty() {
            return;
        }
        self.head("Replies that no rule knows");
        for text in texts.iter().take(self.top) {
            let count = format!("{:>9}", number(text.count));
            let shape = wrap(&clean(&text.shape, 400), self.width - 13);
            for (at, line) in shape.iter().enumerate() {
                let count = if at == 0 { Paint::Fair.on(&count, self.colour) } else { " ".repeat(9) };
                self.line(&format!("  {count}  {line}"));
            }
            for line in wrap(&clean(&text.example, 400), self.width - 15) {
                let line = Paint::Dim.on(&line, self.colour);
                self.line(&format!("  {:9}    {line}", ""));
            }
        }
        if texts.len() > self.top {
            self.line(&format!("  and {} more", number((texts.len() - self.top) as u64)));
        }
    }

    fn read(&mut self) {
        let lines = &self.figures.lines;
        if *lines == Default::default() {
            return;
        }
        let unknown = format!("{} not understood", number(lines.unknown));
        let paint = if lines.unknown > 0 { Paint::Fair } else { Paint::Dim };
        let text =
            format!("lines of logs: {} parsed, {} ignored,", number(lines.parsed), number(lines.ignored));
        self.text.push('\n');
        for line in wrap(&format!("{text} {unknown}"), self.width) {
            let line = paint.on(&line, self.colour);
            self.line(&line);
        }
    }
}

/// Something is never drawn as nothing.
fn bar(count: u64, most: u64) -> char {
    let eighths = (u128::from(count) * 8).div_ceil(u128::from(most.max(1)));
    BARS[usize::try_from(eighths).unwrap_or(8).min(8)]
}

fn length_name(length_ms: i64) -> String {
    match length_ms / 60_000 {
        1 => "minute".into(),
        60 => "hour".into(),
        1440 => "day".into(),
        minutes if minutes % 1440 == 0 => format!("{} days", minutes / 1440),
        minutes if minutes % 60 == 0 => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}

#[cfg(test)]
mod tests;
