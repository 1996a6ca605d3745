//! The queue of events on the disk: segments of JSON Lines, which are appended to, read by each
//! sink from its own position, and removed when every sink has them.
//!
//! Not here: what the lines say. Invariant: what was appended is durable before `append` returns; a
//! line that a crash cut off is never continued and never read; one process at a time has it.

use crate::digest::random_token;
use crate::error::{Context, Result};
use crate::files::publish::{publish, sync_directory};
use crate::files::{private, regular};
use crate::store::SinkMark;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes after which another segment begins.
const SEGMENT: u64 = 64 << 20;
/// Segments of a queue that is as long as it may be: what every sink has goes with its segment.
const SEGMENTS: u64 = 8;
/// Bytes that are looked at together for the end of a line.
const PIECE: u64 = 64 << 10;
const ENDING: &str = ".jsonl";

pub(super) struct EventQueue {
    directory: PathBuf,
    /// Tells batches of this queue from those of any other.
    pub(super) id: String,
    /// The bytes of each segment's whole lines.
    segments: BTreeMap<u64, u64>,
    longest_segment: u64,
}

impl EventQueue {
    /// `most`: the bytes that may wait in it.
    pub(super) fn open(directory: &Path, most: u64) -> Result<EventQueue> {
        let named = directory.join("id");
        let id = match regular::read_text(&named, 64) {
            Ok(id) if !id.trim().is_empty() => id.trim().to_owned(),
            _ => String::new(),
        };
        let mut segments = BTreeMap::new();
        for path in segment_files(directory)? {
            if let Some(number) = number_of(&path) {
                segments.insert(number, whole_length(&path).context(path.display())?);
            }
        }
        let longest_segment = SEGMENT.min(most / SEGMENTS);
        let mut queue = EventQueue { directory: directory.to_owned(), id, segments, longest_segment };
        if queue.id.is_empty() {
            queue.rename()?;
        }
        Ok(queue)
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{segment:020}{ENDING}"))
    }

    /// Bytes after which another segment begins.
    pub(super) fn longest_segment(&self) -> u64 {
        self.longest_segment
    }

    /// Appends whole lines, durably.
    pub(super) fn append(&mut self, mut lines: &[u8]) -> Result<()> {
        while !lines.is_empty() {
            let last = self.segments.last_key_value().map(|(number, length)| (*number, *length));
            let (segment, length) = match last {
                // After a line that was cut off, another segment begins.
                Some((number, length)) if length < self.longest_segment && self.is_whole(number, length) => {
                    (number, length)
                }
                Some((number, _)) => (number + 1, 0),
                None => (1, 0),
            };
            let room = usize::try_from(self.longest_segment.saturating_sub(length)).unwrap_or(usize::MAX);
            let end = lines.get(room..).and_then(|after| memchr::memchr(b'\n', after));
            let (now, later) = lines.split_at(end.map_or(lines.len(), |end| room + end + 1));
            self.append_to(segment, now)?;
            lines = later;
        }
        Ok(())
    }

    fn append_to(&mut self, segment: u64, lines: &[u8]) -> Result<()> {
        let path = self.path(segment);
        let is_new = !self.segments.contains_key(&segment);
        let append = || {
            if is_new {
                private::make_file(&path)?;
                sync_directory(&self.directory)?;
            }
            let mut file = regular::open_to_append(&path)?;
            file.write_all(lines)?;
            file.sync_data()
        };
        append().context(path.display())?;
        *self.segments.entry(segment).or_default() += lines.len() as u64;
        Ok(())
    }

    /// Whether a segment has nothing after its whole lines.
    fn is_whole(&self, segment: u64, length: u64) -> bool {
        self.path(segment).metadata().is_ok_and(|found| found.len() == length)
    }

    /// Another id: where this queue ends, one that is lost had other events.
    pub(super) fn rename(&mut self) -> Result<()> {
        let id = random_token(16);
        publish(&self.directory.join("id"), id.as_bytes(), private::FILE)?;
        self.id = id;
        Ok(())
    }

    /// The last segment, and the bytes of its whole lines.
    pub(super) fn end(&self) -> (u64, u64) {
        self.segments.last_key_value().map_or((0, 0), |(number, length)| (*number, *length))
    }

    /// Moves a position to where the queue has something: to the next segment at the end of one,
    /// and to the first if its own is gone, or is that of another queue.
    pub(super) fn correct(&self, mark: &mut SinkMark) {
        if mark.queue != self.id {
            if !mark.queue.is_empty() {
                (mark.segment, mark.offset, mark.until) = (0, 0, None);
            }
            self.id.clone_into(&mut mark.queue);
        }
        let Some((first, _)) = self.segments.first_key_value() else { return };
        if mark.segment < *first || !self.segments.contains_key(&mark.segment) {
            let next = self.segments.range(mark.segment..).next().map_or(*first, |(number, _)| *number);
            (mark.segment, mark.offset, mark.until) = (next, 0, None);
        }
        while mark.until.is_none() && mark.offset >= self.segments[&mark.segment] {
            let Some((next, _)) = self.segments.range(mark.segment + 1..).next() else { return };
            (mark.segment, mark.offset) = (*next, 0);
        }
    }

    /// Bytes after a position.
    pub(super) fn waiting(&self, mark: &SinkMark) -> u64 {
        let all: u64 = self.segments.range(mark.segment..).map(|(_, length)| *length).sum();
        if self.segments.contains_key(&mark.segment) { all.saturating_sub(mark.offset) } else { all }
    }

    /// Moves a position over the oldest events until at most this many bytes wait.
    pub(super) fn drop_oldest(&self, mark: &mut SinkMark, most: u64) -> Result<()> {
        let before = self.waiting(mark);
        while self.waiting(mark) > most {
            let Some((next, _)) = self.segments.range(mark.segment + 1..).next() else { break };
            (mark.segment, mark.offset, mark.until) = (*next, 0, None);
        }
        let left = self.waiting(mark);
        if left > most {
            // The line at which the newest ones begin.
            let from = mark.offset + left - most;
            (mark.offset, mark.until) = (self.line_end(mark.segment, from)?, None);
        }
        mark.dropped += before - self.waiting(mark);
        Ok(())
    }

    /// Reads whole lines from a position on: up to `most` bytes, or to `until`.
    pub(super) fn read(&self, mark: &SinkMark, most: u64, lines: &mut Vec<u8>) -> Result<()> {
        let Some(length) = self.segments.get(&mark.segment) else {
            lines.clear();
            return Ok(());
        };
        let end = mark.until.unwrap_or(*length).min(*length);
        let wanted = end.saturating_sub(mark.offset);
        let bytes = if mark.until.is_some() { wanted } else { wanted.min(most) };
        self.read_at(mark.segment, mark.offset, bytes, lines)?;
        if bytes < wanted {
            match memchr::memrchr(b'\n', lines) {
                Some(end) => lines.truncate(end + 1),
                // A line that is longer goes alone.
                None => {
                    let end = self.line_end(mark.segment, mark.offset + bytes)?;
                    self.read_at(mark.segment, mark.offset, end - mark.offset, lines)?;
                }
            }
        }
        Ok(())
    }

    fn read_at(&self, segment: u64, offset: u64, bytes: u64, to: &mut Vec<u8>) -> Result<()> {
        let path = self.path(segment);
        to.resize(usize::try_from(bytes).unwrap_or(0), 0);
        regular::open(&path).and_then(|file| file.read_exact_at(to, offset)).context(path.display())
    }

    /// Where the line ends that a place is in.
    fn line_end(&self, segment: u64, mut from: u64) -> Result<u64> {
        let length = self.segments.get(&segment).copied().unwrap_or_default();
        let mut piece = Vec::new();
        while from < length {
            self.read_at(segment, from, PIECE.min(length - from), &mut piece)?;
            if let Some(end) = memchr::memchr(b'\n', &piece) {
                return Ok(from + end as u64 + 1);
            }
            from += piece.len() as u64;
        }
        Ok(length)
    }

    /// Removes the segments before this one; all that are done, if there is no sink.
    pub(super) fn remove_before(&mut self, segment: Option<u64>) -> Result<()> {
        let last = self.segments.last_key_value().map_or(0, |(number, _)| *number);
        // The last one stays, so that numbers are not used again.
        let before = segment.unwrap_or(last).min(last);
        let gone: Vec<u64> = self.segments.range(..before).map(|(number, _)| *number).collect();
        for number in gone {
            let path = self.path(number);
            fs::remove_file(&path).context(path.display())?;
            self.segments.remove(&number);
        }
        Ok(())
    }
}

impl EventQueue {
    /// Begins another segment if there is something in the last one, which every sink has.
    pub(super) fn begin_segment(&mut self) -> Result<()> {
        let Some((last, length)) = self.segments.last_key_value().map(|(last, length)| (*last, *length))
        else {
            return Ok(());
        };
        if length > 0 {
            let path = self.path(last + 1);
            private::make_file(&path)
                .and_then(|()| sync_directory(&self.directory))
                .context(path.display())?;
            self.segments.insert(last + 1, 0);
        }
        self.remove_before(Some(last + 1))
    }
}

/// The files that have events; none where there is no queue.
pub(super) fn segment_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.context(directory.display())?,
    };
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| number_of(path).is_some()).collect())
}

fn number_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_suffix(ENDING)?.parse().ok()
}

/// Bytes up to the last line feed.
fn whole_length(path: &Path) -> std::io::Result<u64> {
    let file: File = regular::open(path)?;
    let mut end = file.metadata()?.len();
    let mut piece = vec![0; 64 << 10];
    while end > 0 {
        let start = end.saturating_sub(piece.len() as u64);
        let part = &mut piece[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(found) = memchr::memrchr(b'\n', part) {
            return Ok(start + found as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
