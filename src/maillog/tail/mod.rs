//! A log file that grows, read from where the last tick stopped.
//!
//! Rotation by rename or by copy and truncation, compression, and rotations that nobody saw are followed: the
//! file that was read last is known by its inode and by its first bytes, and found again among its rotated
//! neighbours. Not here: what the lines say. Invariant: every whole line is given once and in order, and the
//! position after it is plain data that is committed with what was made of it.

mod rotated_names;
mod log_file;

use crate::error::{Context, Error, Result};
use log_file::{Compression, LogFile};
use memchr::{memchr, memrchr};
use rotated_names::{Age, ListedFile};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes that are read at once: what stays in the nearer caches with the messages they are about.
const BUFFER: usize = 256 << 10;
/// A line that is longer than the buffer is given up to here, which is one byte more than any reader of lines
/// takes.
const CUT: usize = super::postfix::LINE + 1;
/// First bytes by which a file is known.
const PRINT: usize = 1024;
/// First bytes that are kept, for the header line of a CSV file.
const HEAD: usize = 16 * 1024;

/// Where reading stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Which file, as the file system has it.
    pub(crate) device: u64,
    /// See `device`.
    pub(crate) inode: u64,
    /// How many first bytes `fingerprint` is of: at most 1024, and none of a line that may still grow.
    pub(crate) fingerprinted: u32,
    /// A hash of the first bytes of the file when it is plain.
    pub(crate) fingerprint: u64,
    /// Bytes that were read, of the plain file.
    pub(crate) offset: u64,
    /// When the file was last written to, milliseconds since 1970.
    pub(crate) modified_ms: i64,
    /// The offset is within a line that was too long and was given already.
    pub(crate) within_line: bool,
    /// The file was compressed and read to its end: there is nothing left to look for in it.
    #[serde(default)]
    pub(crate) complete: bool,
}

impl Position {
    /// Is this a position in the file that begins with these bytes?
    fn is_of(&self, head: &[u8]) -> bool {
        let print = head.get(..self.fingerprinted as usize);
        print.is_some_and(|print| super::delivery::identify(&[print]) == self.fingerprint)
    }
}

/// Whole lines of a file.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// The lines, each with its newline, but for the last of a file that will not grow.
    pub(crate) lines: &'a [u8],
    /// When the file was last written to, which no line is much younger than: milliseconds since 1970.
    pub(crate) reference_ms: i64,
    /// The file's first line, the header of a CSV file; empty if it is absurdly long.
    pub(crate) first_line: &'a [u8],
    /// The chunk begins at the beginning of the file.
    pub(crate) begins: bool,
}

/// What else was seen while reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct TailNotes {
    /// Bytes of whole lines, decompressed.
    pub(crate) bytes: u64,
    /// Files that could not be read, or not to their end, and why.
    pub(crate) unread: Vec<(PathBuf, String)>,
    /// The file that was read last is nowhere to be found: lines may be missing.
    pub(crate) lost: bool,
}

/// Reads a log and its rotated neighbours once, to the present end.
pub(crate) struct Tail {
    path: PathBuf,
    /// What the log was rotated into, by inode, when it was listed.
    rotated: Vec<(u64, u64)>,
    /// Files, and where reading stopped in the first of them.
    waiting: VecDeque<(ListedFile, Option<Position>)>,
    current: Option<Current>,
    position: Option<Position>,
    buffer: Vec<u8>,
    notes: TailNotes,
}

/// The file being read.
struct Current {
    file: ListedFile,
    source: LogFile,
    head: Vec<u8>,
    /// Bytes given, of the plain file.
    offset: u64,
    within_line: bool,
    /// What of the buffer is read and not given: from, to.
    unread: (usize, usize),
    ended: bool,
    /// What ended reading before the end.
    fault: Option<io::Error>,
}

impl Tail {
    /// Opens the log at `path`. Without a position, all that there is is read, rotated files first; with one,
    /// what came after it.
    pub(crate) fn open(path: &Path, position: Option<Position>) -> Result<Tail> {
        let (files, error) = rotated_names::files(path);
        if files.is_empty() {
            return match error {
                Some(error) => Err(error).context(path.display()),
                None => Err(Error::new(format_args!("{}: no such file, and no rotated one", path.display()))),
            };
        }
        let (mut notes, rotated) = (TailNotes::default(), rotated_names::rotated(&files));
        let mut waiting: VecDeque<(ListedFile, Option<Position>)> = VecDeque::new();
        match &position {
            None => waiting.extend(files.into_iter().map(|file| (file, None))),
            Some(position) => match find(&files, position) {
                Some(at) => {
                    let mut files = files.into_iter().skip(at);
                    let file = files
                        .next()
                        .filter(|file| !(position.complete && file.compression != Compression::Plain));
                    waiting.extend(file.map(|file| (file, Some(position.clone()))));
                    waiting.extend(files.map(|file| (file, None)));
                }
                None => {
                    notes.lost = position.offset > 0;
                    let after =
                        |file: &ListedFile| file.age == Age::Live || file.modified_ms > position.modified_ms;
                    waiting.extend(files.into_iter().filter(after).map(|file| (file, None)));
                }
            },
        }
        let (path, buffer) = (path.to_owned(), vec![0; BUFFER]);
        Ok(Tail { path, rotated, waiting, current: None, position, buffer, notes })
    }

    /// Whole lines, or None when there are no more for now.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(current) = &mut self.current else { return Ok(None) };
            // While the new file is empty, the writer may still have the old one open.
            let empty = |(file, _): &(ListedFile, Option<Position>)| file.age == Age::Live && file.size == 0;
            let last = self.waiting.front().is_none_or(empty);
            let begins = current.offset == 0;
            match current.lines(&mut self.buffer, !last) {
                // Copied and truncated while it was read: these bytes may be another file's. The next tick finds the copy.
                Ok(Some(_)) if current.is_another() => {
                    self.current = None;
                    self.waiting.clear();
                    return Ok(None);
                }
                Ok(Some((from, to))) => {
                    let current = self.current.as_ref().ok_or_else(|| Error::new("no file is open"))?;
                    self.position = Some(current.position());
                    self.notes.bytes += (to - from) as u64;
                    return Ok(Some(Chunk {
                        lines: &self.buffer[from..to],
                        reference_ms: current.file.modified_ms,
                        first_line: current.first_line(),
                        begins,
                    }));
                }
                Ok(None) => {}
                Err(error) if last && current.file.compression == Compression::Plain => {
                    return Err(error).context(current.file.path.display());
                }
                Err(error) => self.notes.unread.push((current.file.path.clone(), error.to_string())),
            }
            if let Some(current) = &self.current {
                // A line that was skipped as too long moves the position, too.
                if current.offset > 0 {
                    self.position = Some(current.position());
                }
            }
            if last {
                return Ok(None);
            }
            self.current = None;
        }
    }

    /// Where reading stands after the last chunk; to be committed with what was made of it.
    pub(crate) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// About how many bytes are still to be read; of compressed files ten times their size.
    pub(crate) fn ahead(&self) -> u64 {
        let size = |file: &ListedFile, offset: u64| match file.compression {
            Compression::Plain => file.size.saturating_sub(offset),
            _ => file.size.saturating_mul(10).saturating_sub(offset),
        };
        let current = self.current.as_ref().map_or(0, |current| size(&current.file, current.offset));
        let offset = |position: &Option<Position>| position.as_ref().map_or(0, |position| position.offset);
        current + self.waiting.iter().map(|(file, position)| size(file, offset(position))).sum::<u64>()
    }

    /// What else was seen.
    pub(crate) fn notes(&self) -> &TailNotes {
        &self.notes
    }

    /// Opens the next file that is still the one that was listed.
    fn open_next(&mut self) -> Result<bool> {
        while let Some((file, position)) = self.waiting.pop_front() {
            let opened = Current::open(file.clone(), position.as_ref());
            // What it held when it was listed may have been copied away since, and nobody would look for the copy.
            let moved = file.age == Age::Live
                && position.is_none()
                && rotated_names::rotated(&rotated_names::files(&self.path).0) != self.rotated;
            match opened.map(|current| current.filter(|_| !moved)) {
                Ok(Some(current)) => {
                    self.current = Some(current);
                    return Ok(true);
                }
                // Rotated since it was listed: the next tick finds its way from the position.
                Ok(None) => {
                    self.waiting.clear();
                    return Ok(false);
                }
                Err(error) if file.age == Age::Live => return Err(error).context(file.path.display()),
                Err(error) => self.notes.unread.push((file.path, error.to_string())),
            }
        }
        Ok(false)
    }
}

impl Current {
    /// Opens a file where reading stopped; None if the name leads to another file now, or the file begins with other bytes than when
    /// it was listed: it was copied and truncated in between.
    fn open(mut file: ListedFile, position: Option<&Position>) -> io::Result<Option<Current>> {
        let opened = match File::open(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = opened.metadata()?;
        if (metadata.dev(), metadata.ino()) != (file.device, file.inode) {
            return Ok(None);
        }
        file.modified_ms = rotated_names::modified_ms(&metadata);
        let mut source = LogFile::open(opened, file.compression)?;
        let (mut head, mut offset, mut within_line) = (Vec::new(), 0, false);
        if let Some(position) = position.filter(|position| position.offset > 0) {
            (offset, within_line) = (position.offset, position.within_line);
            head = first_bytes(&file, HEAD.min(usize::try_from(offset).unwrap_or(HEAD)))?;
            if !position.is_of(&head) {
                return Ok(None);
            }
            source.skip_to(offset)?;
        }
        Ok(Some(Current {
            file,
            source,
            head,
            offset,
            within_line,
            unread: (0, 0),
            ended: false,
            fault: None,
        }))
    }

    /// The part of the buffer that holds the next whole lines; with `ends`, the file does not grow any more.
    fn lines(&mut self, buffer: &mut [u8], ends: bool) -> io::Result<Option<(usize, usize)>> {
        loop {
            let (from, to) = self.unread;
            if self.within_line {
                // The rest of a line that was given already.
                let found = memchr(b'\n', &buffer[from..to]);
                let skipped = found.map_or(to - from, |found| found + 1);
                self.give(buffer, from, skipped);
                self.within_line = found.is_none();
                if found.is_some() {
                    continue;
                }
            } else if let Some(found) = memrchr(b'\n', &buffer[from..to]) {
                self.give(buffer, from, found + 1);
                return Ok(Some((from, from + found + 1)));
            } else if self.ended && ends && from < to {
                self.give(buffer, from, to - from);
                return Ok(Some((from, to)));
            } else if to - from == buffer.len() {
                self.give(buffer, from, CUT);
                self.within_line = true;
                return Ok(Some((from, from + CUT)));
            }
            if self.ended {
                return Ok(None);
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            let (from, to) = self.unread;
            buffer.copy_within(from..to, 0);
            let kept = to - from;
            let (read, fault) = self.source.fill(&mut buffer[kept..]);
            self.unread = (0, kept + read);
            self.ended = fault.is_none() && kept + read < buffer.len();
            self.fault = fault;
        }
    }

    /// Does the file that is being written begin with other bytes than before?
    fn is_another(&self) -> bool {
        let known = &self.head[..self.head.len().min(PRINT)];
        let mut head = [0; PRINT];
        self.file.age == Age::Live
            && self.source.read_at_start(&mut head[..known.len()]).is_some_and(|read| head[..read] != *known)
    }

    /// Counts bytes of the buffer as given.
    fn give(&mut self, buffer: &[u8], from: usize, length: usize) {
        if self.head.len() < HEAD && self.head.len() as u64 == self.offset {
            let more = length.min(HEAD - self.head.len());
            self.head.extend_from_slice(&buffer[from..from + more]);
        }
        self.offset += length as u64;
        self.unread.0 = from + length;
    }

    fn position(&self) -> Position {
        let print = &self.head[..self.head.len().min(PRINT)];
        Position {
            device: self.file.device,
            inode: self.file.inode,
            fingerprinted: print.len() as u32,
            fingerprint: super::delivery::identify(&[print]),
            offset: self.offset,
            modified_ms: self.file.modified_ms,
            within_line: self.within_line,
            complete: self.ended
                && self.unread.0 == self.unread.1
                && self.file.compression != Compression::Plain,
        }
    }

    fn first_line(&self) -> &[u8] {
        memchr(b'\n', &self.head).map_or(b"", |end| &self.head[..end])
    }
}

/// Which file the position is in: the same inode with the same beginning, else one with the same beginning (a
/// copy, or compressed), the youngest of them.
fn find(files: &[ListedFile], position: &Position) -> Option<usize> {
    let same_file = |file: &ListedFile| (file.device, file.inode) == (position.device, position.inode);
    let long_enough =
        |file: &ListedFile| file.compression != Compression::Plain || file.size >= position.offset;
    let alike = |file: &ListedFile| {
        first_bytes(file, position.fingerprinted as usize).is_ok_and(|head| position.is_of(&head))
    };
    let same = files.iter().position(|file| same_file(file) && long_enough(file) && alike(file));
    // Little is known of a file of which little was read, as of accounting files that all begin with the same header. An older one that
    // was written to since and goes on otherwise is the one.
    if (1..PRINT).contains(&(position.fingerprinted as usize)) {
        let since = |file: &ListedFile| file.modified_ms > position.modified_ms && !same_file(file);
        let older = files.iter().position(|file| since(file) && long_enough(file) && alike(file));
        let head = |at: usize| first_bytes(&files[at], HEAD).unwrap_or_default();
        // A copy that the log was not truncated after yet has nothing that the log has not.
        let unlike = |older: usize, same: usize| !head(same).starts_with(&head(older));
        let is_it = |older: &usize| same.is_none_or(|same| *older < same && unlike(*older, same));
        if let Some(older) = older.filter(is_it) {
            return Some(older);
        }
    }
    same.or_else(|| {
        let known = position.fingerprinted > 0;
        files.iter().rposition(|file| known && !same_file(file) && long_enough(file) && alike(file))
    })
}

/// The first bytes of the plain file, fewer if it is shorter.
fn first_bytes(file: &ListedFile, many: usize) -> io::Result<Vec<u8>> {
    let mut head = vec![0; many];
    if many > 0 {
        let (read, fault) = LogFile::open_path(&file.path, file.compression)?.fill(&mut head);
        head.truncate(read);
        if let Some(fault) = fault.filter(|_| read < many) {
            return Err(fault);
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests;
