//! Which period figures are about: a local day, the last hours, or from one time to another.
//!
//! Not here: how times are typed (`cli/time`). Invariant: a period never ends before it begins.

use crate::clock::{self, DAY_MS, HOUR_MS};
use crate::error::{Context, Error, Result};
use crate::index::{Index, Interval};
use jiff::Timestamp;
use jiff::civil::Date;

/// The first millisecond since 1970 of a period, and the first one after it.
pub(crate) type Period = (i64, i64);

/// An age is typed a little before figures are gathered.
const SINCE_ASKED_MS: i64 = 5_000;

pub(crate) fn of_day(day: Date) -> Result<Period> {
    let start = |day: Date| day.to_zoned(clock::local_zone()).map(|at| at.timestamp().as_millisecond());
    Ok((start(day).context("date")?, day.tomorrow().and_then(start).context("date")?))
}

/// Today, or the latest day with deliveries.
pub(crate) fn latest_day(index: Option<&Index>) -> Result<Period> {
    let now_ms = clock::now_ms();
    let date = |at_ms| Timestamp::from_millisecond(at_ms).map(|at| at.to_zoned(clock::local_zone()).date());
    let today = date(now_ms).context("date")?;
    let newest = index.map(|index| index.newest(now_ms)).transpose()?.flatten();
    of_day(newest.and_then(|at_ms| date(at_ms).ok()).map_or(today, |day| day.min(today)))
}

/// From one time to another; without an end until now, without a beginning the 24 hours before the
/// end.
pub(crate) fn between(since: Option<i64>, until: Option<i64>, index: Option<&Index>) -> Result<Period> {
    let (from, to) = match (since, until) {
        (None, None) => latest_day(index)?,
        (Some(since), until) => (since, until.unwrap_or(clock::now_ms())),
        (None, Some(until)) => (until - DAY_MS, until),
    };
    if from > to {
        return Err(Error::new("the period ends before it begins").remedy("set --since before --until"));
    }
    Ok((from, to))
}

/// The whole steps that a period is made of: at its ends, those that it begins and ends in. One
/// that ends now and is as long as some steps has as many, with the one that has begun: 24 hours
/// are 24 hours.
pub(crate) fn in_steps((from, to): Period, step: Interval, now_ms: i64) -> Period {
    let end = step.start(to - 1) + step.ms();
    let (many, rest) = ((to - from).div_euclid(step.ms()), (to - from).rem_euclid(step.ms()));
    let ends_now = (0..SINCE_ASKED_MS).contains(&now_ms.saturating_sub(to));
    match ends_now && many > 0 && rest < SINCE_ASKED_MS {
        true => (end - many * step.ms(), end),
        false => (step.start(from), end),
    }
}

/// The last hours, including the one that has begun.
pub(crate) fn last_hours(hours: u32, now_ms: i64) -> Period {
    let to = now_ms.div_euclid(HOUR_MS) * HOUR_MS + HOUR_MS;
    (to - i64::from(hours) * HOUR_MS, to)
}
