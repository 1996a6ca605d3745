//! One open file of a log, given out in whole lines.
//!
//! Not here: which file comes next. Invariant: every byte is given once, and a line is cut only
//! where it is longer than the buffer.

use super::log_file::{Compression, LogFile};
use super::read_position::Position;
use super::rotated_names::{ListedFile, modified_ms};
use super::rotation::{self, HEAD};
use crate::files::regular;
use crate::maillog::postfix::LINE;
use memchr::{memchr, memrchr};
use std::io;
use std::ops::Range;

/// A line that is longer than the buffer is given up to here: one byte more than any reader takes,
/// so that the reader counts it as cut.
pub(crate) const CUT: usize = LINE + 1;

pub(crate) struct OpenFile {
    pub(crate) listed: ListedFile,
    file: LogFile,
    /// The first bytes, which hold the header line of a CSV file.
    head: Vec<u8>,
    /// Bytes that were given, decompressed.
    pub(crate) offset: u64,
    within_line: bool,
    /// The part of the buffer that was read and not given.
    unread: Range<usize>,
    ended: bool,
    /// Why reading stopped before the end.
    fault: Option<io::Error>,
}

impl OpenFile {
    /// Opens a file where reading stopped. None if it is not the listed file any more: another file
    /// has its name, or it was copied and truncated.
    pub(crate) fn open(mut listed: ListedFile, position: Option<&Position>) -> io::Result<Option<OpenFile>> {
        let opened = match regular::open(&listed.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = opened.metadata()?;
        if rotation::is_renamed(&listed, &metadata) {
            return Ok(None);
        }
        listed.modified_ms = modified_ms(&metadata);
        let mut file = LogFile::open(opened, listed.compression)?;
        let (mut head, mut offset, mut within_line) = (Vec::new(), 0, false);
        if let Some(position) = position.filter(|position| position.offset > 0) {
            (offset, within_line) = (position.offset, position.within_line);
            head = listed.first_bytes(HEAD.min(usize::try_from(offset).unwrap_or(HEAD)))?;
            if !position.is_in(&head) {
                return Ok(None);
            }
            file.skip_to(offset)?;
        }
        let (unread, ended, fault) = (0..0, false, None);
        Ok(Some(OpenFile { listed, file, head, offset, within_line, unread, ended, fault }))
    }

    /// The part of the buffer that holds the next whole lines. `is_final`: the file does not grow
    /// any more, so its last line is whole without a newline.
    pub(crate) fn lines(&mut self, buffer: &mut [u8], is_final: bool) -> io::Result<Option<Range<usize>>> {
        loop {
            if self.within_line {
                self.skip_line(buffer);
            }
            if !self.within_line
                && let Some(length) = self.whole_lines(buffer, is_final)
            {
                return Ok(Some(self.give(buffer, length)));
            }
            if self.ended {
                return Ok(None);
            }
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            self.fill(buffer);
        }
    }

    /// Skips the rest of a line whose beginning was given.
    fn skip_line(&mut self, buffer: &[u8]) {
        let newline = memchr(b'\n', &buffer[self.unread.clone()]);
        self.give(buffer, newline.map_or(self.unread.len(), |at| at + 1));
        self.within_line = newline.is_none();
    }

    /// How many unread bytes can be given: whole lines, or the beginning of one that is too long.
    fn whole_lines(&mut self, buffer: &[u8], is_final: bool) -> Option<usize> {
        if let Some(newline) = memrchr(b'\n', &buffer[self.unread.clone()]) {
            return Some(newline + 1);
        }
        if self.ended && is_final && !self.unread.is_empty() {
            return Some(self.unread.len());
        }
        self.within_line = self.unread.len() == buffer.len();
        self.within_line.then_some(CUT)
    }

    fn fill(&mut self, buffer: &mut [u8]) {
        buffer.copy_within(self.unread.clone(), 0);
        let kept = self.unread.len();
        let (read, fault) = self.file.fill(&mut buffer[kept..]);
        self.unread = 0..kept + read;
        self.ended = fault.is_none() && kept + read < buffer.len();
        self.fault = fault;
    }

    /// Counts the next unread bytes as given, and returns where they are.
    fn give(&mut self, buffer: &[u8], length: usize) -> Range<usize> {
        let given = self.unread.start..self.unread.start + length;
        if self.head.len() < HEAD && self.head.len() as u64 == self.offset {
            let more = length.min(HEAD - self.head.len());
            self.head.extend_from_slice(&buffer[given.start..given.start + more]);
        }
        self.offset += length as u64;
        self.unread.start = given.end;
        given
    }

    /// Whether the file was truncated while it was read, so that the last lines may be of another.
    pub(crate) fn is_truncated(&self) -> bool {
        rotation::is_truncated(&self.listed, &self.file, &self.head)
    }

    /// The position after the lines that were given.
    pub(crate) fn position(&self) -> Position {
        let is_compressed = self.listed.compression != Compression::Plain;
        let has_end = self.listed.compression != Compression::OpenZstd || self.listed.closed;
        let position = Position {
            device: self.listed.device,
            inode: self.listed.inode,
            offset: self.offset,
            modified_ms: self.listed.modified_ms,
            within_line: self.within_line,
            complete: is_compressed && has_end && self.ended && self.unread.is_empty(),
            paused: !has_end && self.ended,
            ..Position::default()
        };
        position.fingerprint(&self.head)
    }

    /// The first line of the file; empty if it is longer than what is kept.
    pub(crate) fn first_line(&self) -> &[u8] {
        memchr(b'\n', &self.head).map_or(b"", |end| &self.head[..end])
    }
}
