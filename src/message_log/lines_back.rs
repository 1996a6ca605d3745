//! The lines of the message log, the newest first, in blocks from the end: a long log takes no more
//! memory than a short one.
//!
//! Not here: what a line says (`logged_event`). Invariant: every line is there once, also the part
//! of one that was cut off, and whatever is no line of ours takes no more than `LONGEST`.

use super::{NAME, RECORDS};
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::{daily, regular};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

const BLOCK: usize = 256 << 10;
/// Bytes of a line at most; the rest is another line.
const LONGEST: usize = 1 << 20;
/// Days that renamed files are read.
const RENAMED_DAYS: i64 = 40;

pub(crate) struct LinesBack {
    /// The oldest first.
    files: Vec<PathBuf>,
    open: Option<OpenBack>,
}

/// A file that is read from its end.
struct OpenBack {
    file: File,
    path: PathBuf,
    /// The bytes before it are not read yet.
    position: u64,
    /// What was read and not given yet; it ends with a whole line.
    held: Vec<u8>,
}

/// The files of the log with lines of JSON, the oldest first.
pub(super) fn files(config: &Config) -> Result<Vec<PathBuf>> {
    let directory = config.log_dir();
    let mut days = Vec::new();
    for name in [NAME, RECORDS] {
        days.extend(daily::renamed(&directory, name, RENAMED_DAYS)?);
        days.extend(daily::days(&directory, name)?);
    }
    days.sort_unstable();
    Ok(days.into_iter().map(|day| day.path).filter(|path| path.is_file()).collect())
}

impl LinesBack {
    pub(crate) fn of(config: &Config) -> Result<LinesBack> {
        Ok(LinesBack { files: files(config)?, open: None })
    }

    /// The next older line without its end; `None`: there is none.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(open) = &mut self.open {
                let path = open.path.display().to_string();
                match open.line().context(path)? {
                    Some(line) if line.is_empty() => continue,
                    Some(line) => return Ok(Some(line)),
                    None => self.open = None,
                }
            }
            let Some(path) = self.files.pop() else { return Ok(None) };
            let file = regular::open(&path).context(path.display())?;
            let position = file.metadata().context(path.display())?.len();
            self.open = Some(OpenBack { file, path, position, held: Vec::new() });
        }
    }
}

impl OpenBack {
    fn line(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = memchr::memrchr(b'\n', &self.held) {
                let line = self.held.split_off(end + 1);
                self.held.truncate(end);
                return Ok(Some(line));
            }
            if self.position == 0 || self.held.len() >= LONGEST {
                let line = std::mem::take(&mut self.held);
                return Ok(if line.is_empty() && self.position == 0 { None } else { Some(line) });
            }
            let size = BLOCK.min(usize::try_from(self.position).unwrap_or(BLOCK));
            self.position -= size as u64;
            let mut block = vec![0; size];
            self.file.read_exact_at(&mut block, self.position)?;
            block.append(&mut self.held);
            self.held = block;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn each_line_of_each_day_comes_once_the_newest_first() {
        let state = std::env::temp_dir().join(format!("carom-back-{:x}", fastrand::u64(..)));
        let config = Config { state: Some(state.clone()), ..Config::default() };
        fs::create_dir_all(config.log_dir()).unwrap();
        let long = "x".repeat(BLOCK + 7);
        let write = |name: &str, text: String| fs::write(config.log_dir().join(name), text).unwrap();
        write("messages-2026-11-20.log", "one\ntwo\n\n".into());
        write("messages-2026-11-21.log", format!("three\n{long}\ncut off"));
        write("records-2026-11-22.log", "four\n".into());
        let mut lines = LinesBack::of(&config).unwrap();
        for expected in ["four", "cut off", &long, "three", "two", "one"] {
            assert_eq!(lines.next().unwrap().unwrap(), expected.as_bytes());
        }
        assert!(lines.next().unwrap().is_none());
        fs::remove_dir_all(state).unwrap();
    }
}
