//! Lines that the log could not take, because its directory cannot be written: in `unwritten/` of
//! the state directory, where they are read as lines of the log, until a tick puts them there.
//!
//! Files, because there may be no store either. Not here: what the lines say, and lines of effects
//! that a kill may leave without them, which are in the store (`log_failures::noted_lines`).
//! Invariant: a line comes into the log once, whatever is killed when, or is full. A file is given
//! another name a tick before its lines are written, so that nobody adds to it any more. It goes
//! when the log has all of its lines; until then a tick looks in the log for those that it has
//! already.

use super::MessageLog;
use super::log_files::WITH_JSON;
use crate::digest;
use crate::error::{Context, Error, Result};
use crate::files::{daily, regular};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

/// No line is added any more.
const LEFT: &str = ".left";
/// A tick writes its lines into the log.
const MOVING: &str = ".moving";
/// Bytes of one write.
const PIECE: usize = 1 << 20;

impl MessageLog {
    /// Puts lines that the log could not take into it. Error: it still cannot be written.
    pub(crate) fn take_unwritten(&self) -> Result<()> {
        let tried = daily::try_today(&self.directory, self.json_name());
        tried.map_err(|error| self.unwritable(&error))?;
        for name in WITH_JSON {
            for path in daily::all(&self.unwritten, name)? {
                self.take(&path).context(path.display())?;
            }
            // The link to the newest leads nowhere then.
            if daily::all(&self.unwritten, name)?.is_empty() {
                let _ = fs::remove_file(self.unwritten.join(format!("{name}.log")));
            }
        }
        Ok(())
    }

    fn unwritable(&self, error: &io::Error) -> Error {
        Error::new(format_args!("{}: {error}", self.directory.display())).remedy(format_args!(
            "let the user that runs carom write there, or set [log] directory to another one; until then the \
             lines are in {}",
            self.unwritten.display()
        ))
    }

    /// Brings a file one step further.
    fn take(&self, path: &Path) -> io::Result<()> {
        let name = path.display().to_string();
        if let Some(first) = name.strip_suffix(LEFT) {
            let moving = PathBuf::from(format!("{first}{MOVING}"));
            if moving.exists() {
                return Ok(());
            }
            fs::rename(path, &moving)?;
            return self.write_lines(&moving, Counted::default());
        }
        match name.strip_suffix(MOVING) {
            Some(_) => {
                let there = self.there_already(path)?;
                self.write_lines(path, there)
            }
            None => {
                let left = PathBuf::from(format!("{name}{LEFT}"));
                if left.exists() { Ok(()) } else { fs::rename(path, left) }
            }
        }
    }

    /// Writes the lines of a file that are not there into the log, and then removes it. What the
    /// disk has no room for is left to the next tick.
    fn write_lines(&self, path: &Path, mut there: Counted) -> io::Result<()> {
        let mut lines = Lines::of(path)?;
        let mut piece = Vec::new();
        loop {
            let line = lines.next_line()?;
            let is_end = line.is_none();
            piece.extend_from_slice(line.filter(|line| !there.take(line)).unwrap_or_default());
            if piece.len() >= PIECE || is_end && !piece.is_empty() {
                if daily::append_durably(&self.directory, self.json_name(), &piece)? < piece.len() {
                    return Err(io::Error::new(
                        ErrorKind::StorageFull,
                        "only a part of the lines was written",
                    ));
                }
                self.put_text(String::from_utf8_lossy(&piece).lines());
                piece.clear();
            }
            if is_end {
                return fs::remove_file(path);
            }
        }
    }

    /// How many of each line of a file the log has.
    fn there_already(&self, path: &Path) -> io::Result<Counted> {
        let mut wanted = Counted::default();
        let mut lines = Lines::of(path)?;
        while let Some(line) = lines.next_line()? {
            wanted.add(line);
        }
        let mut found = Counted::default();
        let logs = daily::all(&self.directory, self.json_name()).map_err(io::Error::other)?;
        for log in logs.iter().filter(|log| !daily::is_packed(log)) {
            let mut lines = Lines::of(log)?;
            while let Some(line) = lines.next_line()? {
                if wanted.take(line) {
                    found.add(line);
                }
            }
        }
        Ok(found)
    }
}

/// Lines by their digest, and how often each is there.
#[derive(Default)]
struct Counted(HashMap<[u8; 32], u32>);

impl Counted {
    fn add(&mut self, line: &[u8]) {
        *self.0.entry(digest::sha256(&[line])).or_default() += 1;
    }

    /// Takes one such line away; false: there is none.
    fn take(&mut self, line: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let Some(count) = self.0.get_mut(&digest::sha256(&[line])).filter(|count| **count > 0) else {
            return false;
        };
        *count -= 1;
        true
    }
}

/// The lines of a file, each with its line end, one in memory at a time.
struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    fn of(path: &Path) -> io::Result<Lines> {
        Ok(Lines { file: BufReader::new(regular::open(path)?), line: Vec::new() })
    }

    /// `None`: the end. A last line without an end gets one.
    fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        if self.file.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        Ok(Some(&self.line))
    }
}
