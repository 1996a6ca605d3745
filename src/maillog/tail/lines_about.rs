//! The lines of a log that have some queue ids anywhere, in some time: found by the order of their
//! stamps, in files that are not compressed.
//!
//! Not here: whether a line is about a message of that id (`message_lines`). Invariant: a bounded
//! number of bytes is read, however large the log is.

use super::log_file::Compression;
use super::rotated_names::{self, ListedFile};
use crate::files::regular;
use crate::maillog::stamp::Stamps;
use jiff::tz::TimeZone;
use memchr::{memchr, memmem};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are searched for one message.
const BUDGET: u64 = 128 << 20;
/// Bytes that are read together.
const PIECE: usize = 1 << 20;
/// A line is not longer.
const LINE: usize = 64 << 10;

/// What is looked for.
pub(crate) struct LinesAbout<'a> {
    pub(crate) queue_ids: &'a [&'a str],
    /// In milliseconds since 1970.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    /// Of stamps that name none.
    pub(crate) zone: &'a TimeZone,
}

/// What takes a line, and when its file was last written to (milliseconds since 1970).
pub(crate) type EachLine<'a> = &'a mut dyn FnMut(&[u8], i64);

impl LinesAbout<'_> {
    /// Gives each line, in the order of the log.
    pub(crate) fn find(&self, log: &Path, each: EachLine<'_>) {
        let mut budget = BUDGET;
        if self.queue_ids.is_empty() {
            return;
        }
        for file in rotated_names::list(log).0 {
            let is_in_time = file.modified_ms >= self.from_ms;
            if file.compression == Compression::Plain && is_in_time && budget > 0 {
                self.in_file(&file, &mut budget, each);
            }
        }
    }

    fn in_file(&self, listed: &ListedFile, budget: &mut u64, each: EachLine<'_>) {
        let Ok(file) = regular::open(&listed.path) else { return };
        let mut stamps = Stamps::new(self.zone.clone(), listed.modified_ms);
        let mut at = self.beginning(&file, listed.size, &mut stamps);
        let (mut buffer, mut is_over) = (vec![0; PIECE], false);
        while at < listed.size && *budget > 0 && !is_over {
            let Ok(read) = file.read_at(&mut buffer, at) else { return };
            let bytes = &buffer[..read];
            let whole = memchr::memrchr(b'\n', bytes).map_or(read, |end| end + 1);
            if whole == 0 {
                return;
            }
            is_over = !self.take(&bytes[..whole], &mut stamps, &mut |line| each(line, listed.modified_ms));
            at += whole as u64;
            *budget = budget.saturating_sub(whole as u64);
        }
    }

    /// Takes the lines of a piece. Returns whether later ones are wanted too.
    fn take(&self, bytes: &[u8], stamps: &mut Stamps, each: &mut dyn FnMut(&[u8])) -> bool {
        let mut places = Vec::new();
        for id in self.queue_ids {
            for at in memmem::find_iter(bytes, id.as_bytes()).filter(|at| is_id(bytes, *at, id.len())) {
                let start = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |end| end + 1);
                let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                places.push((start, end));
            }
        }
        places.sort_unstable();
        places.dedup();
        for line in places.into_iter().map(|(start, end)| &bytes[start..end]) {
            let time = stamps.read(line).map(|(at_ms, _)| at_ms);
            if line.len() <= LINE && time.is_none_or(|time| (self.from_ms..=self.to_ms).contains(&time)) {
                each(line);
            }
        }
        let last = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let last = &last[memchr::memrchr(b'\n', last).map_or(0, |end| end + 1)..];
        stamps.read(last).is_none_or(|(at_ms, _)| at_ms <= self.to_ms)
    }

    /// Where the first line of the time may be: the stamps of a log are in order.
    fn beginning(&self, file: &File, size: u64, stamps: &mut Stamps) -> u64 {
        let (mut low, mut high) = (0, size);
        while high - low > PIECE as u64 {
            let middle = low + (high - low) / 2;
            match stamp_after(file, middle, stamps) {
                Some(at_ms) if at_ms < self.from_ms => low = middle,
                Some(_) => high = middle,
                None => return low,
            }
        }
        // A line that begins before and ends after it is read whole.
        low.saturating_sub(LINE as u64)
    }
}

/// The time of the first whole line after an offset.
fn stamp_after(file: &File, offset: u64, stamps: &mut Stamps) -> Option<i64> {
    let mut buffer = vec![0; LINE];
    let read = file.read_at(&mut buffer, offset).ok()?;
    let bytes = &buffer[..read];
    let mut lines = bytes.split(|byte| *byte == b'\n').skip(1);
    lines.find_map(|line| stamps.read(line)).map(|(at_ms, _)| at_ms)
}

/// Whether the bytes there are the id, and not a part of another word.
fn is_id(bytes: &[u8], at: usize, length: usize) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !is_word(at.checked_sub(1).and_then(|before| bytes.get(before))) && !is_word(bytes.get(at + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn lines_are_found_by_their_time_in_a_large_log() {
        let path = std::env::temp_dir().join(format!("carom-lines-about-{}", std::process::id()));
        let mut text = String::new();
        let line = |second: u32, id: &str| {
            let (minute, hour) = (second / 60 % 60, second / 3600);
            format!(
                "2026-03-01T{hour:02}:{minute:02}:{:02}+00:00 mx postfix/smtp[1]: {id}: to=<a@b.example>\n",
                second % 60
            )
        };
        for second in 0..40_000 {
            let _ = write!(text, "{}", line(second, &format!("ABC{second:06}")));
        }
        std::fs::write(&path, &text).unwrap();
        let at = jiff::civil::date(2026, 3, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let from = at.timestamp().as_millisecond();
        let about = |id: &str, from_ms, to_ms| {
            let mut found = Vec::new();
            LinesAbout { queue_ids: &[id], from_ms, to_ms, zone: &TimeZone::UTC }
                .find(&path, &mut |line, _| found.push(String::from_utf8(line.to_owned()).unwrap()));
            found
        };
        for second in [0, 1, 20_000, 39_999] {
            let id = format!("ABC{second:06}");
            let time = from + i64::from(second) * 1000;
            let found = about(&id, time - 1000, time + 1000);
            assert_eq!(found, [line(second, &id).trim_end()]);
            assert!(about(&id, time + 1, time + 10_000).is_empty());
            assert!(about(&id[..8], time - 1000, time + 1000).is_empty(), "a part of an id is another");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
