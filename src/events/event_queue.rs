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
/// Bytes of the longest event.
const LONGEST: u64 = 1 << 20;
const ENDING: &str = ".jsonl";

pub(super) struct EventQueue {
    directory: PathBuf,
    /// Tells batches of this queue from those of any other.
    pub(super) id: String,
    /// The bytes of each segment's whole lines.
    segments: BTreeMap<u64, u64>,
}

impl EventQueue {
    pub(super) fn open(directory: &Path) -> Result<EventQueue> {
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
        let mut queue = EventQueue { directory: directory.to_owned(), id, segments };
        if queue.id.is_empty() {
            queue.rename()?;
        }
        Ok(queue)
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.directory.join(format!("{segment:020}{ENDING}"))
    }

    /// Appends whole lines, durably.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let last = self.segments.last_key_value().map(|(number, length)| (*number, *length));
        let segment = match last {
            // After a line that was cut off, another segment begins.
            Some((number, length)) if length < SEGMENT && self.is_whole(number, length) => number,
            Some((number, _)) => number + 1,
            None => 1,
        };
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
            let from = SinkMark { offset: mark.offset + left - most, until: None, ..mark.clone() };
            let mut line = Vec::new();
            self.read(&from, LONGEST, &mut line)?;
            let rest = memchr::memchr(b'\n', &line).map_or(line.len(), |end| end + 1);
            (mark.offset, mark.until) = (from.offset + rest as u64, None);
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
        let path = self.path(mark.segment);
        lines.resize(usize::try_from(bytes).unwrap_or(0), 0);
        let file = regular::open(&path);
        file.and_then(|file| file.read_exact_at(lines, mark.offset)).context(path.display())?;
        if bytes < wanted {
            let whole = memchr::memrchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            lines.truncate(whole);
        }
        Ok(())
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
