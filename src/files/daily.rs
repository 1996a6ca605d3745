//! Files that grow by lines, one for each day (UTC): `NAME-2026-11-21.log`, and a link `NAME.log`
//! to the newest.
//!
//! A day ends without a rename, so that none of many writers loses a line. Not here: what the lines
//! say. Invariant: a line is one write(2) in append mode; only files named like this are removed,
//! and never today's for its size.

use super::owner;
use super::publish::publish_link;
use crate::clock::{self, DAY_MS};
use crate::error::{Context, Result};
use crate::text::bounded;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Longest line in bytes: the kernel never splits one write of this size among appenders.
pub(crate) const MAX_LINE: usize = 16 << 10;

/// The file of one day.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DayFile {
    /// `2026-11-21`; first, so that files sort by it.
    date: String,
    pub(crate) path: PathBuf,
}

/// Appends a line to today's file; creates the file and its directory if they are missing.
pub(crate) fn append(directory: &Path, name: &str, line: &str) -> io::Result<()> {
    let file_name = format!("{name}-{}.log", date(clock::now_ms()));
    let path = directory.join(&file_name);
    let open = || File::options().append(true).open(&path);
    let mut file = match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            owner::make_directory(directory)?;
            owner::make_file(&path)?;
            // The link is for people: logging works without it.
            let _ = publish_link(Path::new(&file_name), &directory.join(format!("{name}.log")));
            open()?
        }
        opened => opened?,
    };
    file.write_all(&[bounded(line, MAX_LINE).as_bytes(), b"\n"].concat())
}

/// The files of all days, oldest first.
pub(crate) fn days(directory: &Path, name: &str) -> Result<Vec<DayFile>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let day_file = |path: PathBuf| {
        let rest = path.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix('-')?;
        let date = rest.strip_suffix(".log")?.to_owned();
        Some(DayFile { date, path })
    };
    let entries = fs::read_dir(directory).context(directory.display())?.flatten();
    let mut days: Vec<DayFile> = entries.filter_map(|entry| day_file(entry.path())).collect();
    days.sort_unstable();
    Ok(days)
}

/// Removes files older than `keep_days` (0: none), then the oldest days until the files of all
/// these names together are no larger than `max_size` bytes (0: no limit).
pub(crate) fn expire(directory: &Path, names: &[&str], keep_days: u32, max_size: u64) {
    let mut days: Vec<DayFile> =
        names.iter().flat_map(|name| days(directory, name).unwrap_or_default()).collect();
    days.sort_unstable();
    if keep_days > 0 {
        let oldest = date(clock::now_ms() - i64::from(keep_days) * DAY_MS);
        days.retain(|day| day.date >= oldest || fs::remove_file(&day.path).is_err());
    }
    if max_size > 0 {
        shrink(&days, max_size);
    }
}

fn shrink(days: &[DayFile], max_size: u64) {
    let size = |day: &DayFile| fs::metadata(&day.path).map_or(0, |metadata| metadata.len());
    let today = date(clock::now_ms());
    let mut total = days.iter().fold(0u64, |total, day| total.saturating_add(size(day)));
    for day in days {
        if total <= max_size || day.date >= today {
            break;
        }
        let freed = size(day);
        if fs::remove_file(&day.path).is_ok() {
            total = total.saturating_sub(freed);
        }
    }
}

fn date(at_ms: i64) -> String {
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
            expire(&directory, &["messages", "carom"], 10, max_size);
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
    fn b40_lines_of_many_writers_are_all_there() {
        let directory = std::env::temp_dir().join(format!("carom-log-{:x}", fastrand::u64(..)));
        std::thread::scope(|scope| {
            for writer in 0..8 {
                let directory = &directory;
                scope.spawn(move || {
                    for number in 0..100 {
                        append(directory, "messages", &format!("{writer} {number} {}", "x".repeat(2000)))
                            .unwrap();
                    }
                });
            }
        });
        let lines: usize = days(&directory, "messages")
            .unwrap()
            .iter()
            .map(|day| fs::read_to_string(&day.path).unwrap())
            .map(|text| text.lines().filter(|line| line.len() > 2000).count())
            .sum();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(lines, 800);
    }
}
