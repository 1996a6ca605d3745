//! Times and days as people type them.
//!
//! Not here: what a period is (`stats::period`). Invariant: a date without a zone is local, an age
//! counts back from now.

use super::{local_zone, now_ms, today};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};

/// A unit of an age, and its seconds.
const AGES: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 7 * 86_400)];
/// A smaller number than this is a mistake rather than seconds since 1970.
const FIRST_SECOND: i64 = 100_000_000;

/// RFC 3339, a local date with or without time, an age, or seconds since 1970; as milliseconds
/// since 1970.
pub(crate) fn time(typed: &str) -> Result<i64, String> {
    let age = AGES.into_iter().find_map(|(unit, seconds)| {
        let count: i64 = typed.strip_suffix(unit)?.parse().ok()?;
        Some(now_ms().saturating_sub(count.saturating_mul(seconds * 1000)))
    });
    let stamp = || typed.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    let local = || {
        let date = || Some(typed.parse::<Date>().ok()?.at(0, 0, 0, 0));
        let at: DateTime = typed.parse().ok().or_else(date)?;
        at.to_zoned(local_zone()).ok().map(|at| at.timestamp().as_millisecond())
    };
    let seconds = || typed.parse::<i64>().ok().filter(|seconds| *seconds > FIRST_SECOND)?.checked_mul(1000);
    let time = age.or_else(stamp).or_else(local).or_else(seconds);
    // What is beyond the calendar is no time.
    let time = time.filter(|at_ms| Timestamp::from_millisecond(*at_ms).is_ok());
    time.ok_or_else(|| "use 2026-01-31T12:00:00Z, 2026-01-31, or an age like 90m, 12h, 7d".to_owned())
}

/// `today`, `yesterday`, or a date.
pub(crate) fn day(typed: &str) -> Result<Date, String> {
    let today = today();
    match typed {
        "today" => Ok(today),
        "yesterday" => today.yesterday().map_err(|error| error.to_string()),
        date => date.parse().map_err(|_| "use today, yesterday, or a date like 2026-01-31".to_owned()),
    }
}
