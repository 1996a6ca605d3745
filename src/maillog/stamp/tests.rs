//! Stamps of every form, and the years and hours that they leave open.

use super::*;
use crate::clock::HOUR_MS;

/// 2026-01-01T12:00:00Z.
const NEW_YEAR: i64 = 1_767_268_800_000;

fn read(line: &str) -> Option<(String, String)> {
    read_in(TimeZone::UTC, NEW_YEAR, line)
}

fn read_in(zone: TimeZone, reference: i64, line: &str) -> Option<(String, String)> {
    let (at, rest) = Stamps::new(zone, reference).read(line.as_bytes())?;
    let at = jiff::Timestamp::from_millisecond(at).unwrap().to_string();
    Some((at, String::from_utf8(rest.to_vec()).unwrap()))
}

#[test]
fn every_form_of_one_moment_is_that_moment() {
    for line in [
        "Dec 31 03:04:05.678 mx x",
        "Dec 31 2025 03:04:05.678 mx x",
        "2025-12-31T03:04:05.678901+00:00 mx x",
        "2025-12-31T03:04:05.678Z mx x",
        "2025-12-31T04:34:05.678+0130 mx x",
        "2025-12-31T01:04:05.678-02:00 mx x",
        "2025-12-31 03:04:05,678 mx x",
        "2025 Dec 31 03:04:05.678 mx x",
        "Wed 2025-12-31 03:04:05.678 UTC mx x",
        "1767150245.678123 mx x",
        "<22>Dec 31 03:04:05.678 mx x",
        "<22>1 2025-12-31T03:04:05.678Z mx x",
    ] {
        let want = ("2025-12-31T03:04:05.678Z".to_owned(), "mx x".to_owned());
        assert_eq!(read(line), Some(want), "{line}");
    }
    assert_eq!(read("Wed Dec 31 03:04:05 2025 mail.info x").unwrap().0, "2025-12-31T03:04:05Z");
    assert_eq!(read("Jan  1 03:04:05 mx x").unwrap().0, "2026-01-01T03:04:05Z");
    assert_eq!(read("Jan 1 03:04:05 mx x").unwrap().0, "2026-01-01T03:04:05Z");
}

#[test]
fn a_year_is_the_latest_that_is_not_in_the_future() {
    assert_eq!(read("Dec 31 23:59:59 mx").unwrap().0, "2025-12-31T23:59:59Z");
    assert_eq!(read("Jan  2 23:00:00 mx").unwrap().0, "2026-01-02T23:00:00Z", "clocks differ");
    assert_eq!(read("Jan  4 00:00:00 mx").unwrap().0, "2025-01-04T00:00:00Z");
    assert_eq!(read("Feb 29 00:00:00 mx").unwrap().0, "2024-02-29T00:00:00Z");
    let eve = NEW_YEAR - 13 * HOUR_MS;
    assert_eq!(read_in(TimeZone::UTC, eve, "Jan  1 00:00:01 mx").unwrap().0, "2026-01-01T00:00:01Z");
}

#[test]
fn a_stamp_without_a_zone_is_in_that_of_the_settings() {
    let zone = TimeZone::fixed(jiff::tz::offset(2));
    assert_eq!(read_in(zone.clone(), NEW_YEAR, "Jan  1 01:00:00 mx").unwrap().0, "2025-12-31T23:00:00Z");
    let zoned = read_in(zone, NEW_YEAR, "2026-01-01T01:00:00.5Z mx").unwrap();
    assert_eq!(zoned.0, "2026-01-01T01:00:00.5Z");
}

#[test]
fn the_hour_that_is_remembered_is_not_used_for_another() {
    let mut stamps = Stamps::new(TimeZone::UTC, NEW_YEAR);
    for (line, at) in [
        ("Dec 31 23:59:59 mx", 1_767_225_599_000),
        ("Jan  1 00:00:00 mx", 1_767_225_600_000),
        ("2024 Jan  1 00:00:00 mx", 1_704_067_200_000),
        ("Jan  1 00:00:01 mx", 1_767_225_601_000),
    ] {
        assert_eq!(stamps.read(line.as_bytes()).unwrap().0, at, "{line}");
    }
}

#[test]
fn an_hour_that_comes_twice_is_told_apart_by_the_lines_before() {
    let Some(zone) = crate::clock::zone("Europe/Berlin") else { return };
    // The clocks go back at 01:00 UTC on 25 October 2026.
    let lines = [
        ("Oct 25 01:59:50 mx", "2026-10-24T23:59:50Z"),
        ("Oct 25 02:00:10 mx", "2026-10-25T00:00:10Z"),
        ("Oct 25 02:59:59 mx", "2026-10-25T00:59:59Z"),
        ("Oct 25 02:00:10 mx", "2026-10-25T01:00:10Z"),
        ("Oct 25 02:00:09 mx", "2026-10-25T01:00:09Z"),
        ("2026-10-25 02:30:00 mx", "2026-10-25T01:30:00Z"),
        ("Oct 25 03:00:00 mx", "2026-10-25T02:00:00Z"),
    ];
    let mut stamps = Stamps::new(zone.clone(), 1_793_000_000_000);
    stamps.in_order_from(0);
    for (line, at) in lines {
        let want: jiff::Timestamp = at.parse().unwrap();
        assert_eq!(stamps.read(line.as_bytes()).unwrap().0, want.as_millisecond(), "{line}");
    }
    let mut stamps = Stamps::new(zone, 1_793_000_000_000);
    stamps.in_order_from("2026-10-25T00:59:59Z".parse::<jiff::Timestamp>().unwrap().as_millisecond());
    let want: jiff::Timestamp = "2026-10-25T01:00:10Z".parse().unwrap();
    assert_eq!(stamps.read(b"Oct 25 02:00:10 mx").unwrap().0, want.as_millisecond());
}

#[test]
fn what_is_not_a_stamp_is_not_read() {
    for line in [
        "",
        " ",
        "x",
        "Jan",
        "Jan  2",
        "Jan  2 25:00:00 mx",
        "Jan  2 03:04:05",
        "2026-13-01T00:00:00Z mx",
        "2026-01-01T00:61:00Z mx",
        "12345 mx",
        "<22",
        "<>",
        "\tcontinued line",
        "2026",
        "Foo  2 03:04:05 mx",
    ] {
        assert_eq!(read(line), None, "{line}");
    }
}
