//! The time of day: now, ages of files, zones, and how times are written.
//!
//! Not here: deadlines, which use the monotonic clock (`deadline`). Invariant: whoever needs the
//! current time asks here, so that one option (`--now`) moves it for the whole process.

/// Times and days as people type them.
pub(crate) mod typed_time;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// Days of 400 years, and from 1 March of the year 0 to 1970.
const DAYS_400: i64 = 146_097;
const DAYS_0000_03_01: i64 = 719_468;
/// The last year that times are known in, 9999.
const LAST_YEAR_MS: i64 = 253_370_764_800_000;

/// Milliseconds by which this process's clock is ahead of the system's.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// Moves the clock: now it is `at_ms` (milliseconds since 1970), and from there it runs on.
pub(crate) fn start_at(at_ms: i64) {
    AHEAD_MS.store(at_ms.saturating_sub(system_ms()), Ordering::Relaxed);
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_ms() -> i64 {
    system_ms().saturating_add(AHEAD_MS.load(Ordering::Relaxed))
}

/// The later of this process's clock and the system's, milliseconds since 1970.
pub(crate) fn latest_ms() -> i64 {
    now_ms().max(system_ms())
}

/// The current time, to compare with the times of files.
pub(crate) fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(now_ms().max(0).unsigned_abs())
}

/// How long ago something was; `None` if it is in the future.
pub(crate) fn age(time: SystemTime) -> Option<Duration> {
    now().duration_since(time).ok()
}

/// The current day on this machine.
pub(crate) fn today() -> Date {
    Timestamp::from_millisecond(now_ms()).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(local_zone()).date()
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970, from RFC 3339 or `@` and seconds since 1970.
pub(crate) fn parse(text: &str) -> Option<i64> {
    match text.strip_prefix('@') {
        Some(seconds) => seconds.parse().ok().and_then(|seconds: i64| seconds.checked_mul(1000)),
        None => text.parse().ok().map(Timestamp::as_millisecond),
    }
}

/// Milliseconds since 1970, from the date of a header (RFC 5322 section 3.3).
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    jiff::fmt::rfc2822::parse(text.trim()).ok().map(|at| at.timestamp().as_millisecond())
}

/// The zone of this name in the time zone database.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    // Reading a file is cheap. Finding one by a name in another case means listing all of them,
    // which takes a millisecond.
    let folder = std::env::var_os("TZDIR").map_or_else(|| "/usr/share/zoneinfo".into(), PathBuf::from);
    let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    let data = plain.then(|| std::fs::read(folder.join(name)).ok()).flatten();
    data.and_then(|data| TimeZone::tzif(name, &data).ok()).or_else(|| TimeZone::get(name).ok())
}

/// The zone of this machine.
pub(crate) fn local_zone() -> TimeZone {
    let own = || TimeZone::tzif("local", &std::fs::read("/etc/localtime").ok()?).ok();
    // TZ also accepts forms that are not names of files.
    let named = std::env::var_os("TZ").is_some();
    (!named).then(own).flatten().unwrap_or_else(TimeZone::system)
}

/// Milliseconds since 1970 as RFC 3339 in UTC, with three digits of milliseconds: as texts, times
/// are in the order in which they came.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    const FORM: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    FORM.timestamp_to_string(&Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Appends the same, in a fraction of the time.
pub(crate) fn push_rfc3339(to: &mut Vec<u8>, at_ms: i64) {
    if !(0..LAST_YEAR_MS).contains(&at_ms) {
        return to.extend_from_slice(rfc3339(at_ms).as_bytes());
    }
    // Years that begin in March, so that the day that some have is their last one; in cycles of 400
    // of them, which are equally long.
    let days = at_ms / DAY_MS + DAYS_0000_03_01;
    let day_of_cycle = days % DAYS_400;
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = days / DAYS_400 * 400 + year_of_cycle + i64::from(month <= 2);
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |last: usize, many: usize, mut number: i64| {
        for digit in text[last + 1 - many..=last].iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    let time = at_ms % DAY_MS;
    put(3, 4, year);
    put(6, 2, month);
    put(9, 2, day);
    put(12, 2, time / HOUR_MS);
    put(15, 2, time / MINUTE_MS % 60);
    put(18, 2, time / 1000 % 60);
    put(22, 3, time % 1000);
    to.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_rfc_3339_or_as_seconds() {
        assert_eq!(parse("2026-01-01T00:00:00.5Z").unwrap(), 1_767_225_600_500);
        assert_eq!(parse("@1767225600").unwrap(), 1_767_225_600_000);
        for wrong in ["", "@", "@x", "1767225600", "2026-01-01", "@9223372036854775807"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_age_of_what_is_in_the_future_is_unknown() {
        assert!(age(now() - Duration::from_secs(60)).is_some_and(|age| age.as_secs() >= 60));
        assert_eq!(age(now() + Duration::from_secs(60)), None);
    }

    #[test]
    fn milliseconds_have_three_digits() {
        assert_eq!(rfc3339(1_767_225_600_220), "2026-01-01T00:00:00.220Z");
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_time_that_is_appended_is_written_like_others() {
        let mut at_ms = -3 * DAY_MS;
        while at_ms < LAST_YEAR_MS + 400 * DAY_MS {
            for at_ms in [at_ms, at_ms + DAY_MS - 1] {
                let mut text = Vec::new();
                push_rfc3339(&mut text, at_ms);
                assert_eq!(String::from_utf8(text).unwrap(), rfc3339(at_ms));
            }
            at_ms += if at_ms < 200 * 366 * DAY_MS { DAY_MS } else { 59 * DAY_MS + 12_345_678 };
        }
    }

    #[test]
    fn a_zone_is_the_one_that_the_database_has() {
        assert_eq!(zone("UTC"), Some(TimeZone::UTC));
        for nowhere in ["", "/etc/passwd", "../zoneinfo/UTC", "Europe", "Europe/Nowhere", "."] {
            assert!(zone(nowhere).is_none(), "{nowhere}");
        }
        // A machine may have none but UTC.
        let summer = Timestamp::from_second(1_782_000_000).unwrap();
        let offset = |zone: TimeZone| zone.to_offset(summer).seconds();
        if let Ok(berlin) = TimeZone::get("Europe/Berlin") {
            assert_eq!(zone("Europe/Berlin").map(offset), Some(offset(berlin)));
            assert_eq!(zone("europe/berlin").map(offset), Some(7200));
        }
        assert_eq!(offset(local_zone()), offset(TimeZone::system()));
    }
}
