//! What became of deliveries over time: two charts, and the same figures as a table.

use super::bars::{Bars, label, occurring, time};
use super::figure_lists::Lists;
use super::markup::Html;
use crate::maillog::LoggedStatus;
use crate::stats::Figures;
use crate::stats::outcomes::STATUSES;
use crate::stats::render::wording::number;
use crate::stats::series::Point;

/// Bars of a chart at most.
const BARS: usize = 96;

/// Failures first, so that they are at the base line.
const NOT_DELIVERED: [LoggedStatus; 7] = [
    LoggedStatus::Bounced,
    LoggedStatus::Expired,
    LoggedStatus::Deferred,
    LoggedStatus::Rejected,
    LoggedStatus::Held,
    LoggedStatus::Deleted,
    LoggedStatus::Discarded,
];

/// When the data of the period begin, if a tenth of it or more has none: carom was not there yet,
/// or nothing was logged. An empty time is not drawn, so that it does not look like an outage.
pub(crate) fn late_begin(figures: &Figures) -> Option<i64> {
    let first = figures.series.iter().find(|point| point.outcomes.total() > 0)?;
    let empty = first.at_ms.saturating_sub(figures.from_ms);
    (empty > figures.step.ms() && empty > figures.length_ms() / 10).then_some(first.at_ms)
}

/// Two charts: everything, and what was not delivered, which is usually too little for the same
/// scale.
pub(crate) fn over_time(to: &mut Html, figures: &Figures, lists: &Lists) {
    let later = late_begin(figures).map(|from_ms| Figures {
        from_ms,
        to_ms: figures.to_ms,
        utc_offset: figures.utc_offset,
        zone: figures.zone.clone(),
        step: figures.step,
        series: figures.series.clone(),
        ..Figures::default()
    });
    let figures = later.as_ref().unwrap_or(figures);
    let (length, points) = figures.steps(BARS);
    if points.iter().all(|point| point.outcomes.total() == 0) {
        return;
    }
    to.raw("<section aria-labelledby=course><h2 id=course>What became of deliveries</h2>\n");
    if figures.has_days_of_utc() {
        to.raw("<p class=note>Days begin and end by UTC.</p>\n");
    }
    to.raw("<div class=pair>\n");
    for (name, statuses) in [("All", &STATUSES[..]), ("Not delivered", &NOT_DELIVERED)] {
        if let Some(bars) = Bars::new(figures, &points, name, statuses) {
            bars.draw(to);
        }
    }
    to.raw("</div>\n");
    table(to, figures, (&points, length), lists);
    to.raw("</section>\n");
}

fn table(to: &mut Html, figures: &Figures, (points, length): (&[Point], i64), lists: &Lists) {
    to.raw("<details><summary>As a table</summary><div class=scroll tabindex=0 role=group ");
    to.raw("aria-label=\"Outcomes over time\"><table><thead><tr><th scope=col>Time");
    let statuses = occurring(points, &STATUSES);
    for status in &statuses {
        to.raw("<th scope=col>").text(label(*status));
    }
    to.raw("<tbody>");
    for point in points {
        to.raw("<tr><th scope=row>");
        let step = lists.within(point.at_ms, point.at_ms.saturating_add(length));
        step.number(to, &time(figures, point.at_ms, length), &[]);
        for status in &statuses {
            to.raw("<td>");
            match point.outcomes.of(*status) {
                0 => _ = to.raw("0"),
                count => step.number(to, &number(count), &[("status", status.name())]),
            }
        }
    }
    to.raw("</table></div></details>");
}
