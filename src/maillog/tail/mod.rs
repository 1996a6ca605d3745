//! A log that grows, read from where the last tick stopped.
//!
//! Rotation by rename or by copy and truncation, compression, and rotations between two ticks are
//! followed. Not here: what the lines say. Invariant: every whole line is given once and in order,
//! and the position after it is plain data that is committed with what was made of it.

mod whole_blocks;
mod log_file;
mod rotated_names;
mod segments;
mod read_position;
mod rotation;
mod open_file;
mod lines_about;
mod log_sample;

pub(crate) use lines_about::{FoundLine, LineSearch, LinesAbout, SearchedFile};
pub(crate) use log_sample::{LogSample, SampledPart};
pub(crate) use read_position::Position;
pub(crate) use rotated_names::last_modified_ms;
pub(crate) use segments::series;

use crate::error::{Error, Result};
use crate::files::granting::granting;
use crate::files::probe;
use crate::files::regular::{self, kind_name};
use crate::files::user_database::SYSTEM;
use log_file::Compression;
use open_file::OpenFile;
use rotated_names::{Age, ListedFile};
use rustix::fs::FileType;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Bytes at the beginning of a file that tell what it is.
const SNIFFED: u64 = 512;
/// Bytes that are read together: they stay in the nearer caches with the messages they are about.
const BUFFER: usize = 256 << 10;
/// A compressed file is expected to hold this many times its size.
const EXPANSION: u64 = 10;

/// Whole lines of a file.
#[derive(Debug)]
pub(crate) struct Chunk<'a> {
    /// The file: the log itself, or one that it was rotated into.
    pub(crate) path: &'a Path,
    /// The lines, each with its newline, except the last of a file that does not grow any more.
    pub(crate) lines: &'a [u8],
    /// When the file was last written to: no line is much younger. Milliseconds since 1970.
    pub(crate) reference_ms: i64,
    /// The file's first line, the header of a CSV file; empty if it is too long.
    pub(crate) first_line: &'a [u8],
    /// The chunk begins at the beginning of the file.
    pub(crate) begins: bool,
}

/// What else was seen while reading.
#[derive(Clone, Debug, Default)]
pub(crate) struct TailNotes {
    /// Bytes of whole lines, decompressed.
    pub(crate) bytes: u64,
    /// Files that were not read to their end, and why.
    pub(crate) unread: Vec<(PathBuf, String)>,
    /// The file that was read last was not found: lines may be missing.
    pub(crate) lost: bool,
}

/// Reads a log and its rotated files once, to the present end.
pub(crate) struct Tail {
    path: PathBuf,
    /// The rotated files when they were listed.
    rotated: Vec<(u64, u64)>,
    waiting: VecDeque<WaitingFile>,
    current: Option<OpenFile>,
    position: Option<Position>,
    buffer: Vec<u8>,
    notes: TailNotes,
}

/// A file to be read, from its beginning or from a position in it.
struct WaitingFile {
    listed: ListedFile,
    position: Option<Position>,
}

impl WaitingFile {
    fn from_beginning(listed: ListedFile) -> WaitingFile {
        WaitingFile { listed, position: None }
    }
}

impl Tail {
    /// Opens the log at `path`. Without a position everything is read, rotated files first; with
    /// one, what came after it.
    pub(crate) fn open(path: &Path, position: Option<Position>) -> Result<Tail> {
        let (files, error) = rotated_names::list(path);
        refuse_what_is_no_file(path)?;
        if files.is_empty() {
            return Err(missing(path, error));
        }
        Ok(Tail::of(path, files, position))
    }

    /// Opens a series of the segments at `path`; if that is a file, the file.
    pub(crate) fn open_series(path: &Path, series: &str, position: Option<Position>) -> Result<Tail> {
        match path.is_dir() {
            true => Ok(Tail::of(path, segments::list(path, series)?, position)),
            false => Tail::open(path, position),
        }
    }

    fn of(path: &Path, files: Vec<ListedFile>, position: Option<Position>) -> Tail {
        let rotated = rotation::rotated(&files);
        let mut notes = TailNotes::default();
        let waiting = match &position {
            None => files.into_iter().map(WaitingFile::from_beginning).collect(),
            Some(position) => match rotation::find_again(&files, position) {
                Some(at) => files_from(files, at, position),
                None => {
                    // A segment that was read to its end may be removed.
                    notes.lost = position.offset > 0 && !position.complete;
                    files_written_since(files, position)
                }
            },
        };
        let (path, buffer) = (path.to_owned(), vec![0; BUFFER]);
        Tail { path, rotated, waiting, current: None, position, buffer, notes }
    }

    /// Whole lines, or None when there are no more for now.
    pub(crate) fn next_chunk(&mut self) -> Result<Option<Chunk<'_>>> {
        loop {
            if self.current.is_none() && !self.open_next()? {
                return Ok(None);
            }
            let Some(current) = &mut self.current else { return Ok(None) };
            // While the new file is empty, the writer may still have the old one open.
            let is_empty = |next: &WaitingFile| next.listed.age == Age::Live && next.listed.size == 0;
            let is_last = self.waiting.front().is_none_or(is_empty);
            let begins = current.offset == 0;
            match current.lines(&mut self.buffer, !is_last) {
                Ok(Some(_)) if current.is_truncated() => {
                    // The next tick finds the copy.
                    self.current = None;
                    self.waiting.clear();
                    return Ok(None);
                }
                Ok(Some(range)) => {
                    let current = self.current.as_ref().ok_or_else(|| Error::new("no file is open"))?;
                    self.position = Some(current.position());
                    self.notes.bytes += range.len() as u64;
                    return Ok(Some(Chunk {
                        path: &current.listed.path,
                        lines: &self.buffer[range],
                        reference_ms: current.listed.modified_ms,
                        first_line: current.first_line(),
                        begins,
                    }));
                }
                Ok(None) => {}
                Err(error) if is_last && current.listed.compression == Compression::Plain => {
                    return Err(unreadable(&current.listed.path, &error));
                }
                Err(error) => self.notes.unread.push((current.listed.path.clone(), error.to_string())),
            }
            if let Some(current) = &self.current {
                // The rest of a long line that was skipped moves the position, too.
                if current.offset > 0 {
                    self.position = Some(current.position());
                }
            }
            if is_last {
                return Ok(None);
            }
            self.current = None;
        }
    }

    /// The position after the last chunk, to be committed with what was made of it.
    pub(crate) fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// An estimate of the bytes that remain.
    pub(crate) fn ahead(&self) -> u64 {
        let size = |file: &ListedFile, offset: u64| match file.compression {
            Compression::Plain => file.size.saturating_sub(offset),
            _ => file.size.saturating_mul(EXPANSION).saturating_sub(offset),
        };
        let of_waiting = |file: &WaitingFile| {
            size(&file.listed, file.position.as_ref().map_or(0, |position| position.offset))
        };
        let of_current = self.current.as_ref().map_or(0, |current| size(&current.listed, current.offset));
        of_current + self.waiting.iter().map(of_waiting).sum::<u64>()
    }

    pub(crate) fn notes(&self) -> &TailNotes {
        &self.notes
    }

    /// Opens the next file that is still the one that was listed.
    fn open_next(&mut self) -> Result<bool> {
        while let Some(WaitingFile { listed, position }) = self.waiting.pop_front() {
            let is_live = listed.age == Age::Live;
            let opened = OpenFile::open(listed.clone(), position.as_ref());
            // Nobody would look for a copy of a log that was never read.
            let is_copied_away =
                is_live && position.is_none() && rotation::is_rotated_since(&self.path, &self.rotated);
            match opened.map(|file| file.filter(|_| !is_copied_away)) {
                Ok(Some(file)) => {
                    self.current = Some(file);
                    return Ok(true);
                }
                Ok(None) => {
                    // The next tick finds the file from the position.
                    self.waiting.clear();
                    return Ok(false);
                }
                Err(error) if is_live => return Err(unreadable(&listed.path, &error)),
                Err(error) => self.notes.unread.push((listed.path, error.to_string())),
            }
        }
        Ok(false)
    }
}

/// Reading a FIFO or a socket would wait for ever, and a device has no end.
fn refuse_what_is_no_file(path: &Path) -> Result<()> {
    let Ok(found) = path.metadata() else { return Ok(()) };
    match FileType::from_raw_mode(found.mode()) {
        FileType::RegularFile => Ok(()),
        kind => Err(Error::new(format_args!("{}: it is {}, not a file", path.display(), kind_name(kind)))
            .remedy("set path of [[logs]] to the file that the mail server logs to")),
    }
}

fn missing(path: &Path, error: Option<io::Error>) -> Error {
    match error.or_else(|| path.metadata().err()).filter(|error| error.kind() != io::ErrorKind::NotFound) {
        Some(error) => unreadable(path, &error),
        None => Error::new(format_args!("{}: no such file, and no rotated one", path.display())).remedy(
            "let the mail server log to this file, or set path of [[logs]] to its log \
             (without one: kind = \"journald\")",
        ),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    let remedy = match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let user = SYSTEM.name(rustix::process::geteuid().as_raw());
            let (closed, right) = probe::barred_by(path).map_or((path, 'r'), |directory| (directory, 'x'));
            format!("let the user that runs `carom cron` read it{}", granting(&user, closed, right))
        }
        io::ErrorKind::Unsupported => "decompress it, or compress logs with gzip, zstd or xz".into(),
        _ => "correct the file, or set path of [[logs]] to another one".into(),
    };
    Error::new(format_args!("{}: {error}", path.display())).remedy(remedy)
}

/// The first bytes of a file, as they are on disk; none if it cannot be read.
pub(crate) fn first_bytes(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    if let Ok(file) = regular::open(path) {
        // What could be read is enough.
        let _ = file.take(SNIFFED).read_to_end(&mut head);
    }
    head
}

/// The file that the position is in, unless nothing is left in it, and all younger ones.
fn files_from(files: Vec<ListedFile>, at: usize, position: &Position) -> VecDeque<WaitingFile> {
    let is_last = at + 1 == files.len();
    let mut files = files.into_iter().skip(at);
    let is_left = |file: &ListedFile| match file.compression {
        Compression::Plain => true,
        // It is decompressed again only if there may be more of it.
        Compression::OpenZstd if is_last && !file.closed && position.paused => {
            file.modified_ms != position.modified_ms
        }
        _ => !position.complete,
    };
    let first = files.next().filter(is_left);
    let first = first.map(|listed| WaitingFile { listed, position: Some(position.clone()) });
    first.into_iter().chain(files.map(WaitingFile::from_beginning)).collect()
}

/// The files that may hold lines after the position, whose file is lost.
fn files_written_since(files: Vec<ListedFile>, position: &Position) -> VecDeque<WaitingFile> {
    let is_after = |file: &ListedFile| file.age == Age::Live || file.modified_ms > position.modified_ms;
    files.into_iter().filter(is_after).map(WaitingFile::from_beginning).collect()
}

#[cfg(test)]
mod tests;
