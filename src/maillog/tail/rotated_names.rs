//! The files that a log was rotated into: `mail.log.1`, `mail.log.2.gz`, `mail.log-20260101`,
//! `mail-20260101.log.xz`.
//!
//! Not here: which of them was read before. Invariant: the list goes from the oldest to the one being
//! written, which is last.

use super::log_file::Compression;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file of a log.
#[derive(Clone, Debug)]
pub(crate) struct ListedFile {
    pub(crate) path: PathBuf,
    pub(crate) compression: Compression,
    pub(crate) age: Age,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Bytes as it lies there.
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
}

/// What the name says of the age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    /// The digits of a date and what counts the files of a day; greater is younger.
    Date(String),
    /// How many rotations ago; greater is older.
    Number(u64),
    /// The file being written.
    Live,
}

/// All files of the log at `path`, oldest first; and what prevented its folder from being listed.
pub(crate) fn files(path: &Path) -> (Vec<ListedFile>, Option<io::Error>) {
    let mut found = Vec::new();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let base = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut error = None;
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries.flatten() {
                let name = entry.file_name();
                let Some((age, compression)) = name.to_str().and_then(|name| age_of(base, name)) else {
                    continue;
                };
                found.extend(candidate(entry.path(), compression, age));
            }
        }
        Err(cause) => error = Some(cause),
    }
    // While one is being compressed, both are there: the plain one is whole.
    let plain: Vec<Age> = found
        .iter()
        .filter(|file| file.compression == Compression::Plain)
        .map(|file| file.age.clone())
        .collect();
    found.retain(|file| file.compression == Compression::Plain || !plain.contains(&file.age));
    let dates = found.iter().filter(|file| matches!(file.age, Age::Date(_))).count();
    if dates == found.len() {
        found.sort_by(|a, b| (&a.age, a.modified_ms).cmp(&(&b.age, b.modified_ms)));
    } else if dates == 0 {
        found.sort_by(|a, b| b.age.cmp(&a.age).then(a.modified_ms.cmp(&b.modified_ms)));
    } else {
        found.sort_by(|a, b| (a.modified_ms, &a.path).cmp(&(b.modified_ms, &b.path)));
    }
    found.extend(candidate(path.to_owned(), Compression::of(base).0, Age::Live));
    (found, error)
}

/// The rotated ones among them, by device and inode.
pub(crate) fn rotated(files: &[ListedFile]) -> Vec<(u64, u64)> {
    let rotated = files.iter().filter(|file| file.age != Age::Live);
    rotated.map(|file| (file.device, file.inode)).collect()
}

fn candidate(path: PathBuf, compression: Compression, age: Age) -> Option<ListedFile> {
    let metadata = fs::metadata(&path).ok().filter(|metadata| !metadata.is_dir())?;
    let (device, inode, size) = (metadata.dev(), metadata.ino(), metadata.len());
    Some(ListedFile { path, compression, age, device, inode, size, modified_ms: modified_ms(&metadata) })
}

pub(crate) fn modified_ms(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000)
}

/// Is `name` what the log `base` was rotated into?
fn age_of(base: &str, name: &str) -> Option<(Age, Compression)> {
    let (compression, name) = Compression::of(name);
    let behind = name.strip_prefix(base);
    let within = || {
        let (stem, ending) = base.rsplit_once('.')?;
        name.strip_prefix(stem)?.strip_suffix(ending)?.strip_suffix('.')
    };
    let part = behind.filter(|part| !part.is_empty()).or_else(within)?;
    let part = part.strip_prefix(['.', '-', '_'])?;
    if part == "old" {
        return Some((Age::Number(0), compression));
    }
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    let only = part.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | 'T' | ':'));
    match digits.len() {
        1..=5 if digits.len() == part.len() => Some((Age::Number(digits.parse().ok()?), compression)),
        6..=20 if only => Some((Age::Date(digits), compression)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rotated_files_tell_their_age() {
        let age = |base, name| age_of(base, name).map(|(age, _)| age);
        let date = |digits: &str| Some(Age::Date(digits.into()));
        assert_eq!(age("mail.log", "mail.log.1"), Some(Age::Number(1)));
        assert_eq!(age_of("mail.log", "mail.log.12.gz"), Some((Age::Number(12), Compression::Gzip)));
        assert_eq!(age("mail.log", "mail.log-20260101"), date("20260101"));
        assert_eq!(age("mail.log", "mail.log-2026-01-01T03:00.xz"), date("202601010300"));
        assert_eq!(age("mail.log", "mail-20260101.log.zst"), date("20260101"));
        assert_eq!(age("mail.log", "mail.1.log"), Some(Age::Number(1)));
        assert_eq!(age("maillog", "maillog-1767225600"), date("1767225600"));
        assert_eq!(age("acct.csv", "acct-2026-01-01-0003.csv"), date("202601010003"));
        for other in
            ["mail.log", "mail.log.gz", "mail.err.1", "mail.log.1.swp", "mail.log.conf", "mail.logs.1"]
        {
            assert_eq!(age("mail.log", other), None, "{other}");
        }
    }
}
