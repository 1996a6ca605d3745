//! The lines of a log that have some texts anywhere, in some time: found by the order of their
//! times, also in files that were rotated and compressed.
//!
//! Not here: whether a line is about a message of that text (`message_lines`). Invariant: a bounded
//! number of bytes is read, and none after the deadline, however large the log is.

use super::log_file::LogFile;
use super::rotated_names::{self, ListedFile};
use super::segments;
use crate::deadline::Deadline;
use memchr::{memchr, memchr_iter, memmem, memrchr};
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that are searched for one message, decompressed.
const BUDGET: u64 = 512 << 20;
/// Bytes that are read together.
const PIECE: usize = 1 << 20;
/// A line is not longer.
const LINE: usize = 64 << 10;

/// What is looked for.
pub(crate) struct LinesAbout<'a> {
    pub(crate) texts: &'a [&'a str],
    /// In milliseconds since 1970.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) deadline: Deadline,
}

/// The file that is searched.
pub(crate) struct SearchedFile {
    /// When it was last written to, in milliseconds since 1970.
    pub(crate) modified_ms: i64,
    /// With the names of the columns, if it is CSV.
    pub(crate) first_line: Vec<u8>,
}

/// A line that has one of the texts.
pub(crate) struct FoundLine<'a> {
    pub(crate) file: &'a SearchedFile,
    /// Lines of the file, with those before and after it.
    pub(crate) around: &'a [u8],
    /// Where it is among them.
    pub(crate) at: Range<usize>,
}

impl FoundLine<'_> {
    pub(crate) fn line(&self) -> &[u8] {
        &self.around[self.at.clone()]
    }
}

/// Who reads the lines of a log.
pub(crate) trait LineSearch {
    /// When a line was logged; `None`: it does not say.
    fn time(&mut self, file: &SearchedFile, line: &[u8]) -> Option<i64>;
    fn take(&mut self, found: &FoundLine<'_>);
}

impl LinesAbout<'_> {
    /// Gives each line, in the order of the log. Returns whether all of the log was searched.
    pub(crate) fn find(&self, log: &Path, search: &mut dyn LineSearch) -> bool {
        let mut budget = BUDGET;
        if self.texts.is_empty() {
            return true;
        }
        for files in series_of(log) {
            for file in files.into_iter().filter(|file| file.modified_ms >= self.from_ms) {
                if budget == 0 || self.deadline.passed() {
                    return false;
                }
                if !self.in_file(&file, &mut budget, search) {
                    break;
                }
            }
        }
        budget > 0 && !self.deadline.passed()
    }

    /// Returns whether the files after it may have lines of the time.
    fn in_file(&self, listed: &ListedFile, budget: &mut u64, search: &mut dyn LineSearch) -> bool {
        let first_line = listed.first_bytes(LINE).unwrap_or_default();
        let first_line = memchr(b'\n', &first_line).map_or(Vec::new(), |end| first_line[..end].to_vec());
        let file = &SearchedFile { modified_ms: listed.modified_ms, first_line };
        let Ok(mut opened) = LogFile::open_path(&listed.path, listed.compression) else { return true };
        let start = match &opened {
            LogFile::Plain(plain) => self.beginning(plain, listed.size, file, search),
            _ => 0,
        };
        if opened.skip_to(start).is_err() {
            return true;
        }
        let mut buffer = vec![0; PIECE];
        let (mut have, mut fresh) = (0, 0);
        loop {
            let (read, fault) = opened.fill(&mut buffer[have..]);
            have += read;
            *budget = budget.saturating_sub(read as u64);
            let ended = have < buffer.len();
            // What may go on beyond the buffer is left for the next piece.
            let limit = if ended { have } else { have - LINE };
            let bytes = &buffer[..have];
            if start == 0 && fresh == 0 && self.begins_later(bytes, file, search) {
                return false;
            }
            self.take(bytes, fresh..limit, file, search);
            let is_over = ended || fault.is_some() || self.ends_later(&bytes[..limit], file, search);
            if is_over || *budget == 0 || self.deadline.passed() {
                return true;
            }
            let kept = limit - LINE;
            buffer.copy_within(kept..have, 0);
            (have, fresh) = (have - kept, LINE);
        }
    }

    /// Takes the lines that begin within a range.
    fn take(&self, bytes: &[u8], within: Range<usize>, file: &SearchedFile, search: &mut dyn LineSearch) {
        let mut lines = Vec::new();
        for text in self.texts {
            let found = memmem::find_iter(&bytes[within.start..], text.as_bytes());
            for at in found.map(|at| within.start + at).filter(|at| is_whole(bytes, *at, text.len())) {
                let start = memrchr(b'\n', &bytes[..at]).map_or(0, |end| end + 1);
                let end = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
                lines.push((start, end));
            }
        }
        lines.sort_unstable();
        lines.dedup();
        for at in lines.into_iter().map(|(start, end)| start..end) {
            let time = search.time(file, &bytes[at.clone()]);
            let is_in_time = time.is_none_or(|time| (self.from_ms..=self.to_ms).contains(&time));
            if within.contains(&at.start) && at.len() <= LINE && is_in_time {
                search.take(&FoundLine { file, around: bytes, at });
            }
        }
    }

    /// Whether the first line of a file is younger than what is wanted.
    fn begins_later(&self, bytes: &[u8], file: &SearchedFile, search: &mut dyn LineSearch) -> bool {
        let head = &bytes[..bytes.len().min(LINE)];
        let first = head.split(|byte| *byte == b'\n').find_map(|line| search.time(file, line));
        first.is_some_and(|at_ms| at_ms > self.to_ms)
    }

    /// Whether the last line is.
    fn ends_later(&self, bytes: &[u8], file: &SearchedFile, search: &mut dyn LineSearch) -> bool {
        let mut ends = memchr_iter(b'\n', bytes).rev();
        let Some((last, before)) = ends.next().zip(ends.next()) else { return false };
        search.time(file, &bytes[before + 1..last]).is_some_and(|at_ms| at_ms > self.to_ms)
    }

    /// Where the first line of the time may be: the times of a log are in order.
    fn beginning(&self, plain: &File, size: u64, file: &SearchedFile, search: &mut dyn LineSearch) -> u64 {
        let (mut low, mut high) = (0, size);
        while high - low > PIECE as u64 {
            let middle = low + (high - low) / 2;
            match time_after(plain, middle, file, search) {
                Some(at_ms) if at_ms < self.from_ms => low = middle,
                Some(_) => high = middle,
                None => return low,
            }
        }
        // A line that begins before and ends after it is read whole.
        low.saturating_sub(LINE as u64)
    }
}

/// The files of a log, each series from the oldest to the youngest.
fn series_of(log: &Path) -> Vec<Vec<ListedFile>> {
    if !log.is_dir() {
        return vec![rotated_names::list(log).0];
    }
    let series = segments::series(log).unwrap_or_default();
    series.iter().filter_map(|series| segments::list(log, series).ok()).collect()
}

/// The time of the first whole line after an offset.
fn time_after(plain: &File, offset: u64, file: &SearchedFile, search: &mut dyn LineSearch) -> Option<i64> {
    let mut buffer = vec![0; LINE];
    let read = plain.read_at(&mut buffer, offset).ok()?;
    let mut lines = buffer[..read].split(|byte| *byte == b'\n').skip(1);
    lines.find_map(|line| search.time(file, line))
}

/// Whether the text there is not a part of another word.
fn is_whole(bytes: &[u8], at: usize, length: usize) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !is_word(at.checked_sub(1).and_then(|before| bytes.get(before))) && !is_word(bytes.get(at + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maillog::stamp::Stamps;
    use jiff::tz::TimeZone;
    use std::fmt::Write;
    use std::time::Duration;

    /// Keeps the lines.
    struct Kept(Vec<String>);

    impl LineSearch for Kept {
        fn time(&mut self, file: &SearchedFile, line: &[u8]) -> Option<i64> {
            Stamps::new(TimeZone::UTC, file.modified_ms).read(line).map(|(at_ms, _)| at_ms)
        }

        fn take(&mut self, found: &FoundLine<'_>) {
            self.0.push(String::from_utf8(found.line().to_owned()).unwrap());
        }
    }

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
        let about = |texts: &[&str], from_ms, to_ms| {
            let mut found = Kept(Vec::new());
            let deadline = Deadline::after(Duration::from_secs(60));
            assert!(LinesAbout { texts, from_ms, to_ms, deadline }.find(&path, &mut found));
            found.0
        };
        for second in [0, 1, 20_000, 39_999] {
            let id = format!("ABC{second:06}");
            let time = from + i64::from(second) * 1000;
            let found = about(&[&id], time - 1000, time + 1000);
            assert_eq!(found, [line(second, &id).trim_end()]);
            assert!(about(&[&id], time + 1, time + 10_000).is_empty());
            assert!(about(&[&id[..8]], time - 1000, time + 1000).is_empty(), "a part of an id is another");
        }
        // Each once, wherever a piece ends.
        assert_eq!(about(&["a@b.example"], from, from + 40_000_000).len(), 40_000);
        std::fs::remove_file(&path).unwrap();
    }
}
