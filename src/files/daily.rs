//! Files that grow by lines, one for each day (UTC): `NAME-2026-11-21.log`, and a link `NAME.log`
//! to the newest.
//!
//! A day ends without a rename, so that none of many writers loses a line. Not here: what the lines
//! say. Invariants: lines are one write(2) in append mode, and never continue a line that a crash
//! or a full disk cut off, which one of many writers ends; before the first of them the file's name
//! is durable; only files named like this are removed, and never today's for its size.

use super::publish::{publish_link, sync_directory};
use super::{private, probe, regular};
use crate::clock::{self, DAY_MS};
use crate::error::{Context, Result};
use crate::text::bounded;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Longest line of a log in bytes. What is on record is never cut.
pub(crate) const MAX_LINE: usize = 16 << 10;
/// Endings of files that cannot be read as lines.
const COMPRESSED: [&str; 4] = [".gz", ".xz", ".zst", ".bz2"];

/// How long a writer waits for another one that ends a line, and between two tries.
const LOCKED: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(1);

/// The file of one day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DayFile {
    /// `2026-11-21`; first, so that files sort by it.
    pub(crate) date: String,
    pub(crate) path: PathBuf,
}

/// Appends a line to today's file; creates the file and its directory if they are missing.
pub(crate) fn append(directory: &Path, name: &str, line: &str) -> io::Result<()> {
    let line = [bounded(line, MAX_LINE).as_bytes(), b"\n"].concat();
    put(directory, name, &line)
}

/// Appends whole lines, of any length, to today's file. Returns how many of their bytes are on the
/// disk: on a full one it may be a part. What has failed may be there all the same.
pub(crate) fn append_durably(directory: &Path, name: &str, lines: &[u8]) -> io::Result<usize> {
    let (file, written) = put_what_fits(directory, name, lines)?;
    file.sync_data()?;
    Ok(written)
}

/// Appends whole lines to today's file, each in a line of its own; all of them, or it fails. What
/// has failed may be there all the same.
pub(crate) fn put(directory: &Path, name: &str, lines: &[u8]) -> io::Result<()> {
    match put_what_fits(directory, name, lines)?.1 == lines.len() {
        true => Ok(()),
        false => Err(io::Error::new(ErrorKind::StorageFull, "only a part was written")),
    }
}

/// The same, without a word about those that were not written: how many bytes were.
pub(crate) fn put_some(directory: &Path, name: &str, lines: &[u8]) -> io::Result<usize> {
    put_what_fits(directory, name, lines).map(|(_, written)| written)
}

/// The file, and how many bytes of the lines are in it.
fn put_what_fits(directory: &Path, name: &str, lines: &[u8]) -> io::Result<(File, usize)> {
    let file = open_today(directory, name)?;
    let mut length = file.metadata()?.len();
    if length == 0 {
        // Whoever finds something in the file knows that its name is durable.
        sync_names(directory)?;
    }
    let mut is_cut = length > 0 && !ends_line(&file, length)?;
    if is_cut {
        // Another writer may be in the middle of a write, of which the file has some pages. A write
        // of nothing waits until it is over.
        write(&file, b"")?;
        length = file.metadata()?.len();
        is_cut = !ends_line(&file, length)?;
    }
    if is_cut {
        let written = end_and_write(&file, lines)?;
        return Ok((file, written));
    }
    let written = write(&file, lines)?;
    // Since the look at the file's end, another writer may have been cut off there: then the first
    // line continues that writer's.
    let start = rustix::fs::tell(&file)?.saturating_sub(written as u64);
    if start > 0 && !ends_line(&file, start)? {
        let first = lines.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
        if written < first.len() || end_and_write(&file, first)? < first.len() {
            return Ok((file, 0));
        }
    }
    Ok((file, written))
}

/// Writes lines after one that was cut off and that nobody has ended yet. Returns how many of their
/// bytes were written.
fn end_and_write(file: &File, lines: &[u8]) -> io::Result<usize> {
    let is_alone = lock_for_a_moment(file);
    let written = (|| {
        let length = file.metadata()?.len();
        match length == 0 || ends_line(file, length)? {
            true => write(file, lines),
            false => write(file, &[b"\n", lines].concat()).map(|written| written.saturating_sub(1)),
        }
    })();
    if is_alone {
        let _ = file.unlock();
    }
    written
}

/// Keeps others from ending the same line. Whoever holds the lock for longer hangs: an empty line
/// is better than waiting for that.
fn lock_for_a_moment(file: &File) -> bool {
    let until = Instant::now() + LOCKED;
    loop {
        match file.try_lock() {
            Ok(()) => return true,
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(PAUSE),
            Err(_) => return false,
        }
    }
}

/// Whether today's file takes lines, or could be made. Makes nothing.
pub(crate) fn try_today(directory: &Path, name: &str) -> io::Result<()> {
    let path = directory.join(format!("{name}-{}.log", date(clock::now_ms())));
    match regular::open_to_append(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let there = directory.ancestors().find(|above| above.exists()).unwrap_or(directory);
            probe::takes_a_file(there)
        }
        opened => opened.map(drop),
    }
}

/// Today's file, created if it is missing.
pub(crate) fn open_today(directory: &Path, name: &str) -> io::Result<File> {
    let file_name = format!("{name}-{}.log", date(clock::now_ms()));
    let path = directory.join(&file_name);
    match regular::open_to_append(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            private::make_directory(directory)?;
            private::make_file(&path)?;
            // The link is for people: logging works without it.
            let _ = publish_link(Path::new(&file_name), &directory.join(format!("{name}.log")));
            regular::open_to_append(&path)
        }
        opened => opened,
    }
}

/// Makes the names in a directory durable, and its own, which may be new too.
fn sync_names(directory: &Path) -> io::Result<()> {
    sync_directory(directory)?;
    // Directories that this user may not read are older than the log.
    directory.ancestors().skip(1).for_each(|above| drop(sync_directory(above)));
    Ok(())
}

/// Whether the byte before a position ends a line.
fn ends_line(file: &File, position: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, position - 1)?;
    Ok(last == *b"\n")
}

/// One write, of a part if the disk is full: a second one could follow another writer's lines.
fn write(mut file: &File, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(bytes) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            written => return written,
        }
    }
}

/// The files of all days, oldest first.
pub(crate) fn days(directory: &Path, name: &str) -> Result<Vec<DayFile>> {
    let day_file = |path: PathBuf| {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
        let date = rest.strip_suffix(".log")?.to_owned();
        Some(DayFile { date, path })
    };
    files(directory, day_file)
}

/// Files of the last days that somebody has renamed or copied to names that begin alike
/// (`NAME-2026-11-21.log.1`), oldest first.
pub(crate) fn renamed(directory: &Path, name: &str, days: i64) -> Result<Vec<DayFile>> {
    let oldest = days_ago(days);
    let day_file = |path: PathBuf| {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
        let readable = !rest.ends_with(".log") && !is_packed(&path);
        let date = rest.get(.."2026-11-21".len())?.to_owned();
        (readable && date >= oldest).then_some(DayFile { date, path })
    };
    files(directory, day_file)
}

/// Every file named after `name`, of any day and whatever somebody has renamed it to.
pub(crate) fn all(directory: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let day_file = |path: PathBuf| {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
        let date = rest.get(.."2026-11-21".len())?.to_owned();
        let is_ours = date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') && path.is_file();
        is_ours.then_some(DayFile { date, path })
    };
    Ok(files(directory, day_file)?.into_iter().map(|day| day.path).collect())
}

/// Whether a file cannot be read as lines.
pub(crate) fn is_packed(path: &Path) -> bool {
    let name = path.to_string_lossy();
    COMPRESSED.iter().any(|ending| name.ends_with(ending))
}

fn files(directory: &Path, day_file: impl Fn(PathBuf) -> Option<DayFile>) -> Result<Vec<DayFile>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(directory.display()),
    };
    let mut days: Vec<DayFile> = entries.flatten().filter_map(|entry| day_file(entry.path())).collect();
    days.sort_unstable();
    Ok(days)
}

/// Removes files older than `keep_days` (0: none), then the oldest days until the files of all
/// these names together are no larger than `max_size` bytes (0: no limit). A file that
/// `is_needed` stays.
pub(crate) fn expire(
    directory: &Path,
    names: &[&str],
    keep_days: u32,
    max_size: u64,
    is_needed: impl Fn(&Path) -> bool,
) {
    let mut days: Vec<DayFile> =
        names.iter().flat_map(|name| days(directory, name).unwrap_or_default()).collect();
    days.sort_unstable();
    let remove = |day: &DayFile| !is_needed(&day.path) && fs::remove_file(&day.path).is_ok();
    if keep_days > 0 {
        let oldest = days_ago(i64::from(keep_days));
        days.retain(|day| day.date >= oldest || !remove(day));
    }
    if max_size > 0 {
        shrink(&days, max_size, remove);
    }
}

fn shrink(days: &[DayFile], max_size: u64, remove: impl Fn(&DayFile) -> bool) {
    let size = |day: &DayFile| fs::metadata(&day.path).map_or(0, |metadata| metadata.len());
    let today = date(clock::now_ms());
    let mut total = days.iter().fold(0u64, |total, day| total.saturating_add(size(day)));
    for day in days {
        if total <= max_size || day.date >= today {
            break;
        }
        let freed = size(day);
        if remove(day) {
            total = total.saturating_sub(freed);
        }
    }
}

/// The date of an earlier day.
pub(crate) fn days_ago(days: i64) -> String {
    date(clock::now_ms() - days * DAY_MS)
}

/// The date of a time.
pub(crate) fn date(at_ms: i64) -> String {
    clock::rfc3339(at_ms).chars().take("2026-11-21".len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_go_by_their_age_and_the_oldest_by_what_they_take_together() {
        let directory = std::env::temp_dir().join(format!("carom-log-{:x}", fastrand::u64(..)));
        fs::create_dir(&directory).unwrap();
        let date = |ago: i64| date(clock::now_ms() - ago * DAY_MS);
        for ago in [0, 1, 2, 9, 11] {
            for name in ["messages", "carom"] {
                fs::write(directory.join(format!("{name}-{}.log", date(ago))), "x".repeat(100)).unwrap();
            }
        }
        fs::write(directory.join("other-2001-01-01.log"), "not ours").unwrap();
        let left = |max_size: u64| {
            expire(&directory, &["messages", "carom"], 10, max_size, |_| false);
            fs::read_dir(&directory).unwrap().count()
        };
        assert_eq!(left(0), 9, "older than ten days");
        assert_eq!(left(650), 7, "the oldest day of what is left");
        assert_eq!(left(350), 4, "and one log of the day before");
        assert!(directory.join(format!("messages-{}.log", date(1))).exists());
        assert_eq!(left(1), 3, "today's stay");
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn one_of_many_writers_ends_a_line_that_was_cut_off() {
        let directory = std::env::temp_dir().join(format!("carom-log-{:x}", fastrand::u64(..)));
        fs::create_dir(&directory).unwrap();
        let path = directory.join(format!("messages-{}.log", date(clock::now_ms())));
        for _ in 0..40 {
            fs::write(&path, "a line\ncut o").unwrap();
            let together = std::sync::Barrier::new(8);
            thread::scope(|scope| {
                for writer in 0..8 {
                    let (directory, together) = (&directory, &together);
                    scope.spawn(move || {
                        together.wait();
                        append(directory, "messages", &format!("line {writer}")).unwrap();
                    });
                }
            });
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains("\n\n") && text.lines().count() == 10, "{text}");
        }
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn b40_lines_of_many_writers_are_all_there() {
        let directory = std::env::temp_dir().join(format!("carom-log-{:x}", fastrand::u64(..)));
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let directory = &directory;
                scope.spawn(move || {
                    // The lines cross pages of the file.
                    let rest = "x".repeat(6000);
                    for number in 0..500 {
                        append(directory, "messages", &format!("{writer} {number} {rest}")).unwrap();
                    }
                });
            }
        });
        let days = days(&directory, "messages").unwrap();
        let texts: Vec<String> = days.iter().map(|day| fs::read_to_string(&day.path).unwrap()).collect();
        fs::remove_dir_all(&directory).unwrap();
        let lines = texts.iter().flat_map(|text| text.lines());
        assert_eq!(lines.filter(|line| line.len() > 6000).count(), 4000);
    }
}
