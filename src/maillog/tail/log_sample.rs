//! A part of a log, for a look at what it holds: the end of the file, where the lines of today are.
//!
//! Not here: what the lines say. Invariant: it has whole lines only, and is bounded.

use super::log_file::{Compression, LogFile};
use super::rotated_names::{self, Age, ListedFile};
use super::segments;
use super::{missing, refuse_what_is_no_file, unreadable};
use crate::error::{Error, Result};
use crate::files::regular;
use memchr::{memchr, memrchr};
use std::io;
use std::path::{Path, PathBuf};

/// Bytes of a sample.
const BYTES: usize = 256 << 10;

pub(crate) struct LogSample {
    /// The log itself, or the youngest file that it was rotated into, if it is empty.
    pub(crate) path: PathBuf,
    /// Whole lines.
    pub(crate) lines: Vec<u8>,
    /// When the file was last written to, milliseconds since 1970.
    pub(crate) modified_ms: i64,
    /// The lines are the first of the file.
    pub(crate) begins: bool,
}

/// Which lines a sample has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SampledPart {
    /// With the header of an accounting file.
    Beginning,
    End,
}

impl LogSample {
    /// Error: the log cannot be read.
    pub(crate) fn read(path: &Path, part: SampledPart) -> Result<LogSample> {
        if path.is_dir() {
            return newest_segment(path);
        }
        let (files, error) = rotated_names::list(path);
        refuse_what_is_no_file(path)?;
        let has_lines = |file: &&ListedFile| file.size > 0;
        let Some(file) = files.iter().rfind(has_lines).or(files.last()) else {
            return Err(missing(path, error));
        };
        if file.age != Age::Live && files.last().is_some_and(|last| last.age == Age::Live) {
            // The log is empty, and must be readable all the same.
            regular::open(path).map_err(|error| unreadable(path, &error))?;
        }
        sample(file, part).map_err(|error| unreadable(&file.path, &error))
    }
}

/// That of the segment that was written last.
fn newest_segment(directory: &Path) -> Result<LogSample> {
    let mut newest: Option<ListedFile> = None;
    for series in segments::series(directory)? {
        let files = segments::list(directory, &series)?.into_iter().filter(|file| file.size > 0);
        newest = newest.into_iter().chain(files).max_by_key(|file| file.modified_ms);
    }
    let Some(file) = newest else {
        let what = format_args!(
            "{}: it is a directory, and has no segment of a log of KumoMTA",
            directory.display()
        );
        return Err(Error::new(what).remedy("set path of [[logs]] to a log file, or to log_dir of KumoMTA"));
    };
    sample(&file, SampledPart::Beginning).map_err(|error| unreadable(&file.path, &error))
}

fn sample(file: &ListedFile, part: SampledPart) -> io::Result<LogSample> {
    let mut log = LogFile::open_path(&file.path, file.compression)?;
    let is_plain = file.compression == Compression::Plain;
    let skipped = match part {
        SampledPart::End if is_plain => file.size.saturating_sub(BYTES as u64),
        _ => 0,
    };
    log.skip_to(skipped)?;
    let mut lines = vec![0; BYTES];
    let (read, fault) = log.fill(&mut lines);
    if let Some(fault) = fault.filter(|_| read == 0) {
        return Err(fault);
    }
    lines.truncate(read);
    let end = memrchr(b'\n', &lines).map_or(lines.len(), |end| end + 1);
    lines.truncate(end);
    if skipped > 0 {
        let start = memchr(b'\n', &lines).map_or(0, |end| end + 1);
        lines.drain(..start);
    }
    Ok(LogSample { path: file.path.clone(), lines, modified_ms: file.modified_ms, begins: skipped == 0 })
}
