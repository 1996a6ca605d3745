//! Outcomes over time: points, and the same in even steps for a chart.
//!
//! Not here: counting, and drawing (`render`).

use super::outcomes::Outcomes;
use super::period::Period;
use crate::clock::MINUTE_MS;
use serde::{Deserialize, Serialize};

/// What changed in one step of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Point {
    /// When the step begins, milliseconds since 1970.
    #[serde(rename = "time", with = "super::rfc3339")]
    pub(crate) at_ms: i64,
    #[serde(flatten)]
    pub(crate) outcomes: Outcomes,
}

/// The length of a step as it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Resolution {
    Minute,
    #[default]
    Hour,
    Day,
}

impl Resolution {
    pub(crate) fn ms(self) -> i64 {
        match self {
            Resolution::Minute => MINUTE_MS,
            Resolution::Hour => 60 * MINUTE_MS,
            Resolution::Day => 24 * 60 * MINUTE_MS,
        }
    }
}

/// Lengths that people divide time into, in minutes.
const USUAL: [i64; 17] =
    [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2 * 1440, 7 * 1440, 14 * 1440, 28 * 1440];

/// The shortest usual length from `least` up of which at most `most` fit into a period;
/// milliseconds.
pub(crate) fn usual_length(period_ms: i64, least: i64, most: usize) -> i64 {
    let most = i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    let fits = |length: &i64| *length >= least && period_ms <= length.saturating_mul(most);
    let usual = USUAL.iter().map(|minutes| minutes * MINUTE_MS).find(fits);
    usual.unwrap_or_else(|| least.max((period_ms / most).saturating_add(1)))
}

/// The same points in at most `most` equal steps without gaps, and the length of a step in
/// milliseconds.
pub(crate) fn even(points: &[Point], (from, to): Period, least: i64, most: usize) -> (i64, Vec<Point>) {
    // A step that has begun before is one of the period, and begins when it did.
    let from = from.saturating_sub(from.rem_euclid(least.max(1)));
    let length = usual_length(to.saturating_sub(from), least, most);
    let steps = to.saturating_sub(from).saturating_add(length - 1) / length;
    let start = |step: i64| Point { at_ms: from + step * length, ..Point::default() };
    let mut even: Vec<Point> = (0..steps).map(start).collect();
    for point in points {
        let step = usize::try_from(point.at_ms.saturating_sub(from).div_euclid(length));
        if let Some(into) = step.ok().and_then(|step| even.get_mut(step)) {
            into.outcomes += point.outcomes;
        }
    }
    (length, even)
}
