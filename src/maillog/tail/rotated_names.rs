//! The files that a log was rotated into, by their names: `mail.log.1`, `mail.log.2.gz`,
//! `mail.log-20260101`, `mail-20260101.log.xz`.
//!
//! Not here: which of them was read before (`rotation`). Invariant: the list goes from the oldest
//! file to the log itself, which is last.

use super::log_file::{Compression, LogFile};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file of a log, as it was when the log's folder was listed.
#[derive(Clone, Debug)]
pub(crate) struct ListedFile {
    pub(crate) path: PathBuf,
    pub(crate) compression: Compression,
    pub(crate) age: Age,
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// Bytes on disk.
    pub(crate) size: u64,
    pub(crate) modified_ms: i64,
    /// No one may write it any more.
    pub(crate) closed: bool,
}

/// What the name says about the age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Age {
    /// The digits of a date, and of the number of a file of that day; greater is younger.
    Date(String),
    /// The number of rotations since; greater is older.
    Number(u64),
    /// The log itself, which is being written.
    Live,
}

impl ListedFile {
    pub(crate) fn new(path: PathBuf, compression: Compression, age: Age) -> Option<ListedFile> {
        let metadata = fs::metadata(&path).ok().filter(Metadata::is_file)?;
        let (device, inode, size) = (metadata.dev(), metadata.ino(), metadata.len());
        let (modified_ms, closed) = (modified_ms(&metadata), metadata.mode() & 0o222 == 0);
        Some(ListedFile { path, compression, age, device, inode, size, modified_ms, closed })
    }

    /// The first bytes, decompressed; fewer if the file is shorter.
    pub(crate) fn first_bytes(&self, length: usize) -> io::Result<Vec<u8>> {
        let mut head = vec![0; length];
        if length > 0 {
            let (read, fault) = LogFile::open_path(&self.path, self.compression)?.fill(&mut head);
            head.truncate(read);
            if let Some(fault) = fault.filter(|_| read < length) {
                return Err(fault);
            }
        }
        Ok(head)
    }
}

/// All files of the log at `path`, oldest first; and why its folder could not be listed.
pub(crate) fn list(path: &Path) -> (Vec<ListedFile>, Option<io::Error>) {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let log = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let mut files = Vec::new();
    let mut error = None;
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries.flatten() {
                let name = entry.file_name();
                let Some((age, compression)) = name.to_str().and_then(|name| age_of(log, name)) else {
                    continue;
                };
                files.extend(ListedFile::new(entry.path(), compression, age));
            }
        }
        Err(cause) => error = Some(cause),
    }
    drop_unfinished(&mut files);
    sort_by_age(&mut files);
    files.extend(ListedFile::new(path.to_owned(), Compression::of(log).0, Age::Live));
    (files, error)
}

/// Drops compressed files whose plain file is still there: they are being written.
fn drop_unfinished(files: &mut Vec<ListedFile>) {
    let is_plain = |file: &ListedFile| file.compression == Compression::Plain;
    let plain: Vec<Age> = files.iter().filter(|file| is_plain(file)).map(|file| file.age.clone()).collect();
    files.retain(|file| is_plain(file) || !plain.contains(&file.age));
}

/// Sorts the oldest first. Dates and numbers cannot be compared, so where both occur, the time of
/// modification decides.
pub(crate) fn sort_by_age(files: &mut [ListedFile]) {
    let dates = files.iter().filter(|file| matches!(file.age, Age::Date(_))).count();
    if dates == files.len() {
        files.sort_by(|a, b| (&a.age, a.modified_ms).cmp(&(&b.age, b.modified_ms)));
    } else if dates == 0 {
        files.sort_by(|a, b| b.age.cmp(&a.age).then(a.modified_ms.cmp(&b.modified_ms)));
    } else {
        files.sort_by(|a, b| (a.modified_ms, &a.path).cmp(&(b.modified_ms, &b.path)));
    }
}

/// When the file of this name was last written to, milliseconds since 1970.
pub(crate) fn last_modified_ms(path: &Path) -> Option<i64> {
    fs::metadata(path).ok().map(|metadata| modified_ms(&metadata))
}

/// When the file was last written to, milliseconds since 1970.
pub(crate) fn modified_ms(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000)
}

/// The age and the compression of the file `name`, if the log was rotated into it.
fn age_of(log: &str, name: &str) -> Option<(Age, Compression)> {
    let (compression, name) = Compression::of(name);
    let at_the_end = || name.strip_prefix(log).filter(|part| !part.is_empty());
    let before_the_ending = || {
        let (stem, ending) = log.rsplit_once('.')?;
        name.strip_prefix(stem)?.strip_suffix(ending)?.strip_suffix('.')
    };
    let part = at_the_end().or_else(before_the_ending)?.strip_prefix(['.', '-', '_'])?;
    if part == "old" {
        return Some((Age::Number(0), compression));
    }
    let digits: String = part.chars().filter(char::is_ascii_digit).collect();
    let is_date = part.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '_' | '.' | 'T' | ':'));
    match digits.len() {
        1..=5 if digits.len() == part.len() => Some((Age::Number(digits.parse().ok()?), compression)),
        6..=20 if is_date => Some((Age::Date(digits), compression)),
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
