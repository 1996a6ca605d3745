//! Time stamps at the start of lines.
//!
//! Traditional syslog (RFC 3164, without year and zone, the month in any language), RFC 3339, RFC
//! 5424 headers, templates with the year in front, seconds since 1970, and what journalctl prints.
//! Not here: what follows the stamp. Invariant: a stamp is read in full or not at all, and what it
//! leaves open (`wall_clock`) is decided the same way for every form.

mod stamp_parts;
mod month_names;
mod last_minute;
mod wall_clock;

use jiff::tz::TimeZone;
use last_minute::LastMinute;
use month_names::NamedMonth;
use stamp_parts::{minutes, number, time, unix};
use wall_clock::{DateHour, WallClock, hour_of_utc};

/// Reads stamps, line by line.
pub(crate) struct Stamps {
    clock: WallClock,
    minute: LastMinute,
}

impl Stamps {
    /// `zone` is that of stamps without one. `reference_ms` is a time that no line is younger than:
    /// the last modification of a file, or now for the journal.
    pub(crate) fn new(zone: TimeZone, reference_ms: i64) -> Stamps {
        Stamps { clock: WallClock::new(zone, reference_ms), minute: LastMinute::default() }
    }

    /// Stamps come in order, as lines of a log do, from this time on: this tells apart an hour that
    /// comes twice.
    pub(crate) fn in_order_from(&mut self, latest_ms: i64) {
        self.clock.in_order_from(latest_ms);
    }

    /// Sets the reference for the lines that follow.
    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.clock.set_reference(reference_ms);
        self.minute.forget();
    }

    /// The time at the start of a line (milliseconds since 1970, UTC), and what follows its space.
    pub(crate) fn read<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if let Some((at_ms, rest)) = self.minute.read(line) {
            self.clock.note(at_ms);
            return Some((at_ms, rest));
        }
        let (at_ms, rest) = self.read_whole(line)?;
        self.clock.note(at_ms);
        self.minute.remember(&line[..line.len() - rest.len()], at_ms);
        Some((at_ms, rest))
    }

    /// Reads a stamp after the length of a frame (RFC 6587), the priority (`<22>`) and the version
    /// (`1 `) of syslog.
    fn read_whole<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let line = without_length(line);
        if line.first()? != &b'<' {
            return self.read_bare(line);
        }
        let close = line.iter().take(6).position(|&byte| byte == b'>')?;
        let rest = &line[close + 1..];
        self.read_bare(rest.strip_prefix(b"1 ").unwrap_or(rest))
    }

    fn read_bare<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if line.first()?.is_ascii_digit() {
            return match line.get(4)? {
                b'-' | b'/' => self.iso(line, ZoneNames::Absent),
                b' ' if line.get(..4)?.iter().all(u8::is_ascii_digit) => self.year_first(line),
                _ => unix(line).or_else(|| self.traditional(line)).or_else(|| self.day_first(line)),
            };
        }
        if let Some(read) = self.traditional(line) {
            return Some(read);
        }
        // The day of the week, as `journalctl -o short-full` and busybox write it.
        let space = line.iter().take(8).position(|&byte| byte == b' ')?;
        let rest = &line[space + 1..];
        if rest.first()?.is_ascii_digit() && rest.get(4) == Some(&b'-') {
            self.iso(rest, ZoneNames::Present)
        } else {
            self.traditional(rest).or_else(|| self.day_first(rest))
        }
    }

    /// `Jan  2 03:04:05`, also with a fraction, and with the year before or after the time.
    fn traditional<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (month, rest) = month_names::read(line)?;
        let (day, rest) = number(rest.trim_ascii_start(), 2)?;
        let rest = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b",")).unwrap_or(rest);
        let rest = rest.strip_prefix(b" ")?;
        let (year, rest) = if rest.get(4) == Some(&b' ') { year_and_space(rest)? } else { (0, rest) };
        let (hour, within_ms, rest) = time(rest)?;
        let century = rest.starts_with(b"20") || rest.starts_with(b"19");
        let year_follows = year == 0 && century && rest.get(4) == Some(&b' ');
        let (year, rest) =
            if year_follows { year_and_space(rest).unwrap_or((year, rest)) } else { (year, rest) };
        let at = DateHour { year, month: 0, day: day as u8, hour };
        Some((self.in_month(month, at, within_ms)?, rest))
    }

    /// `2026 Jan 02 03:04:05.678`.
    fn year_first<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (year, rest) = year_and_space(line)?;
        let (month, rest) = month_names::read(rest)?;
        let (day, rest) = number(rest.trim_ascii_start(), 2)?;
        let (hour, within_ms, rest) = time(rest.strip_prefix(b" ")?)?;
        let at = DateHour { year, month: 0, day: day as u8, hour };
        Some((self.in_month(month, at, within_ms)?, rest))
    }

    /// `02 Jan 03:04:05`, `02 Jan 2026 03:04:05`.
    fn day_first<'a>(&mut self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        let (day, rest) = number(line, 2)?;
        let rest = rest.strip_prefix(b".").unwrap_or(rest).strip_prefix(b" ")?;
        let (month, rest) = month_names::read(rest)?;
        let (year, rest) = if rest.get(4) == Some(&b' ') { year_and_space(rest)? } else { (0, rest) };
        let (hour, within_ms, rest) = time(rest)?;
        let at = DateHour { year, month: 0, day: day as u8, hour };
        Some((self.in_month(month, at, within_ms)?, rest))
    }

    /// The time in a named month: of two that may be meant, the one nearer to the reference.
    fn in_month(&mut self, named: NamedMonth, at: DateHour, within_ms: i64) -> Option<i64> {
        let first = self.clock.local(DateHour { month: named.month, ..at }, within_ms);
        match named.other {
            None => first,
            Some(month) => first.max(self.clock.local(DateHour { month, ..at }, within_ms)),
        }
    }

    /// `2026-01-02T03:04:05.678901+01:00`, also with a space instead of the T, without a zone, or
    /// with the name of one.
    fn iso<'a>(&mut self, line: &'a [u8], names: ZoneNames) -> Option<(i64, &'a [u8])> {
        let (year, rest) = number(line, 4)?;
        let (separator, rest) = rest.split_first()?;
        let (month, rest) = number(rest, 2)?;
        let (day, rest) = number(rest.strip_prefix(&[*separator])?, 2)?;
        if !matches!(rest.first()?, b'T' | b't' | b' ' | b'_') {
            return None;
        }
        let (hour, rest) = number(&rest[1..], 2)?;
        let (within_ms, rest) = minutes(rest)?;
        let at = DateHour { year: year as u16, month: month as u8, day: day as u8, hour: hour as u8 };
        let (mut offset_ms, rest) = offset(rest)?;
        let mut rest = rest.strip_prefix(b" ")?;
        if offset_ms.is_none() {
            (offset_ms, rest) = separate_offset(rest);
        }
        if names == ZoneNames::Present && offset_ms.is_none() {
            let space = rest.iter().position(|&byte| byte == b' ')?;
            offset_ms = matches!(&rest[..space], b"UTC" | b"GMT").then_some(0);
            rest = &rest[space + 1..];
        }
        let at_ms = match offset_ms {
            Some(offset_ms) => hour_of_utc(at)? - offset_ms + within_ms,
            None => self.clock.local(at, within_ms)?,
        };
        Some((at_ms, rest))
    }
}

/// A line without the length of its frame in front: `214 <22>1 2026-…`.
fn without_length(line: &[u8]) -> &[u8] {
    match number(line, 6) {
        Some((_, [b' ', framed @ ..])) if framed.first() == Some(&b'<') => framed,
        _ => line,
    }
}

/// Whether a stamp has the name of its zone after the time.
#[derive(Clone, Copy, PartialEq)]
enum ZoneNames {
    Present,
    Absent,
}

/// `2026` and a space.
fn year_and_space(text: &[u8]) -> Option<(u16, &[u8])> {
    let (year, rest) = number(text, 4)?;
    Some((year as u16, rest.strip_prefix(b" ")?))
}

/// `Z`, `+0100` or `-05:30`: milliseconds ahead of UTC. None and the whole text if there is no
/// offset.
fn offset(text: &[u8]) -> Option<(Option<i64>, &[u8])> {
    Some(match text.first()? {
        b'Z' | b'z' => (Some(0), &text[1..]),
        sign @ (b'+' | b'-') => {
            let (hours, rest) = number(&text[1..], 2)?;
            let (minutes, rest) = number(rest.strip_prefix(b":").unwrap_or(rest), 2).unwrap_or((0, rest));
            let offset_ms = i64::from(hours * 60 + minutes) * 60_000;
            (Some(if *sign == b'+' { offset_ms } else { -offset_ms }), rest)
        }
        _ => (None, text),
    })
}

/// `+0100 ` or `UTC ` after a blank.
fn separate_offset(text: &[u8]) -> (Option<i64>, &[u8]) {
    if let Some(rest) = text.strip_prefix(b"UTC ").or_else(|| text.strip_prefix(b"GMT ")) {
        return (Some(0), rest);
    }
    match offset(text) {
        Some((Some(offset_ms), [b' ', rest @ ..])) if text.first() != Some(&b'Z') => (Some(offset_ms), rest),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests;
