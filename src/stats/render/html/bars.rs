//! A bar chart over time, as SVG.
//!
//! Horizontal places are per cent and vertical ones pixels, without a view box: a chart is as wide
//! as its place, and its text is never scaled. Not here: colours, which the style sheet knows.
//! Invariant: a chart has a name for readers who do not see it.

use super::markup::Html;
use crate::clock::DAY_MS;
use crate::maillog::LoggedStatus;
use crate::stats::Figures;
use crate::stats::render::wording::{number, short};
use crate::stats::series::{Point, usual_length};

/// Pixels between the top line and the base line.
const HEIGHT: f64 = 180.0;
/// Pixels above the top line.
const MARGIN: f64 = 12.0;
const BASE: f64 = MARGIN + HEIGHT;
/// With the labels below the base line.
const FULL: f64 = BASE + MARGIN + 10.0;

pub(crate) struct Bars<'a> {
    figures: &'a Figures,
    points: &'a [Point],
    name: &'static str,
    statuses: Vec<LoggedStatus>,
    /// The highest bar.
    peak: &'a Point,
    scale: Scale,
    /// Milliseconds of one step.
    length: i64,
}

impl<'a> Bars<'a> {
    /// None if there is nothing to draw.
    pub(crate) fn new(
        figures: &'a Figures,
        points: &'a [Point],
        name: &'static str,
        statuses: &[LoggedStatus],
    ) -> Option<Bars<'a>> {
        let statuses = occurring(points, statuses);
        let peak = points.iter().max_by_key(|point| sum(point, &statuses))?;
        let most = sum(peak, &statuses);
        let length = figures.length_ms().max(1) / i64::try_from(points.len()).unwrap_or(1);
        let bars = Bars { figures, points, name, statuses, peak, scale: Scale::reaching(most), length };
        (most > 0).then_some(bars)
    }

    pub(crate) fn draw(&self, to: &mut Html) {
        to.raw("<figure class=card><figcaption><h3>").raw(self.name).raw("</h3>");
        self.legend(to);
        to.raw("</figcaption>\n<div class=chart>");
        self.scale_labels(to);
        let (most, at) = (number(sum(self.peak, &self.statuses)), self.time(self.peak.at_ms));
        let label = format!("{}, over time: at most {most} at {at}", self.name);
        to.tag(
            "svg",
            &[
                ("class", &"plot"),
                ("width", &"100%"),
                ("height", &FULL),
                ("role", &"img"),
                ("aria-label", &label),
            ],
        );
        self.grid(to);
        for (index, point) in self.points.iter().enumerate() {
            self.bar(to, index, point);
        }
        self.time_labels(to);
        to.raw("</svg></div></figure>\n");
    }

    fn legend(&self, to: &mut Html) {
        to.raw("<ul class=legend>");
        for status in &self.statuses {
            let total: u64 = self.points.iter().map(|point| point.outcomes.of(*status)).sum();
            to.tag("li", &[("class", status)]).text(label(*status));
            to.raw(" <b>").text(number(total)).raw("</b>");
        }
        to.raw("</ul>");
    }

    fn scale_labels(&self, to: &mut Html) {
        to.tag("svg", &[("class", &"scale"), ("width", &46), ("height", &FULL), ("aria-hidden", &"true")]);
        for (count, y) in self.scale.lines() {
            to.tag("text", &[("x", &40), ("y", &tenth(y)), ("dy", &".32em"), ("text-anchor", &"end")]);
            to.text(short(count)).raw("</text>");
        }
        to.raw("</svg>");
    }

    fn grid(&self, to: &mut Html) {
        for (count, y) in self.scale.lines() {
            let (class, y) = (if count == 0 { "base" } else { "grid" }, tenth(y));
            to.shape("line", &[("class", &class), ("x1", &0), ("x2", &"100%"), ("y1", &y), ("y2", &y)]);
        }
    }

    /// Per cent of the width that a step has.
    fn slot(&self) -> f64 {
        100.0 / self.points.len() as f64
    }

    fn bar(&self, to: &mut Html, index: usize, point: &Point) {
        let counts: Vec<(LoggedStatus, u64)> =
            self.statuses.iter().map(|status| (*status, point.outcomes.of(*status))).collect();
        let counts = || counts.iter().filter(|(_, count)| *count > 0);
        if counts().next().is_none() {
            return;
        }
        let (x, slot) = (self.slot() * index as f64, self.slot());
        // A script leads to the row of the same number in the table.
        to.tag("g", &[("data-step", &index)]).raw("<title>").text(self.time(point.at_ms));
        for (status, count) in counts() {
            to.raw("\n").text(number(*count)).raw(" ").text(label(*status));
        }
        to.raw("</title>");
        let (left, width) = (fine(x), fine(slot));
        to.shape(
            "rect",
            &[("class", &"hover"), ("x", &left), ("width", &width), ("y", &MARGIN), ("height", &HEIGHT)],
        );
        let (left, width) = (fine(x + slot * 0.1), fine(slot * 0.8));
        let mut below = 0.0;
        for (status, count) in counts() {
            let y = self.scale.level(below + *count as f64);
            let height = format!("{:.2}", self.scale.level(below) - y);
            let y = format!("{y:.2}");
            to.shape(
                "rect",
                &[("class", status), ("x", &left), ("width", &width), ("y", &y), ("height", &height)],
            );
            below += *count as f64;
        }
        to.raw("</g>");
    }

    /// At full hours or days of the wall clock.
    fn time_labels(&self, to: &mut Html) {
        let every = usual_length(self.figures.length_ms().max(1), self.length, 6);
        let local = |at_ms: i64| at_ms.saturating_add(i64::from(self.figures.step_offset(at_ms)) * 1000);
        for (index, point) in self.points.iter().enumerate() {
            let at = local(point.at_ms);
            let is_due = match every > DAY_MS {
                true => (at - local(self.figures.from_ms)) % every == 0,
                false => at.rem_euclid(every) < self.length,
            };
            let x = self.slot() * index as f64;
            // A label at the right edge would be cut.
            if !is_due || x >= 94.0 {
                continue;
            }
            let length = self.length.max(if every >= DAY_MS { every } else { 0 });
            let x = fine(x);
            to.shape(
                "line",
                &[("class", &"tick"), ("x1", &x), ("x2", &x), ("y1", &BASE), ("y2", &(BASE + 4.0))],
            );
            to.tag("text", &[("x", &x), ("y", &(BASE + 16.0))]);
            to.text(time(self.figures, point.at_ms, length)).raw("</text>");
        }
    }

    fn time(&self, at_ms: i64) -> String {
        time(self.figures, at_ms, self.length)
    }
}

/// Round steps of a vertical scale.
struct Scale {
    tick: u64,
    ticks: u64,
}

impl Scale {
    fn reaching(most: u64) -> Scale {
        let mut unit = 1u64;
        loop {
            for factor in [1, 2, 5] {
                let tick = unit.saturating_mul(factor);
                if most.div_ceil(tick) <= 4 {
                    return Scale { tick, ticks: most.div_ceil(tick).max(1) };
                }
            }
            unit = unit.saturating_mul(10);
        }
    }

    /// Pixels from the top.
    fn level(&self, count: f64) -> f64 {
        BASE - count / (self.tick * self.ticks) as f64 * HEIGHT
    }

    /// Counts with their levels, from the base line up.
    fn lines(&self) -> impl Iterator<Item = (u64, f64)> {
        (0..=self.ticks).map(|at| (self.tick * at, self.level((self.tick * at) as f64)))
    }
}

fn sum(point: &Point, statuses: &[LoggedStatus]) -> u64 {
    statuses.iter().map(|status| point.outcomes.of(*status)).sum()
}

fn tenth(pixels: f64) -> String {
    format!("{pixels:.1}")
}

fn fine(percent: f64) -> String {
    format!("{percent:.3}%")
}

pub(crate) fn label(status: LoggedStatus) -> &'static str {
    match status {
        LoggedStatus::Sent => "delivered",
        LoggedStatus::Deferred => "still deferred",
        other => other.name(),
    }
}

/// The statuses that at least one delivery has.
pub(crate) fn occurring(points: &[Point], statuses: &[LoggedStatus]) -> Vec<LoggedStatus> {
    let occurs = |status: &LoggedStatus| points.iter().any(|point| point.outcomes.of(*status) > 0);
    statuses.iter().copied().filter(occurs).collect()
}

/// As short as the period and the length of a step allow.
pub(crate) fn time(figures: &Figures, at_ms: i64, length: i64) -> String {
    let form = match (figures.length_ms() > 2 * DAY_MS, length < DAY_MS) {
        (false, _) => "%H:%M",
        (true, true) => "%-d %b %H:%M",
        (true, false) => "%-d %b",
    };
    figures.step_clock(at_ms, form)
}
