//! Totals by status with bars, and the facts below them.

use super::Writing;
use crate::maillog::LoggedStatus;
use crate::stats::render::columns::{Cell, Paint};
use crate::stats::render::wording::{bytes, duration, number, share, wrap};

/// What is on each line before the bar: margins, name, count and share.
const BEFORE_BAR: usize = 2 + 14 + 2 + 9 + 2 + 8 + 3;
const LONGEST_BAR: usize = 50;

/// Names and paints in the order in which they are asked about.
const ROWS: [(&str, LoggedStatus, Paint); 8] = [
    ("delivered", LoggedStatus::Sent, Paint::Good),
    ("bounced", LoggedStatus::Bounced, Paint::Bad),
    ("expired", LoggedStatus::Expired, Paint::Bad),
    ("still deferred", LoggedStatus::Deferred, Paint::Fair),
    ("rejected", LoggedStatus::Rejected, Paint::Fair),
    ("held", LoggedStatus::Held, Paint::Fair),
    ("deleted", LoggedStatus::Deleted, Paint::Plain),
    ("discarded", LoggedStatus::Discarded, Paint::Plain),
];
/// Rows that are shown even if they are zero.
const ALWAYS: usize = 2;

impl Writing<'_> {
    pub(super) fn totals(&mut self) {
        let totals = self.figures.totals;
        let all = totals.total();
        self.text.push('\n');
        if all == 0 {
            self.line("  nothing was delivered, refused or deferred");
            return;
        }
        let room = self.width.saturating_sub(BEFORE_BAR).min(LONGEST_BAR);
        for (index, (name, status, paint)) in ROWS.into_iter().enumerate() {
            let count = totals.of(status);
            if count == 0 && index >= ALWAYS {
                continue;
            }
            let bar = self.painted(&bar(count, all, room), paint);
            let cell = Cell::count(count, if index == 0 { Paint::Plain } else { paint });
            self.line(&format!("  {name:14}  {:>9}  {:>8}  {bar}", cell.plain(), share(count, all)));
        }
        self.text.push('\n');
        let room = self.width - 2;
        for line in self.facts().iter().flat_map(|fact| wrap(fact, room)) {
            self.line(&format!("  {line}"));
        }
    }

    fn facts(&self) -> Vec<String> {
        let (figures, totals) = (self.figures, self.figures.totals);
        let mut facts = Vec::new();
        if totals.concluded() > 0 {
            let rate = share(totals.sent, totals.concluded());
            facts
                .push(format!("{rate} of {} that came to an end were delivered", number(totals.concluded())));
        }
        if figures.deferrals > 0 {
            facts.push(format!("{} attempts were deferred", number(figures.deferrals)));
        }
        if figures.bytes > 0 {
            facts.push(format!("{} delivered", bytes(figures.bytes)));
        }
        if let Some(delay) = figures.delay {
            let [half, most, nearly] = [delay.p50, delay.p90, delay.p99].map(duration);
            facts.push(format!("half within {half}, 90 % within {most}, 99 % within {nearly}"));
        }
        facts
    }
}

/// A bar in eighths of a column; something is never drawn as nothing.
fn bar(count: u64, all: u64, room: usize) -> String {
    if room == 0 {
        return String::new();
    }
    let eighths = u128::from(count) * (room as u128) * 8 / u128::from(all);
    let eighths = usize::try_from(eighths).unwrap_or(0).max(usize::from(count > 0));
    "█".repeat(eighths / 8) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
}
