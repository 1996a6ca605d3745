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
/// Whether a status ends a queued delivery: those have a share.
fn is_end(status: LoggedStatus) -> bool {
    matches!(status, LoggedStatus::Sent | LoggedStatus::Bounced | LoggedStatus::Expired)
}

/// Rows that are shown even if they are zero.
const ALWAYS: usize = 2;

impl Writing<'_> {
    pub(super) fn totals(&mut self) {
        let (totals, rated) = (self.figures.totals, self.figures.rated());
        let all = totals.total();
        self.text.push('\n');
        if all == 0 {
            self.line("  nothing of our own was delivered, refused or deferred");
            self.apart();
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
            let percent = match is_end(status) {
                true => share(rated.of(status), rated.concluded()),
                false => String::new(),
            };
            self.line(&format!("  {name:14}  {:>9}  {percent:>8}  {bar}", cell.plain()));
        }
        self.text.push('\n');
        let room = self.width - 2;
        for line in self.facts().iter().flat_map(|fact| wrap(fact, room)) {
            self.line(&format!("  {line}"));
        }
        self.apart();
    }

    /// What the other figures leave out.
    fn apart(&mut self) {
        let apart = [("mail that others sent through us", self.figures.others)];
        for (what, outcomes) in apart.into_iter().chain([("mail handed to carom", self.figures.carom)]) {
            let counts = ROWS.iter().map(|(name, status, _)| (name, outcomes.of(*status)));
            let counts = counts.filter(|(_, count)| *count > 0);
            let counts: Vec<String> =
                counts.map(|(name, count)| format!("{} {name}", number(count))).collect();
            if counts.is_empty() {
                continue;
            }
            for line in wrap(&format!("not included: {what}: {}", counts.join(", ")), self.width - 2) {
                let line = self.painted(&line, Paint::Dim);
                self.line(&format!("  {line}"));
            }
        }
    }

    fn facts(&self) -> Vec<String> {
        let (figures, rated) = (self.figures, self.figures.rated());
        let mut facts = Vec::new();
        if rated.concluded() > 0 {
            let rate = share(rated.sent, rated.concluded());
            facts.push(format!("{rate} of {} that came to an end were delivered", number(rated.concluded())));
        }
        let notices = figures.null_sender.concluded();
        if notices > 0 {
            let notices = number(notices);
            facts.push(format!("percentages leave out {notices} with the null sender, as bounces have"));
        }
        if figures.deferrals > 0 {
            let attempts = if figures.deferrals == 1 { "attempt was" } else { "attempts were" };
            facts.push(format!("{} {attempts} deferred", number(figures.deferrals)));
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
