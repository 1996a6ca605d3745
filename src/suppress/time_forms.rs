//! Times in the forms of mail providers: RFC 3339 and its relatives, RFC 5322, seconds or
//! milliseconds since 1970, and dates as spreadsheets write them.
//!
//! Not here: times that people type (`cli/time`). Invariant: a time without a zone is UTC.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// Forms without a zone. Where day and month cannot be told apart, the month is first.
const FORMS: [&str; 22] = [
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%Y/%m/%d %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d-%m-%Y %H:%M:%S",
    "%d-%m-%Y %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%m/%d/%y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%b %d, %Y %I:%M:%S %p",
    "%b %d, %Y %I:%M %p",
    "%B %d, %Y %I:%M %p",
    "%B %d, %Y, %H:%M (UTC)",
    "%B %d, %Y, %H:%M:%S (UTC)",
    "%d %b %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
];
const DAYS: [&str; 9] = [
    "%d-%m-%Y",
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d %b %Y",
];

/// Milliseconds since 1970; `None` if this is no time.
pub(crate) fn milliseconds(text: &str) -> Option<i64> {
    let text = text.trim().trim_matches('"');
    if let Some(number) = since_1970(text) {
        return Some(number);
    }
    let stamp = |text: &str| text.parse().ok().map(Timestamp::as_millisecond);
    let (plain, is_utc) = match ["UTC", "GMT", "Z"].into_iter().find_map(|zone| text.strip_suffix(zone)) {
        Some(before) => (before.trim_end(), true),
        None => (text, false),
    };
    let mail = if is_utc { format!("{plain} +0000") } else { text.to_owned() };
    let spaced = plain.replacen('T', " ", usize::from(plain.as_bytes().get(10) == Some(&b'T')));
    stamp(text)
        .or_else(|| rfc2822::parse(&mail).ok().map(|at| at.timestamp().as_millisecond()))
        .or_else(|| with_offset(&spaced))
        .or_else(|| without_zone(&spaced))
}

fn since_1970(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit()) || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    match whole.len() {
        9..=11 => {
            let thousandths: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
            number.checked_mul(1000)?.checked_add(thousandths)
        }
        12..=14 => Some(number),
        15..=17 => Some(number / 1000),
        _ => None,
    }
}

fn with_offset(text: &str) -> Option<i64> {
    let forms = [
        "%Y-%m-%d %H:%M:%S%.f %z",
        "%Y-%m-%d %H:%M:%S%.f%z",
        "%Y-%m-%d %H:%M:%S%.f%:z",
        "%B %d, %Y, %H:%M:%S (UTC%:z)",
        "%B %d, %Y, %H:%M (UTC%:z)",
        "%b %d, %Y, %H:%M:%S (UTC%:z)",
    ];
    forms
        .into_iter()
        .find_map(|form| strtime::parse(form, text).ok()?.to_timestamp().ok().map(Timestamp::as_millisecond))
}

fn without_zone(text: &str) -> Option<i64> {
    let day = || DAYS.into_iter().find_map(|form| Some(Date::strptime(form, text).ok()?.at(0, 0, 0, 0)));
    let at = FORMS.into_iter().find_map(|form| DateTime::strptime(form, text).ok()).or_else(day)?;
    at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp().as_millisecond())
}
