//! Lines that the log could not take, because its directory cannot be written: in `unwritten/` of
//! the state directory, where they are read as lines of the log, until a tick puts them there.
//!
//! Not here: what the lines say. Invariant: a line comes into the log once, whatever is killed
//! when. A file is given another name a tick before its lines are written, so that nobody adds to
//! it any more; and what a killed tick has written is recognized by its first line.

use super::{MessageLog, NAME, RECORDS};
use crate::config::Config;
use crate::error::{Context, Error, Result};
use crate::files::{daily, regular};
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

/// No line is added any more.
const LEFT: &str = ".left";
/// A tick writes its lines into the log.
const MOVING: &str = ".moving";
/// A longer file is left to an operator.
const LONGEST: u64 = 1 << 30;

pub(super) fn directory(config: &Config) -> PathBuf {
    config.state_dir().join("unwritten")
}

impl MessageLog {
    /// Puts lines that the log could not take into it. Error: it still cannot be written.
    pub(crate) fn take_unwritten(&self) -> Result<()> {
        let tried = daily::try_today(&self.directory, self.json_name());
        tried.map_err(|error| self.unwritable(&error))?;
        for name in [NAME, RECORDS] {
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
            return self.write_lines(&moving, Path::new(first));
        }
        match name.strip_suffix(MOVING) {
            Some(_) if self.has_first_line(path)? => fs::remove_file(path),
            Some(first) => self.write_lines(path, Path::new(first)),
            None => {
                let left = PathBuf::from(format!("{name}{LEFT}"));
                if left.exists() { Ok(()) } else { fs::rename(path, left) }
            }
        }
    }

    /// Writes the lines of a file into the log, and removes it. What the disk has no room for is
    /// left.
    fn write_lines(&self, path: &Path, first: &Path) -> io::Result<()> {
        let lines = regular::read(path, LONGEST)?;
        let written = daily::append_durably(&self.directory, self.json_name(), &lines)?;
        if written < lines.len() {
            let whole = memchr::memrchr(b'\n', &lines[..written]).map_or(0, |end| end + 1);
            let left = PathBuf::from(format!("{}{LEFT}", first.display()));
            fs::write(&left, &lines[whole..])?;
        } else {
            self.put_text(String::from_utf8_lossy(&lines).lines());
        }
        fs::remove_file(path)
    }

    /// Whether the log has the first line of a file.
    fn has_first_line(&self, path: &Path) -> io::Result<bool> {
        let mut first = Vec::new();
        BufReader::new(regular::open(path)?).read_until(b'\n', &mut first)?;
        let logs = daily::all(&self.directory, self.json_name()).map_err(io::Error::other)?;
        for log in logs.iter().rev().filter(|log| !daily::is_packed(log)) {
            let mut lines = BufReader::new(regular::open(log)?);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line)? > 0 {
                if line == first {
                    return Ok(true);
                }
                line.clear();
            }
        }
        Ok(false)
    }
}
