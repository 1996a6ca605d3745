//! From a date and hour on the wall to a time: zones, missing years, and hours that come twice.
//!
//! Not here: the forms of stamps. Invariant: a date without a year gets the latest year that is not
//! after the reference; which of two equal hours it is follows from the lines before.

use crate::clock::HOUR_MS;
use jiff::civil;
use jiff::tz::TimeZone;

/// A stamp may be this far ahead of the reference before it is taken for one of the year before.
const AHEAD_MS: i64 = 36 * HOUR_MS;
/// Lines may be this much out of order.
const DISORDER_MS: i64 = 600_000;

/// A date and hour as the line has them; year 0 is unknown.
#[derive(Clone, Copy)]
pub(crate) struct DateHour {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
    pub(crate) hour: u8,
}

/// When an hour on the wall began, milliseconds since 1970: two times where the clock is set back.
#[derive(Clone, Copy, Default)]
struct Began {
    first_ms: i64,
    again_ms: i64,
}

/// Remembers the last hour, because the next line most likely has the same.
pub(crate) struct WallClock {
    zone: TimeZone,
    /// No line is younger than this.
    reference_ms: i64,
    /// The last hour with a year, as a number, and when it began.
    hour: (u32, Began),
    /// The same for dates without a year.
    yearless: (u32, Began),
    /// The latest stamp; None where stamps come in no order.
    latest_ms: Option<i64>,
}

impl WallClock {
    pub(crate) fn new(zone: TimeZone, reference_ms: i64) -> WallClock {
        let (hour, yearless) = ((0, Began::default()), (0, Began::default()));
        WallClock { zone, reference_ms, hour, yearless, latest_ms: None }
    }

    /// Lines come in order, from this time on.
    pub(crate) fn in_order_from(&mut self, latest_ms: i64) {
        self.latest_ms = self.latest_ms.max(Some(latest_ms));
    }

    pub(crate) fn set_reference(&mut self, reference_ms: i64) {
        self.reference_ms = reference_ms;
        self.yearless = (0, Began::default());
    }

    /// Notes the time of a line.
    pub(crate) fn note(&mut self, at_ms: i64) {
        self.latest_ms = self.latest_ms.map(|latest_ms| latest_ms.max(at_ms));
    }

    /// The time at this many milliseconds of an hour in the zone of the settings.
    pub(crate) fn local(&mut self, at: DateHour, within_ms: i64) -> Option<i64> {
        let Began { first_ms, again_ms } = self.began(at)?;
        let (first_ms, again_ms) = (first_ms + within_ms, again_ms + within_ms);
        // What seems to be long before the last line is in the hour that came again.
        let is_again = self
            .latest_ms
            .is_some_and(|latest_ms| first_ms < latest_ms - DISORDER_MS && again_ms < latest_ms + HOUR_MS);
        Some(if is_again { again_ms } else { first_ms })
    }

    fn began(&mut self, at: DateHour) -> Option<Began> {
        let key = u32::from(at.year) << 16
            | u32::from(at.month) << 12
            | u32::from(at.day) << 6
            | u32::from(at.hour);
        let remembered = if at.year == 0 { self.yearless } else { self.hour };
        if remembered.0 == key {
            return Some(remembered.1);
        }
        if at.year == 0 {
            let began = self.in_latest_year(at)?;
            self.yearless = (key, began);
            Some(began)
        } else {
            let began = self.in_year(i16::try_from(at.year).ok()?, at)?;
            self.hour = (key, began);
            Some(began)
        }
    }

    fn in_latest_year(&self, at: DateHour) -> Option<Began> {
        let reference = jiff::Timestamp::from_millisecond(self.reference_ms).ok()?;
        let this_year = reference.to_zoned(self.zone.clone()).year();
        // The next year, because New Year's Eve may be ahead by a day; eight years back, because
        // the 29th of February may be that far away.
        let years = (this_year - 8..=this_year + 1).rev();
        let mut possible = years.filter_map(|year| self.in_year(year, at));
        possible.find(|began| began.first_ms <= self.reference_ms + AHEAD_MS)
    }

    fn in_year(&self, year: i16, at: DateHour) -> Option<Began> {
        let date = civil::Date::new(year, at.month as i8, at.day as i8).ok()?;
        let time = civil::Time::new(at.hour as i8, 0, 0, 0).ok()?;
        let zoned = self.zone.to_ambiguous_zoned(date.to_datetime(time));
        let first_ms = zoned.clone().compatible().ok()?.timestamp().as_millisecond();
        let again_ms =
            if zoned.is_ambiguous() { zoned.later().ok()?.timestamp().as_millisecond() } else { first_ms };
        Some(Began { first_ms, again_ms })
    }
}

/// When an hour of UTC began, milliseconds since 1970.
pub(crate) fn hour_of_utc(at: DateHour) -> Option<i64> {
    if !(1..=12).contains(&at.month) || !(1..=31).contains(&at.day) || at.hour > 23 {
        return None;
    }
    // Days since 1970 in the proleptic Gregorian calendar; years count from March. Most logs have
    // such stamps, and this is faster than a calendar with zones.
    let (year, month) = (i64::from(at.year) - i64::from(at.month <= 2), (i64::from(at.month) + 9) % 12);
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + i64::from(at.day) - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((days * 24 + i64::from(at.hour)) * HOUR_MS)
}
