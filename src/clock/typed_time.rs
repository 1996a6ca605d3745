//! Times and days as people type them.
//!
//! Not here: what a period is (`stats::period`). Invariant: a date without a zone is local, an age
//! counts back from now.

use super::{local_zone, now_ms, today};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};

/// A unit of an age, and its seconds.
const AGES: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 7 * 86_400)];
/// A smaller number than this is a mistake rather than seconds since 1970.
const FIRST_SECOND: i64 = 100_000_000;

/// What is said of a text that is no time.
const FORMS: &str =
    "use 2026-01-31T12:00:00Z, 2026-01-31, 22:00, now, today, yesterday, or an age like 90m, 12h, 7d";

/// What is said of a time that cannot be counted.
const BEYOND: &str = "use a time from 0001-01-01 to 9999-12-30: this one is outside the calendar";

/// RFC 3339, a local date with or without time, a time of the last 24 hours, the beginning of today
/// or yesterday, now, an age, or seconds since 1970; as milliseconds since 1970.
pub(crate) fn time(typed: &str) -> Result<i64, String> {
    let age = AGES.into_iter().find_map(|(unit, seconds)| {
        let count: i64 = typed.strip_suffix(unit)?.parse().ok()?;
        Some(now_ms().saturating_sub(count.saturating_mul(seconds * 1000)))
    });
    let stamp = || typed.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    let now = || (typed == "now").then(now_ms);
    let local = || {
        let date = || Some(day(typed).ok()?.at(0, 0, 0, 0));
        let at: DateTime = typed.parse().ok().or_else(date)?;
        at.to_zoned(local_zone()).ok().map(|at| at.timestamp().as_millisecond())
    };
    let seconds = || typed.parse::<i64>().ok().filter(|seconds| *seconds > FIRST_SECOND)?.checked_mul(1000);
    let time = age.or_else(now).or_else(stamp).or_else(local).or_else(|| last(typed)).or_else(seconds);
    match time {
        Some(at_ms) if Timestamp::from_millisecond(at_ms).is_ok() => Ok(at_ms),
        Some(_) => Err(BEYOND.to_owned()),
        None if is_of_last_year(typed) => Err(BEYOND.to_owned()),
        None => Err(FORMS.to_owned()),
    }
}

/// When the clock of this host has last shown this time.
fn last(typed: &str) -> Option<i64> {
    // The parser would take the time of a whole stamp, too.
    let is_time = typed.len() <= "22:00:00".len() && typed.get(2..3) == Some(":");
    let clock: Time = typed.parse().ok().filter(|_| is_time)?;
    let on =
        |day: Date| Some(day.to_datetime(clock).to_zoned(local_zone()).ok()?.timestamp().as_millisecond());
    let today = today();
    on(today).filter(|at_ms| *at_ms <= now_ms()).or_else(|| on(today.yesterday().ok()?))
}

/// Whether it begins with a day of the last year, which is not all in the calendar.
fn is_of_last_year(typed: &str) -> bool {
    typed.get(..10).and_then(|day| day.parse::<Date>().ok()).is_some_and(|day| day.year() == 9999)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_a_day_is_the_last_one() {
        for typed in ["00:00", "03:17", "12:00:30", "22:00", "23:59"] {
            let (at_ms, now_ms) = (time(typed).unwrap(), now_ms());
            assert!(at_ms <= now_ms && at_ms > now_ms - 26 * 3_600_000, "{typed}");
            let shown = Timestamp::from_millisecond(at_ms).unwrap().to_zoned(local_zone()).time().to_string();
            assert!(shown.starts_with(typed), "{typed} {shown}");
        }
    }

    #[test]
    fn a_time_that_cannot_be_counted_is_said_to_be_outside_the_calendar() {
        for beyond in
            ["9999-12-31", "9999-12-31T12:00:00Z", "9999-12-31T00:00", "99999999999d", "999999999999999"]
        {
            assert_eq!(time(beyond), Err(BEYOND.to_owned()), "{beyond}");
        }
        assert!(time("9999-12-29").is_ok() && time("0001-01-02").is_ok());
        for wrong in ["2026-02-31", "2026-01-31ZZ", "soon", "", "24:00", "9:00", "22:60", "T22:00", "22:"] {
            assert!(time(wrong).is_err_and(|error| error == FORMS), "{wrong}");
        }
    }
}
