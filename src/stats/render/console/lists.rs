//! The lists of a report: reasons, groups, the most deferred, the slowest, unknown texts.

use super::{LONGEST_NAME, Writing};
use crate::stats::figures::{GroupFigures, Reason, UnknownText, sorted, sum};
use crate::stats::render::columns::{Cell, Paint, Table};
use crate::stats::render::wording::{bytes, clean, duration, number, share, wrap};
use crate::stats::tls::by_destination;
use crate::stats::top::{OTHER, top};
use std::cmp::Reverse;

/// Characters of a category, and of an unknown text.
const CATEGORY: usize = 40;
const TEXT: usize = 400;
/// Characters of a list of TLS levels.
const LEVELS: usize = 60;
/// Seconds from which a domain counts as slow.
const SLOW: f64 = 3600.0;

fn name(name: &str, paint: Paint) -> Cell {
    Cell::new(clean(name, LONGEST_NAME), paint)
}

impl Writing<'_> {
    pub(super) fn reasons(&mut self, head: &str, reasons: &[Reason]) {
        if reasons.is_empty() {
            return;
        }
        self.head(head);
        let (all, sorted) = (sum(reasons), sorted(reasons));
        let mut table = Table::new(&["reason", "count", "share", "category"]).with_text_at(3);
        for one in sorted.iter().take(self.top) {
            table.row(vec![
                name(&one.reason, Paint::Plain),
                Cell::count(one.count, Paint::Plain),
                Cell::new(share(one.count, all), Paint::Plain),
                Cell::new(clean(&one.category, CATEGORY), Paint::Dim),
            ]);
        }
        let rest = sum(sorted.iter().copied().skip(self.top));
        if rest > 0 {
            table.row(vec![
                Cell::new(OTHER, Paint::Dim),
                Cell::count(rest, Paint::Dim),
                Cell::new(share(rest, all), Paint::Dim),
                Cell::default(),
            ]);
        }
        self.table(&table);
    }

    pub(super) fn groups(&mut self, head: &str, what: &'static str, groups: &[GroupFigures]) {
        if groups.is_empty() {
            return;
        }
        let (kept, rest) = top(groups, self.top);
        let of = match groups.len() > kept.len() {
            true => format!(" ({} of {})", kept.len(), number(groups.len() as u64)),
            false => String::new(),
        };
        self.head(&format!("{head}{of}"));
        let mut table = Table::new(&[
            what,
            "sent",
            "bounced",
            "expired",
            "waiting",
            "rejected",
            "deferrals",
            "bytes",
            "half",
            "90 %",
            "99 %",
        ]);
        for one in kept.iter().chain(&rest) {
            table.row(group(one));
        }
        self.table(&table);
    }

    /// A single source says nothing that the totals do not say.
    pub(super) fn sources(&mut self) {
        if self.figures.sources.len() > 1 {
            self.groups("Sources", "source", &self.figures.sources);
        }
    }

    pub(super) fn tls(&mut self, head: &str, what: &'static str, groups: &[GroupFigures]) {
        let destinations = by_destination(groups);
        if destinations.is_empty() {
            return;
        }
        self.head(head);
        let mut table = Table::new(&[what, "sent", "without TLS", "share", "with TLS"]).with_text_at(4);
        for one in destinations.iter().take(self.top) {
            table.row(vec![
                name(&one.group.name, Paint::Plain),
                Cell::count(one.all, Paint::Plain),
                Cell::count(one.without, Paint::Bad),
                Cell::new(share(one.without, one.all), Paint::Plain),
                Cell::new(clean(&one.levels(), LEVELS), Paint::Dim),
            ]);
        }
        self.table(&table);
    }

    pub(super) fn most_deferred(&mut self) {
        let domains = self.figures.recipient_domains.iter();
        let mut domains: Vec<&GroupFigures> = domains.filter(|domain| domain.deferrals > 0).collect();
        domains.sort_by(|a, b| b.deferrals.cmp(&a.deferrals).then_with(|| a.name.cmp(&b.name)));
        if domains.is_empty() {
            return;
        }
        self.head("Deferred most often");
        let mut table = Table::new(&["domain", "deferrals", "each delivery", "waiting now"]);
        for one in domains.iter().take(self.top) {
            let each = one.deferrals as f64 / one.outcomes.total().max(1) as f64;
            table.row(vec![
                name(&one.name, Paint::Plain),
                Cell::count(one.deferrals, Paint::Fair),
                Cell::new(format!("{each:.2}"), Paint::Plain),
                Cell::count(one.outcomes.deferred, Paint::Fair),
            ]);
        }
        self.table(&table);
    }

    pub(super) fn slowest(&mut self) {
        let timed = |group: &'_ GroupFigures| Some((group.name.clone(), group.outcomes.sent, group.delay?));
        let mut domains: Vec<_> = self.figures.recipient_domains.iter().filter_map(timed).collect();
        domains.sort_by(|a, b| b.2.p90.total_cmp(&a.2.p90).then_with(|| a.0.cmp(&b.0)));
        if domains.len() < 2 {
            return;
        }
        self.head("Slowest");
        let mut table = Table::new(&["domain", "90 % within", "half", "99 %", "sent"]);
        for (domain, sent, delay) in domains.iter().take(self.top) {
            let slow = if delay.p90 > SLOW { Paint::Fair } else { Paint::Plain };
            table.row(vec![
                name(domain, Paint::Plain),
                Cell::new(duration(delay.p90), slow),
                Cell::new(duration(delay.p50), Paint::Plain),
                Cell::new(duration(delay.p99), Paint::Plain),
                Cell::count(*sent, Paint::Plain),
            ]);
        }
        self.table(&table);
    }

    pub(super) fn unknown(&mut self) {
        let mut texts: Vec<&UnknownText> = self.figures.unknown.iter().collect();
        texts.sort_by_key(|text| (Reverse(text.count), &text.shape));
        if texts.is_empty() {
            return;
        }
        self.head("Replies that no rule knows");
        for text in texts.iter().take(self.top) {
            let mut count = self.painted(&format!("{:>9}", number(text.count)), Paint::Fair);
            for line in wrap(&clean(&text.shape, TEXT), self.width - 13) {
                self.line(&format!("  {count}  {line}"));
                count = " ".repeat(9);
            }
            for line in wrap(&clean(&text.example, TEXT), self.width - 15) {
                let line = self.painted(&line, Paint::Dim);
                self.line(&format!("  {:9}    {line}", ""));
            }
        }
        if texts.len() > self.top {
            self.line(&format!("  and {} more", number((texts.len() - self.top) as u64)));
        }
    }
}

fn group(group: &GroupFigures) -> Vec<Cell> {
    let outcomes = &group.outcomes;
    let size = if group.bytes > 0 { bytes(group.bytes) } else { String::new() };
    let mut cells = vec![
        name(&group.name, if group.name == OTHER { Paint::Dim } else { Paint::Plain }),
        Cell::count(outcomes.sent, Paint::Plain),
        Cell::count(outcomes.bounced, Paint::Bad),
        Cell::count(outcomes.expired, Paint::Bad),
        Cell::count(outcomes.deferred, Paint::Fair),
        Cell::count(outcomes.rejected, Paint::Fair),
        Cell::count(group.deferrals, Paint::Fair),
        Cell::new(size, Paint::Dim),
    ];
    let times = group.delay.map(|delay| [delay.p50, delay.p90, delay.p99].map(duration));
    cells.extend(times.unwrap_or_default().map(|time| Cell::new(time, Paint::Plain)));
    cells
}
