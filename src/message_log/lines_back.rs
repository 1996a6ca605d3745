//! The lines of the message log, the newest first, in blocks from the end: a long log takes no more
//! memory than a short one. Of lines that name something, pieces whose outline lacks its words are
//! not read.
//!
//! Not here: what a line says (`logged_event`). Invariant: every line is there once, also the part
//! of one that was cut off, and whatever is no line of ours takes no more than `LONGEST`.

use super::log_files;
use super::outlines::{LONGEST, Outlines, PIECE, rest_of_line};
use super::word_filter::SoughtWords;
use crate::config::Config;
use crate::error::{Context, Result};
use crate::files::daily::{self, DayFile};
use crate::files::regular;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

const BLOCK: usize = 256 << 10;

pub(crate) struct LinesBack<'s> {
    config: &'s Config,
    /// The oldest first.
    files: Vec<DayFile>,
    open: Option<OpenBack>,
    /// Only lines that may name it are wanted, and others may come too.
    sought: Option<&'s SoughtWords>,
}

/// A file that is read from its end.
struct OpenBack {
    file: File,
    path: PathBuf,
    /// The bytes before it are not read yet.
    position: u64,
    /// What was read and not given yet; it ends with a whole line.
    held: Vec<u8>,
    outlines: Option<Outlines>,
    /// What follows the position was not read.
    has_skipped: bool,
}

impl<'s> LinesBack<'s> {
    pub(crate) fn of(config: &'s Config) -> Result<LinesBack<'s>> {
        Ok(LinesBack { config, files: log_files::readable(config)?, open: None, sought: None })
    }

    /// Lines since a time are among these: a file has none of a later day than its own.
    pub(crate) fn since(config: &'s Config, at_ms: i64) -> Result<LinesBack<'s>> {
        let (mut lines, day) = (LinesBack::of(config)?, daily::date(at_ms));
        lines.files.retain(|file| file.date >= day);
        Ok(lines)
    }

    /// Lines that name something are among these.
    pub(super) fn naming(config: &'s Config, sought: &'s SoughtWords) -> Result<LinesBack<'s>> {
        Ok(LinesBack { sought: Some(sought), ..LinesBack::of(config)? })
    }

    /// The file of the line that was given last.
    pub(super) fn path(&self) -> Option<&Path> {
        self.open.as_ref().map(|open| open.path.as_path())
    }

    /// The next older line without its end; `None`: there is none.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(open) = &mut self.open {
                let path = open.path.display().to_string();
                match open.line(self.sought).context(path)? {
                    Some(line) if line.is_empty() => continue,
                    Some(line) => return Ok(Some(line)),
                    None => self.open = None,
                }
            }
            let Some(DayFile { path, .. }) = self.files.pop() else { return Ok(None) };
            let file = regular::open(&path).context(path.display())?;
            let about = file.metadata().context(path.display())?;
            let outlines = self.sought.and_then(|_| Outlines::of(self.config, &path, about.ino()));
            let (position, held, has_skipped) = (about.len(), Vec::new(), false);
            self.open = Some(OpenBack { file, path, position, held, outlines, has_skipped });
        }
    }
}

impl OpenBack {
    fn line(&mut self, sought: Option<&SoughtWords>) -> io::Result<Option<Vec<u8>>> {
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
            if self.position.is_multiple_of(PIECE) {
                if self.lacks(sought) {
                    let line = self.skip()?;
                    return Ok(Some(line));
                }
                if std::mem::take(&mut self.has_skipped) {
                    self.held = rest_of_line(&self.file, self.position)?.unwrap_or_default();
                }
            }
            let in_piece = (self.position - 1) % PIECE + 1;
            let size = BLOCK.min(usize::try_from(in_piece).unwrap_or(BLOCK));
            self.position -= size as u64;
            let mut block = vec![0; size];
            self.file.read_exact_at(&mut block, self.position)?;
            block.append(&mut self.held);
            self.held = block;
        }
    }

    /// Whether the piece before the position is known to name nothing that is sought.
    fn lacks(&self, sought: Option<&SoughtWords>) -> bool {
        let (Some(sought), Some(outlines)) = (sought, &self.outlines) else { return false };
        let words = outlines.piece(&self.file, self.position / PIECE - 1);
        words.is_some_and(|words| !sought.may_be_in(&words))
    }

    /// Passes over the piece before the position. The line in hand is returned if it begins after
    /// the piece.
    fn skip(&mut self) -> io::Result<Vec<u8>> {
        let mut last = [0];
        self.file.read_exact_at(&mut last, self.position - 1)?;
        self.position -= PIECE;
        self.has_skipped = true;
        let line = std::mem::take(&mut self.held);
        Ok(if last == *b"\n" { line } else { Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Deadline;
    use std::fs;
    use std::time::Duration;

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

    #[test]
    fn what_is_sought_is_found_wherever_pieces_meet_and_little_else_is_read() {
        let state = std::env::temp_dir().join(format!("carom-back-{:x}", fastrand::u64(..)));
        let config = Config { state: Some(state.clone()), ..Config::default() };
        fs::create_dir_all(config.log_dir()).unwrap();
        let mut random = fastrand::Rng::with_seed(7);
        let (mut text, mut wanted) = (String::new(), Vec::new());
        while text.len() < 9 * PIECE as usize + 12_345 {
            let to_boundary = PIECE as usize - text.len() % PIECE as usize;
            // Lines at both ends of some pieces, over the end of others, and one right before it.
            let is_wanted = to_boundary < 1200 && !(text.len() as u64 / PIECE).is_multiple_of(3);
            let length = match to_boundary {
                300..600 => to_boundary - 1,
                _ => random.usize(100..900),
            };
            let name = if is_wanted { "key4sought" } else { "key4other" };
            let line =
                format!("{{\"id\":\"{name}\",\"n\":{}{}", text.len(), "x".repeat(length.saturating_sub(40)));
            text += &line;
            text.push('\n');
            if is_wanted {
                wanted.push(line);
            }
        }
        text += "cut off";
        let log = config.log_dir().join("messages-2026-11-21.log");
        fs::write(&log, &text).unwrap();
        let mut sought = SoughtWords::default();
        sought.add_quoted("key4sought");
        let read = || {
            let mut lines = LinesBack::naming(&config, &sought).unwrap();
            let mut read = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                read.push(String::from_utf8(line).unwrap());
            }
            read.reverse();
            read
        };
        let named = |lines: &[String]| {
            lines.iter().filter(|line| line.contains("sought")).cloned().collect::<Vec<_>>()
        };
        let all: Vec<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(read(), all, "without outlines, everything");
        crate::message_log::outline(&config, Deadline::after(Duration::from_secs(60))).unwrap();
        let some = read();
        assert_eq!(named(&some), wanted);
        assert!(some.len() < all.len() * 8 / 10, "{} of {}", some.len(), all.len());
        assert!(some.iter().all(|line| all.contains(line)), "no line is in parts");
        // What was written over is read again.
        let at = text.find("key4other").unwrap();
        let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
        file.write_all_at(b"key4sought", at as u64).unwrap();
        file.write_all_at(&[b'y'; 200], PIECE - 210).unwrap();
        assert_eq!(named(&read()).len(), wanted.len() + 1);
        fs::remove_dir_all(state).unwrap();
    }
}
