//! The time of day, and zones. Deadlines use the monotonic clock instead (`deadline`).

use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
/// The same in milliseconds, as times are counted.
pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;

/// The zone of this name, as the time zone database has it.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    // To read a file is cheap. To find one by a name in another case all have to be listed, which takes a millisecond.
    let folder = std::env::var_os("TZDIR").map_or_else(|| "/usr/share/zoneinfo".into(), PathBuf::from);
    let plain = name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'));
    let data = plain.then(|| std::fs::read(folder.join(name)).ok()).flatten();
    data.and_then(|data| TimeZone::tzif(name, &data).ok()).or_else(|| TimeZone::get(name).ok())
}

/// The zone of this machine.
pub(crate) fn local_zone() -> TimeZone {
    let own = || TimeZone::tzif("local", &std::fs::read("/etc/localtime").ok()?).ok();
    // The variable has names of its own kind.
    let named = std::env::var_os("TZ").is_some();
    (!named).then(own).flatten().unwrap_or_else(TimeZone::system)
}

/// Milliseconds since 1970 as RFC 3339 in UTC.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// The same, always with three digits of milliseconds.
pub(crate) fn rfc3339_ms(at_ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_digits() {
        assert_eq!(rfc3339_ms(1_767_225_600_220), "2026-01-01T00:00:00.220Z");
        assert_eq!(rfc3339_ms(0), "1970-01-01T00:00:00.000Z");
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
