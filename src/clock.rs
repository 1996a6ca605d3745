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
