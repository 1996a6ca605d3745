//! Files of events for Vector and the like: `events-2026-11-21-0001.jsonl`, another one each day
//! (UTC) and after a number of bytes.
//!
//! Not here: which events. Invariant: lines are durable before `append` returns, a line that was
//! cut off is taken away, and only files named like this are removed.

use super::sink_batch::SinkBatch;
use crate::clock::{self, DAY_MS};
use crate::error::{Context, Result};
use crate::files::publish::{OUTPUT, make_output_directory, sync_directory};
use crate::files::{owner, regular};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

const NAME: &str = "events-";
const ENDING: &str = ".jsonl";
/// Bytes that are looked at together for the end of a line.
const PIECE: usize = 64 << 10;

pub(super) fn append(directory: &Path, batch: &SinkBatch<'_>, max_size: u64, keep_days: u32) -> Result<()> {
    make_output_directory(directory)?;
    let today = clock::rfc3339(clock::now_ms()).chars().take(10).collect::<String>();
    let mut files = files(directory).context(directory.display())?;
    files.sort_unstable();
    let of_today: Vec<&(String, u32)> = files.iter().filter(|(date, _)| *date == today).collect();
    let number = match of_today.last() {
        None => 1,
        Some((date, number)) => {
            let length = path(directory, date, *number).metadata().map_or(0, |found| found.len());
            if length > 0 && length + batch.lines.len() as u64 > max_size { number + 1 } else { *number }
        }
    };
    let file = path(directory, &today, number);
    write(directory, &file, &batch.lines).context(file.display())?;
    if keep_days > 0 {
        let oldest = clock::rfc3339(clock::now_ms() - i64::from(keep_days) * DAY_MS);
        for (date, number) in files.iter().filter(|(date, _)| **date < oldest[..10]) {
            // If it fails, the next batch tries again.
            let _ = fs::remove_file(path(directory, date, *number));
        }
    }
    Ok(())
}

fn write(directory: &Path, path: &Path, lines: &[u8]) -> io::Result<()> {
    owner::guard(path)?;
    let (mut file, is_new) = match regular::open_to_append(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = File::options().append(true).create_new(true).mode(OUTPUT).open(path)?;
            // Whatever the umask is.
            made.set_permissions(Permissions::from_mode(OUTPUT))?;
            (made, true)
        }
        opened => (opened?, false),
    };
    let length = file.metadata()?.len();
    let whole = whole_lines(&regular::open(path)?, length)?;
    if whole < length {
        file.set_len(whole)?;
    }
    let written = file.write_all(lines).and_then(|()| file.sync_data());
    if written.is_err() {
        // As on a full disk. If this fails too, the next batch tries again.
        let _ = file.set_len(whole);
    }
    written?;
    if is_new { sync_directory(directory) } else { Ok(()) }
}

/// Bytes of the lines that have an end. What comes after them was cut off, and comes again.
fn whole_lines(file: &File, length: u64) -> io::Result<u64> {
    let (mut end, mut piece) = (length, vec![0; PIECE]);
    while end > 0 {
        let many = usize::try_from(end).unwrap_or(PIECE).min(PIECE);
        let start = end - many as u64;
        file.read_exact_at(&mut piece[..many], start)?;
        if let Some(last) = memchr::memrchr(b'\n', &piece[..many]) {
            return Ok(start + last as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn path(directory: &Path, date: &str, number: u32) -> PathBuf {
    directory.join(format!("{NAME}{date}-{number:04}{ENDING}"))
}

/// The dates and numbers of the files.
fn files(directory: &Path) -> io::Result<Vec<(String, u32)>> {
    let read = |name: &str| {
        let rest = name.strip_prefix(NAME)?.strip_suffix(ENDING)?;
        let (date, number) = rest.rsplit_once('-')?;
        let is_date = date.len() == 10 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        is_date.then_some((date.to_owned(), number.parse().ok()?))
    };
    let entries = fs::read_dir(directory)?.flatten();
    Ok(entries.filter_map(|entry| read(entry.file_name().to_str()?)).collect())
}
