//! The minute of the last stamp: most likely the next line has the same, and only its seconds are
//! read.
//!
//! Invariant: a stamp that is read this way gets the time that it would get without.

use super::stamp_parts::seconds;
use memchr::memchr;

/// Longer stamps are not remembered.
const LONGEST: usize = 64;

/// A stamp without its seconds.
#[derive(Default)]
pub(crate) struct LastMinute {
    /// The part before the seconds; empty if no stamp is remembered.
    before: Vec<u8>,
    /// The part after them: a zone, a space.
    after: Vec<u8>,
    /// When the minute began, milliseconds since 1970.
    start_ms: i64,
}

impl LastMinute {
    pub(crate) fn read<'a>(&self, line: &'a [u8]) -> Option<(i64, &'a [u8])> {
        if self.before.is_empty() {
            return None;
        }
        let (seconds_ms, rest) = seconds(line.strip_prefix(&self.before[..])?)?;
        Some((self.start_ms + seconds_ms, rest.strip_prefix(&self.after[..])?))
    }

    /// Remembers a stamp that was read. The first time of day in it is its own.
    pub(crate) fn remember(&mut self, stamp: &[u8], at_ms: i64) {
        self.before.clear();
        let colon = if stamp.len() < LONGEST { memchr(b':', stamp) } else { None };
        let Some(colon) = colon.filter(|colon| stamp.get(colon + 3) == Some(&b':')) else { return };
        let (before, rest) = stamp.split_at(colon + 4);
        if let Some((seconds_ms, after)) = seconds(rest) {
            self.before.extend_from_slice(before);
            self.after.clear();
            self.after.extend_from_slice(after);
            self.start_ms = at_ms - seconds_ms;
        }
    }

    pub(crate) fn forget(&mut self) {
        self.before.clear();
    }
}
