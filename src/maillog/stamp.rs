//! Time stamps: what begins a line of a log.
//!
//! Traditional syslog (RFC 3164, which knows neither year nor zone), RFC 3339, RFC 5424 headers, templates
//! with the year in front, seconds since 1970, and what journalctl prints. Not here: what follows the stamp.
//! Invariant: a stamp without a year gets the latest year that does not lie in the future of the reference,
//! and a stamp without a zone is read in the zone of the settings.

use crate::clock::HOUR_MS;
use jiff::civil;
use jiff::tz::TimeZone;

/// A stamp may be this far ahead of the reference (milliseconds) before it is taken for one of last year.
const AHEAD_MS: i64 = 36 * HOUR_MS;

/// Lines may be out of order by so much (milliseconds).
const DISORDER_MS: i64 = 600_000;

/// Reads stamps. It remembers the last hour seen, because the next line has most likely the same.
pub(crate) struct Stamps {
    zone: TimeZone,
    reference_ms: i64,
    /// Year, month, day and hour as a number, and when that hour began.
    hour: (u32, Began),
    /// The same for stamps without a year (year 0).
    yearless: (u32, Began),
    minute: Minute,
    /// The latest stamp, milliseconds since 1970; none where stamps come in no order.
    latest_ms: Option<i64>,
}

/// When an hour of the clock on the wall began, milliseconds since 1970; twice where the clock was set back.
#[derive(Clone, Copy, Default)]
struct Began {
    first_ms: i64,
    again_ms: i64,
}

/// A stamp without its seconds: what is before them (most likely the next line has the same), what is behind them (a zone, a
/// space), and when the minute began. Nothing is before them if there is none.
#[derive(Default)]
struct Minute {
    before: Vec<u8>,
    behind: Vec<u8>,
    start_ms: i64,
}

/// A date and hour as the line has them; year 0 is unknown.
#[derive(Clone, Copy)]
struct Hour {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
}

impl Stamps {
    /// `zone` is that of stamps without one; `reference_ms` is the time that no line is younger than: the
    /// last modification of a file, now for what comes in at once.
    pub(crate) fn new(zone: TimeZone, reference_ms: i64) -> Stamps {
        let (hour, yearless) = ((0, Began::default()), (0, Began::default()));
        Stamps { zone, reference_ms, hour, yearless, minute: Minute::default(), latest_ms: None }
    }

    /// Stamps come in order, as lines of a log do, from this one on: by that an hour that comes twice is told apart.
    pub(crate) fn in_order_from(&mut self, latest_ms: i64) {
        self.latest_ms = self.latest_ms.max(Some(latest_ms));
    }

    /// Sets the reference for the lines that follow.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.reference_ms = reference_ms;
        self.yearless = (0, Began::default());
        self.minute.before.clear();
    }

    /// The time at the start of a line (milliseconds since 1970, UTC), and what follows its space.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if let Some(found) = self.minute.read(line) {
            self.latest_ms = self.latest_ms.map(|latest_ms| latest_ms.max(found.0));
            return Some(found);
        }
        let (at_ms, rest) = self.read_whole(line)?;
        self.latest_ms = self.latest_ms.map(|latest_ms| latest_ms.max(at_ms));
        self.minute.remember(&line[..line.len() - rest.len()], at_ms);
        Some((at_ms, rest))
    }

    fn read_whole<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        match line.first()? {
            b'<' => {
                let close = line.iter().take(6).position(|&byte| byte == b'>')?;
                let rest = &line[close + 1..];
                self.read_bare(rest.strip_prefix(b"1 ").unwrap_or(rest))
            }
            _ => self.read_bare(line),
        }
    }

    fn read_bare<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if line.first()?.is_ascii_digit() {
            return match line.get(4)? {
                b'-' => self.iso(line, false),
                b' ' => self.year_first(line),
                _ => unix(line),
            };
        }
        if month(line).is_some() {
            return self.traditional(line);
        }
        // The day of the week, as `journalctl -o short-full` and busybox have it.
        let space = line.iter().take(5).position(|&byte| byte == b' ')?;
        let rest = &line[space + 1..];
        if rest.first()?.is_ascii_digit() { self.iso(rest, true) } else { self.traditional(rest) }
    }

    /// `Jan  2 03:04:05`, also with a fraction, with the year before or after the time.
    fn traditional<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let month = month(line)?;
        let (day, mut rest) = number(line.get(4..)?.trim_ascii_start(), 2)?;
        rest = rest.strip_prefix(b" ")?;
        let mut year = 0;
        if rest.get(4) == Some(&b' ') {
            (year, rest) = number(rest, 4)?;
            rest = &rest[1..];
        }
        let (hour, within, mut rest) = time(rest)?;
        let century = rest.starts_with(b"20") || rest.starts_with(b"19");
        if year == 0
            && century
            && rest.get(4) == Some(&b' ')
            && let Some((after, tail)) = number(rest, 4)
        {
            (year, rest) = (after, &tail[1..]);
        }
        let start = self.local(Hour { year: year as u16, month, day: day as u8, hour }, within)?;
        Some((start + within, rest))
    }

    /// `2026 Jan 02 03:04:05.678`.
    fn year_first<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (year, rest) = number(line, 4)?;
        let rest = rest.strip_prefix(b" ")?;
        let month = month(rest)?;
        let (day, rest) = number(rest.get(4..)?.trim_ascii_start(), 2)?;
        let (hour, within, rest) = time(rest.strip_prefix(b" ")?)?;
        let start = self.local(Hour { year: year as u16, month, day: day as u8, hour }, within)?;
        Some((start + within, rest))
    }

    /// `2026-01-02T03:04:05.678901+01:00`, also with a space, without a zone, or with one by name (`named`).
    fn iso<'a>(&mut self, line: &'a [u8], named: bool) -> Option<(i64, &'a [u8])> {
        let (year, rest) = number(line, 4)?;
        let (month, rest) = number(rest.strip_prefix(b"-")?, 2)?;
        let (day, rest) = number(rest.strip_prefix(b"-")?, 2)?;
        if !matches!(rest.first()?, b'T' | b't' | b' ') {
            return None;
        }
        let (hour, rest) = number(&rest[1..], 2)?;
        let (within, rest) = minutes(rest)?;
        let at = Hour { year: year as u16, month: month as u8, day: day as u8, hour: hour as u8 };
        let (offset_ms, rest) = match rest.first()? {
            b'Z' | b'z' => (Some(0), &rest[1..]),
            b'+' | b'-' => {
                let (hours, after) = number(&rest[1..], 2)?;
                let (minutes, after) =
                    number(after.strip_prefix(b":").unwrap_or(after), 2).unwrap_or((0, after));
                let offset = i64::from(hours * 60 + minutes) * 60_000;
                (Some(if rest[0] == b'+' { offset } else { -offset }), after)
            }
            _ => (None, rest),
        };
        let mut rest = rest.strip_prefix(b" ")?;
        let mut utc = offset_ms;
        if named && utc.is_none() {
            let space = rest.iter().position(|&byte| byte == b' ')?;
            utc = matches!(&rest[..space], b"UTC" | b"GMT").then_some(0);
            rest = &rest[space + 1..];
        }
        let start = match utc {
            Some(offset_ms) => self.civil(at)? - offset_ms,
            None => self.local(at, within)?,
        };
        Some((start + within, rest))
    }

    /// When this hour began in UTC.
    fn civil(&self, at: Hour) -> Option<i64> {
        if !(1..=12).contains(&at.month) || !(1..=31).contains(&at.day) || at.hour > 23 {
            return None;
        }
        // Days since 1970 in the proleptic Gregorian calendar; years count from March.
        let (year, month) = (i64::from(at.year) - i64::from(at.month <= 2), (i64::from(at.month) + 9) % 12);
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + i64::from(at.day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        Some((days * 24 + i64::from(at.hour)) * HOUR_MS)
    }

    /// When this hour began in the zone of the settings; `within`: milliseconds since.
    fn local(&mut self, at: Hour, within: i64) -> Option<i64> {
        let Began { first_ms, again_ms } = self.began(at)?;
        // Time does not go back: what seems to be before all that was read is in the hour that came again.
        let is_again = self.latest_ms.is_some_and(|latest_ms| {
            first_ms + within < latest_ms - DISORDER_MS && again_ms + within < latest_ms + HOUR_MS
        });
        Some(if is_again { again_ms } else { first_ms })
    }

    fn began(&mut self, at: Hour) -> Option<Began> {
        let key = u32::from(at.year) << 16
            | u32::from(at.month) << 12
            | u32::from(at.day) << 6
            | u32::from(at.hour);
        let remembered = if at.year == 0 { self.yearless } else { self.hour };
        if remembered.0 == key {
            return Some(remembered.1);
        }
        if at.year != 0 {
            let start = self.zoned(i16::try_from(at.year).ok()?, at)?;
            self.hour = (key, start);
            return Some(start);
        }
        let reference = jiff::Timestamp::from_millisecond(self.reference_ms).ok()?;
        let this_year = reference.to_zoned(self.zone.clone()).year();
        // Nine years, because the 29th of February may be as far away as eight. New Year's Eve may be ahead
        // by a day.
        let years = (this_year - 8..=this_year + 1).rev();
        let starts = years.filter_map(|year| self.zoned(year, at));
        let start = starts.into_iter().find(|start| start.first_ms <= self.reference_ms + AHEAD_MS)?;
        self.yearless = (key, start);
        Some(start)
    }

    fn zoned(&self, year: i16, at: Hour) -> Option<Began> {
        let date = civil::Date::new(year, at.month as i8, at.day as i8).ok()?;
        let time = civil::Time::new(at.hour as i8, 0, 0, 0).ok()?;
        let zoned = self.zone.to_ambiguous_zoned(date.to_datetime(time));
        let first_ms = zoned.clone().compatible().ok()?.timestamp().as_millisecond();
        let again_ms =
            if zoned.is_ambiguous() { zoned.later().ok()?.timestamp().as_millisecond() } else { first_ms };
        Some(Began { first_ms, again_ms })
    }
}

impl Minute {
    fn read<'a>(&self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if self.before.is_empty() {
            return None;
        }
        let (seconds_ms, rest) = seconds(line.strip_prefix(&self.before[..])?)?;
        Some((self.start_ms + seconds_ms, rest.strip_prefix(&self.behind[..])?))
    }

    /// Remembers a stamp that was read; the first time of day in it is its own.
    fn remember(&mut self, stamp: &[u8], at_ms: i64) {
        self.before.clear();
        let Some(colon) = (stamp.len() < 64).then(|| memchr::memchr(b':', stamp)).flatten() else { return };
        if stamp.get(colon + 3) != Some(&b':') {
            return;
        }
        let (before, rest) = stamp.split_at(colon + 4);
        if let Some((seconds_ms, behind)) = seconds(rest) {
            self.before.extend_from_slice(before);
            self.behind.clear();
            self.behind.extend_from_slice(behind);
            self.start_ms = at_ms - seconds_ms;
        }
    }
}

/// The number of the month that three letters and a space name.
fn month(text: &[u8]) -> Option<u8> {
    let [a, b, c, b' ', ..] = text else { return None };
    let number = match (a, b, c) {
        (b'J', b'a', b'n') => 1,
        (b'F', b'e', b'b') => 2,
        (b'M', b'a', b'r') => 3,
        (b'A', b'p', b'r') => 4,
        (b'M', b'a', b'y') => 5,
        (b'J', b'u', b'n') => 6,
        (b'J', b'u', b'l') => 7,
        (b'A', b'u', b'g') => 8,
        (b'S', b'e', b'p') => 9,
        (b'O', b'c', b't') => 10,
        (b'N', b'o', b'v') => 11,
        (b'D', b'e', b'c') => 12,
        _ => return None,
    };
    Some(number)
}

/// Up to so many digits, at least one.
fn number(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let length = text.iter().take(digits).take_while(|byte| byte.is_ascii_digit()).count();
    let value = text[..length].iter().fold(0, |value, byte| value * 10 + u32::from(byte - b'0'));
    (length > 0).then(|| (value, &text[length..]))
}

/// `03:04:05` and a space: the hour, the milliseconds within it, what follows.
fn time(text: &[u8]) -> Option<(u8, i64, &[u8])> {
    let (hour, rest) = number(text, 2)?;
    let (within, rest) = minutes(rest)?;
    (hour < 24).then_some(())?;
    Some((hour as u8, within, rest.strip_prefix(b" ")?))
}

/// `:04:05.678`: milliseconds within the hour.
fn minutes(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b':', tens, ones, b':', rest @ ..] = text else { return None };
    let minute = two(*tens, *ones).filter(|minute| *minute < 60)?;
    let (seconds_ms, rest) = seconds(rest)?;
    Some((minute * 60_000 + seconds_ms, rest))
}

/// `05.678`: milliseconds within the minute.
fn seconds(text: &[u8]) -> Option<(i64, &[u8])> {
    let [tens, ones, rest @ ..] = text else { return None };
    let mut within = two(*tens, *ones).filter(|second| *second <= 60)? * 1000;
    let mut rest = rest;
    if let [b'.' | b',', digits @ ..] = rest {
        rest = digits;
        for scale in [100, 10, 1] {
            let [digit @ b'0'..=b'9', after @ ..] = rest else { break };
            within += i64::from(digit - b'0') * scale;
            rest = after;
        }
        while let [b'0'..=b'9', after @ ..] = rest {
            rest = after;
        }
    }
    Some((within, rest))
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let both = tens.is_ascii_digit() && ones.is_ascii_digit();
    both.then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

/// `1700000000.123456`.
fn unix(line: &[u8]) -> Option<(i64, &[u8])> {
    let length = line.iter().take(12).take_while(|byte| byte.is_ascii_digit()).count();
    if length < 9 {
        return None;
    }
    let seconds = line[..length].iter().fold(0_i64, |value, byte| value * 10 + i64::from(byte - b'0'));
    let mut rest = &line[length..];
    let mut within = 0;
    if let [b'.', digits @ ..] = rest {
        let (milliseconds, _) = number(digits, 3)?;
        within = i64::from(milliseconds);
        rest = digits.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = &rest[digits..];
    }
    Some((seconds * 1000 + within, rest.strip_prefix(b" ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_hour_that_comes_twice_is_told_by_what_was_read_before() {
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
    fn what_is_no_stamp_is_none() {
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
}
