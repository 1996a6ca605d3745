//! Outcomes over time, as a row of small bars for each status.

use super::Writing;
use crate::clock::DAY_MS;
use crate::maillog::LoggedStatus;
use crate::stats::outcomes::STATUSES;
use crate::stats::render::columns::Paint;
use crate::stats::render::wording::{number, width};
use crate::stats::series::Point;

/// What is on each line besides the bars: margins, name and peak.
const BESIDES: usize = 2 + 11 + 2 + 2 + 22;
/// Steps that are drawn on any terminal.
const FEWEST: usize = 24;
/// Columns that a label of the time axis has on average.
const LABEL: usize = 8;

impl Writing<'_> {
    pub(super) fn course(&mut self) {
        let room = self.width.saturating_sub(BESIDES);
        let (length, points) = self.figures.steps(room.max(FEWEST));
        if points.iter().all(|point| point.outcomes.total() == 0) || points.len() < 2 {
            return;
        }
        // A day of hours looks better wide.
        let columns = if points.len() * 2 <= room { 2 } else { 1 };
        let zone = if self.figures.has_days_of_utc() { " (UTC)" } else { "" };
        self.head(&format!("Each {} from {}{zone}", length_name(length), self.time(points[0].at_ms)));
        for status in STATUSES {
            if let Some(line) = self.course_of(status, &points, columns) {
                self.line(&line);
            }
        }
        let axis = self.painted(&self.axis(&points, columns), Paint::Dim);
        self.line(&format!("  {:11}{axis}", ""));
    }

    fn course_of(&self, status: LoggedStatus, points: &[Point], columns: usize) -> Option<String> {
        let count = |point: &Point| point.outcomes.of(status);
        let most = points.iter().map(count).max().filter(|most| *most > 0)?;
        let peak = points.iter().find(|point| count(point) == most)?;
        let bars: String =
            points.iter().flat_map(|point| [bar(count(point), most)].repeat(columns)).collect();
        let paint = match status {
            LoggedStatus::Sent => Paint::Good,
            LoggedStatus::Bounced | LoggedStatus::Expired => Paint::Bad,
            _ => Paint::Fair,
        };
        let peak = format!("most {} at {}", number(most), self.time(peak.at_ms));
        let fits = 2 + 11 + bars.chars().count() + 2 + width(&peak) <= self.width;
        let peak = if fits { self.painted(&peak, Paint::Dim) } else { String::new() };
        let name = if status == LoggedStatus::Sent { "delivered" } else { status.name() };
        Some(format!("  {name:11}{}  {peak}", self.painted(&bars, paint)))
    }

    fn axis(&self, points: &[Point], columns: usize) -> String {
        let all = points.len() * columns;
        let every = points.len().div_ceil((all / LABEL).max(1)).max(1);
        let mut axis = String::new();
        for (index, point) in points.iter().enumerate().step_by(every) {
            let (label, column) = (self.time(point.at_ms), index * columns);
            if column + width(&label) <= all {
                axis.push_str(&" ".repeat(column.saturating_sub(axis.len())));
                axis.push_str(&label);
            }
        }
        axis
    }

    /// As short as the period allows.
    fn time(&self, at_ms: i64) -> String {
        let is_long = self.figures.length_ms() > 2 * DAY_MS;
        self.figures.step_clock(at_ms, if is_long { "%m-%d" } else { "%H:%M" })
    }
}

/// Something is never drawn as nothing.
fn bar(count: u64, most: u64) -> char {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
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
