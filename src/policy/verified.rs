//! Whether compiled code is still what was compiled: its SHA-256 is in a file beside it, and is
//! compared before the code is mapped.
//!
//! Reading all of it takes as long as a small message. Therefore a record (`….verified`, in carom's
//! own directory of compiled code) says which file was compared: its device, inode, size and times.
//! While they are the same, the code is mapped without another look; the tick takes one each hour.
//! Not here: compiling, and mapping (`cache`). Invariants: code that differs from its SHA-256, or
//! has none, is never mapped; a file that has just changed is never recorded, because the clock of
//! the file system may not tell a second change from the first.

use crate::digest;
use crate::error::{Error, Result};
use crate::files::publish::{publish, publish_unsynced};
use crate::files::{others, private, regular};
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File, Metadata};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that was changed less than this ago is not recorded. Clocks of file systems step in up to
/// 10 ms.
const SETTLED: Duration = Duration::from_millis(100);
/// The same where the file system counts whole seconds.
const SETTLED_SECONDS: Duration = Duration::from_secs(2);
/// How long the tick relies on a comparison.
const FRESH: Duration = Duration::from_secs(3600);
/// Larger code is not compiled by carom.
const LARGEST: u64 = 1 << 30;

/// A SHA-256 or a record is shorter than this.
const LONGEST_NOTE: u64 = 4096;

/// How thoroughly code is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CodeCheck {
    /// All of it, unless it is the file that was looked at before.
    IfChanged,
    /// All of it, unless it is the file that was looked at within the hour.
    Hourly,
    /// All of it, and nothing is recorded.
    Look,
}

/// The file that keeps the SHA-256 of compiled code, beside it.
pub(crate) fn sum_path(code: &Path) -> PathBuf {
    with_ending(code, ".sha256")
}

/// The content of that file.
pub(crate) fn sum_of(code: &[u8]) -> String {
    digest::sha256_hex(&[code], 64) + "\n"
}

/// The record of a file of compiled code in a directory of carom's own.
fn record_path(code: &Path, compiled_dir: &Path) -> PathBuf {
    with_ending(&compiled_dir.join(code.file_name().unwrap_or_default()), ".verified")
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Opens compiled code that may be mapped. `None`: there is none, or it is damaged. Error: others
/// could write it, or its directory.
pub(crate) fn open(code: &Path, compiled_dir: &Path, depth: CodeCheck) -> Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match rustix::fs::open(code, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) => {
            let error = std::io::Error::from(error);
            return if regular::is_shortage(&error) { Err(short(code, &error)) } else { Ok(None) };
        }
    };
    let Ok(about) = file.metadata() else { return Ok(None) };
    if !about.is_file() {
        tracing::error!(path = %code.display(), "compiled policy is not used: not a regular file");
        return Ok(None);
    }
    others::refuse(code).map_err(refused)?;
    // Root does not believe what the mail user has recorded: it compares each time.
    let is_believed = code.parent() == Some(compiled_dir) || others::refuse(compiled_dir).is_ok();
    let record = record_path(code, compiled_dir);
    let stamp = stamp(&about);
    if is_believed && relies_on(&record, depth) && is_recorded(&record, &stamp) {
        return Ok(Some(file));
    }
    let sum = match regular::read_text(&sum_path(code), LONGEST_NOTE) {
        Err(error) if regular::is_shortage(&error) => return Err(short(code, &error)),
        read => read.ok(),
    };
    if let Err(error) = compare(code, &file, &about, sum) {
        tracing::error!(%error, "compiled policy is not used, and is compiled again");
        return Ok(None);
    }
    if depth != CodeCheck::Look && is_believed && is_settled(&about) {
        // If it fails, the next process compares again.
        let _ = publish_unsynced(&record, stamp.as_bytes(), private::FILE);
    }
    Ok(Some(file))
}

fn short(code: &Path, error: &std::io::Error) -> Error {
    Error::new(format_args!("{}: {error}", code.display()))
        .remedy("raise the limit of open files (ulimit -n, LimitNOFILE= of the service) or of memory")
}

fn is_recorded(record: &Path, stamp: &str) -> bool {
    regular::read_text(record, LONGEST_NOTE).is_ok_and(|recorded| recorded == stamp)
}

/// Whether a record may stand for a comparison.
fn relies_on(record: &Path, depth: CodeCheck) -> bool {
    let written = || fs::metadata(record).and_then(|about| about.modified()).ok();
    let age = || SystemTime::now().duration_since(written()?).ok();
    match depth {
        CodeCheck::IfChanged => true,
        CodeCheck::Hourly => age().is_some_and(|age| age < FRESH),
        CodeCheck::Look => false,
    }
}

/// Keeps compiled code for the next process, with its SHA-256.
pub(crate) fn keep(code: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(directory) = code.parent() {
        // If it fails, writing the file says so.
        let _ = private::make_directory(directory);
    }
    publish(&sum_path(code), sum_of(bytes).as_bytes(), private::FILE)?;
    publish(code, bytes, private::FILE)
}

/// Error: the code is not what was compiled.
fn compare(code: &Path, file: &File, about: &Metadata, sum: Option<String>) -> Result<()> {
    let damaged = |why: &str| Err(Error::new(format_args!("{}: {why}", code.display())));
    let Some(sum) = sum else {
        return damaged("its SHA-256 is missing");
    };
    let mut bytes = Vec::with_capacity(usize::try_from(about.len().min(LARGEST)).unwrap_or(0));
    match file.take(LARGEST).read_to_end(&mut bytes) {
        Err(error) => damaged(&error.to_string()),
        Ok(_) if sum_of(&bytes) == sum => Ok(()),
        Ok(_) => damaged("damaged: it has another SHA-256 than when it was compiled"),
    }
}

/// Compares all compiled code in a directory, and removes what is damaged: it is compiled again
/// when it is needed. Returns what was removed, and why.
pub(crate) fn sweep(compiled_dir: &Path, depth: CodeCheck, is_ours: impl Fn(&str) -> bool) -> Vec<Error> {
    let entries = fs::read_dir(compiled_dir).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| is_ours(&entry.file_name().to_string_lossy()));
    ours.filter_map(|entry| inspect(&entry.path(), compiled_dir, depth, true)).collect()
}

/// Compares one file. Error: what is wrong with it, and the fix.
pub(crate) fn inspect(code: &Path, compiled_dir: &Path, depth: CodeCheck, removes: bool) -> Option<Error> {
    let there = fs::symlink_metadata(code).ok()?;
    match open(code, compiled_dir, depth) {
        Ok(Some(_)) => None,
        Err(error) => Some(error),
        Ok(None) => {
            let what = format!("{}: this compiled policy was damaged", code.display());
            let is_gone = removes && there.is_file() && fs::remove_file(code).is_ok();
            let fix = match is_gone {
                true => {
                    "look for errors of the disk in the system's log: it was removed, and is compiled again"
                }
                false if !there.is_file() => "remove it: it is not a regular file",
                false => "install the policy again, and look for errors of the disk in the system's log",
            };
            Some(Error::new(what).remedy(fix))
        }
    }
}

fn refused(error: Error) -> Error {
    let what = format!("compiled policies are not run where others can write: {}", error.text());
    Error::new(what).remedy(error.remedy_text().unwrap_or("let only carom write there"))
}

/// Changes whenever the file does.
fn stamp(about: &Metadata) -> String {
    let (device, inode, size) = (about.dev(), about.ino(), about.size());
    let (modified, changed) = ((about.mtime(), about.mtime_nsec()), (about.ctime(), about.ctime_nsec()));
    format!("{device} {inode} {size} {}.{:09} {}.{:09}\n", modified.0, modified.1, changed.0, changed.1)
}

fn is_settled(about: &Metadata) -> bool {
    let whole_seconds = about.ctime_nsec() == 0;
    let needed = if whole_seconds { SETTLED_SECONDS } else { SETTLED };
    let seconds = u64::try_from(about.ctime()).map(Duration::from_secs);
    let nanoseconds = u64::try_from(about.ctime_nsec()).map(Duration::from_nanos);
    let (Ok(seconds), Ok(nanoseconds)) = (seconds, nanoseconds) else { return false };
    let changed = SystemTime::UNIX_EPOCH.checked_add(seconds + nanoseconds);
    changed
        .and_then(|changed| SystemTime::now().duration_since(changed).ok())
        .is_some_and(|age| age >= needed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::FileTimes;
    use std::os::unix::fs::{FileExt, PermissionsExt};

    /// A directory that goes with the test.
    struct Home(PathBuf);

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn home() -> (Home, PathBuf) {
        let home = std::env::temp_dir().join(format!("carom-verified-{:x}", fastrand::u64(..)));
        let code = home.join("code.cwasm");
        let bytes: Vec<u8> = (0..50_000u32).flat_map(u32::to_le_bytes).collect();
        keep(&code, &bytes).unwrap();
        (Home(home), code)
    }

    fn is_used(code: &Path) -> bool {
        open(code, code.parent().unwrap(), CodeCheck::IfChanged).unwrap().is_some()
    }

    fn flip(code: &Path, bit: u64) {
        let file = File::options().read(true).write(true).open(code).unwrap();
        let modified = file.metadata().unwrap().modified().unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, bit / 8).unwrap();
        file.write_all_at(&[byte[0] ^ (1 << (bit % 8))], bit / 8).unwrap();
        file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    }

    #[test]
    fn no_flipped_bit_is_overlooked_even_with_the_old_time() {
        let (_home, code) = home();
        // Recorded as soon as it has settled.
        let record = record_path(&code, code.parent().unwrap());
        while !record.exists() {
            assert!(is_used(&code));
        }
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..300 {
            let bit = random.u64(..200_000 * 8);
            flip(&code, bit);
            assert!(!is_used(&code), "bit {bit}");
            flip(&code, bit);
            assert!(is_used(&code), "bit {bit}");
        }
    }

    #[test]
    fn the_tick_looks_at_all_of_it_when_the_last_look_is_an_hour_old() {
        let (home, code) = home();
        let record = record_path(&code, &home.0);
        while !record.exists() {
            assert!(is_used(&code));
        }
        // Another sum: only who compares sees it.
        fs::write(sum_path(&code), "another").unwrap();
        let is_used = || open(&code, &home.0, CodeCheck::Hourly).unwrap().is_some();
        assert!(is_used());
        let hour_ago = FileTimes::new().set_modified(SystemTime::now() - FRESH);
        File::options().write(true).open(&record).unwrap().set_times(hour_ago).unwrap();
        assert!(!is_used());
    }

    #[test]
    fn a_file_that_has_just_changed_is_compared_each_time() {
        let (_home, code) = home();
        let record = record_path(&code, code.parent().unwrap());
        flip(&code, 0);
        flip(&code, 0);
        let about = fs::metadata(&code).unwrap();
        assert!(is_used(&code) && (!record.exists() || is_settled(&about)));
    }

    #[test]
    fn a_record_where_others_can_write_is_not_believed() {
        let ((_home, code), (other, _)) = (home(), home());
        fs::set_permissions(&other.0, fs::Permissions::from_mode(0o777)).unwrap();
        let is_used = || open(&code, &other.0, CodeCheck::IfChanged).unwrap().is_some();
        let record = record_path(&code, &other.0);
        assert!(is_used() && !record.exists());
        flip(&code, 5);
        fs::write(&record, stamp(&fs::metadata(&code).unwrap())).unwrap();
        assert!(!is_used());
    }

    #[test]
    fn code_without_its_sum_is_not_used_and_damaged_code_is_removed() {
        let (home, code) = home();
        let sweep = || sweep(&home.0, CodeCheck::Look, |name| name.ends_with(".cwasm"));
        assert!(sweep().is_empty());
        flip(&code, 77);
        let found = sweep();
        assert!(found.len() == 1 && found[0].text().contains("damaged") && !code.exists(), "{found:?}");
        keep(&code, b"new").unwrap();
        assert!(is_used(&code));
        fs::remove_file(sum_path(&code)).unwrap();
        assert!(open(&code, &home.0, CodeCheck::Look).unwrap().is_none());
    }
}
