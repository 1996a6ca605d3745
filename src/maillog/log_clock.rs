//! Whether the stamps of a log agree with the time at which it was written. A zone that is set
//! wrong moves every line by whole half hours.
//!
//! Not here: reading lines. Invariant: only stamps without a zone are in doubt, and none that is
//! older than any zone could make it.

use super::stamp::Stamps;
use super::tail::LogSample;
use crate::clock::HOUR_MS;
use jiff::tz::{Offset, TimeZone};

/// Zones are this far from each other at most.
const MOST_MS: i64 = 26 * HOUR_MS;
/// Zones differ by multiples of this.
const STEP_MS: i64 = HOUR_MS / 2;
/// A line is in the file this soon after its stamp.
const WRITTEN_MS: i64 = 60_000;

/// What the newest line of a log says about its zone.
pub(crate) struct LogClock {
    /// How far its stamp is ahead of the time at which the file was written; negative: behind.
    pub(crate) ahead_ms: i64,
    /// How far the clock that it was written by is ahead of UTC.
    pub(crate) of_utc_ms: i64,
}

impl LogClock {
    /// `None`: nothing is in doubt.
    pub(crate) fn doubt(sample: &LogSample, zone: &TimeZone) -> Option<LogClock> {
        let last = sample.lines.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty())?;
        let at = |zone: TimeZone| Some(Stamps::new(zone, sample.modified_ms).read(last)?.0);
        let in_utc = at(TimeZone::UTC)?;
        if Some(in_utc) == at(TimeZone::fixed(Offset::constant(1))) {
            return None;
        }
        let ahead_ms = at(zone.clone())? - sample.modified_ms;
        let off_ms = (ahead_ms + STEP_MS / 2).rem_euclid(STEP_MS) - STEP_MS / 2;
        let is_whole = ahead_ms.abs() > STEP_MS / 2 && off_ms.abs() <= WRITTEN_MS;
        let of_utc_ms = in_utc - sample.modified_ms - off_ms;
        (is_whole && ahead_ms.abs() <= MOST_MS).then_some(LogClock { ahead_ms, of_utc_ms })
    }
}
