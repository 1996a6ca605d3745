//! Files that are whole or absent: written and synced under a hidden name, then given their own.
//!
//! The only place that renames into existence. Not here: files that grow (`message_log`).
//! Invariant: under its name a file is whole, or it is the one that was there before, also after a
//! power cut; nothing is left of a write that failed.

use super::command::shell_word;
use super::private;
use super::user_database::SYSTEM;
use crate::error::{Context, Result};
use std::fs::{self, File, Permissions};
use std::io::{self, BufRead, ErrorKind, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The permissions of output that others read.
pub(crate) const OUTPUT: u32 = 0o644;
/// The same of its directory.
const OUTPUT_DIRECTORY: u32 = 0o755;

/// No write takes as long.
const UNFINISHED_FOR: Duration = Duration::from_secs(3600);

/// Writes a file with these permissions, whatever the umask, or replaces it. Its directory must
/// exist.
pub(crate) fn publish(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = directory_of(path);
    let written: io::Result<()> = (|| {
        let mut file = Unfinished::create(directory)?;
        file.write_all(bytes)?;
        file.file.set_permissions(Permissions::from_mode(mode))?;
        file.replace(path)
    })();
    let shown = directory.display();
    let kind = written.as_ref().err().map(io::Error::kind);
    let is_full = matches!(kind, Some(ErrorKind::StorageFull | ErrorKind::QuotaExceeded));
    written.context(path.display()).map_err(|error| match directory.exists() {
        true if is_full => error.remedy(format_args!("free space on the disk of {shown}")),
        true => error.remedy(format_args!("let this user write in {shown}")),
        false => {
            let user = SYSTEM.name(rustix::process::geteuid().as_raw());
            error.remedy(format_args!("make the directory: install -d -o {user} {}", shell_word(directory)))
        }
    })
}

/// Makes a directory for output that others read, with its missing parents.
pub(crate) fn make_output_directory(path: &Path) -> Result<()> {
    let made = private::make_directories(path, OUTPUT_DIRECTORY).context(path.display());
    made.map_err(|error| error.remedy("name a directory that this user may write in"))
}

/// The same for a file that may be lost in a power cut: what it says can be found out again.
pub(crate) fn publish_unsynced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = Unfinished::create(directory_of(path))?;
    file.write_all(bytes)?;
    file.file.set_permissions(Permissions::from_mode(mode))?;
    fs::rename(&file.path, path)
}

/// A file that has no name yet. Dropped before it gets one, it is removed.
///
/// Until then it is hidden and ends in `.tmp`, so that whoever reads a directory of such files
/// skips it.
pub(crate) struct Unfinished {
    file: File,
    path: PathBuf,
}

impl Unfinished {
    /// Creates the file, private, in the directory where it is to get its name.
    pub(crate) fn create(directory: &Path) -> io::Result<Unfinished> {
        let path = directory.join(hidden());
        Ok(Unfinished { file: private::create(&path)?, path })
    }

    /// Dates the file.
    pub(crate) fn set_modified(&self, at: SystemTime) -> io::Result<()> {
        self.file.set_modified(at)
    }

    /// Gives the file this name, durably, in place of any other file of the name.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        sync_directory(directory_of(path))
    }

    /// Gives the file this name, durably and with these permissions, unless a file of this name
    /// says the same. Returns whether it did.
    pub(crate) fn replace_if_new(self, path: &Path, mode: u32) -> io::Result<bool> {
        if is_same(&self.path, path)? {
            return Ok(false);
        }
        self.file.set_permissions(Permissions::from_mode(mode))?;
        self.replace(path).map(|()| true)
    }

    /// Gives the file this name, durably. Error `AlreadyExists`: another file has it, and keeps it.
    pub(crate) fn place(&self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::hard_link(&self.path, path)?;
        sync_directory(directory_of(path))
    }
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether there is another file with the same bytes.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let Ok(about) = fs::metadata(other) else { return Ok(false) };
    if !about.is_file() || about.len() != fs::metadata(one)?.len() {
        return Ok(false);
    }
    let [mut one, mut other] = [File::open(one)?, File::open(other)?].map(io::BufReader::new);
    loop {
        let (left, right) = (one.fill_buf()?, other.fill_buf()?);
        let length = left.len().min(right.len());
        if left[..length] != right[..length] {
            return Ok(false);
        }
        if length == 0 {
            return Ok(left.len() == right.len());
        }
        one.consume(length);
        other.consume(length);
    }
}

/// Writes a file of a directory that has no name yet: see [`publish_directory`].
pub(crate) fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let mut file = private::create(path)?;
    file.set_permissions(Permissions::from_mode(mode))?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Gives a directory of synced files its name, durably. No directory may have it.
pub(crate) fn publish_directory(unfinished: &Path, path: &Path) -> io::Result<()> {
    sync_directory(unfinished)?;
    fs::rename(unfinished, path)?;
    sync_directory(directory_of(path))
}

/// Points the symbolic link `path` at `target`, in one step.
pub(crate) fn publish_link(target: &Path, path: &Path) -> io::Result<()> {
    let scratch = directory_of(path).join(hidden());
    symlink(target, &scratch)?;
    fs::rename(&scratch, path).inspect_err(|_| drop(fs::remove_file(&scratch)))
}

/// Makes names that were given or removed in a directory survive a power cut.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Removes what killed processes have left unfinished in a directory.
pub(crate) fn remove_scraps(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_scrap = entry.file_name().to_str().is_some_and(is_hidden);
        let is_stale = || entry.metadata().and_then(|file| file.modified()).is_ok_and(is_stale);
        if is_scrap && is_stale() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn hidden() -> String {
    format!(".{}-{:x}.tmp", std::process::id(), fastrand::u64(..))
}

/// Whether this is the name of an unfinished file.
pub(crate) fn is_hidden(name: &str) -> bool {
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
    inner.and_then(|inner| inner.split_once('-')).is_some_and(|(process, random)| {
        process.parse::<u32>().is_ok() && u64::from_str_radix(random, 16).is_ok()
    })
}

fn is_stale(written: SystemTime) -> bool {
    written.elapsed().is_ok_and(|age| age > UNFINISHED_FOR)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::time::SystemTime;

    /// A directory that goes with the test.
    struct Home(PathBuf);

    impl Home {
        fn new() -> Home {
            let path = std::env::temp_dir().join(format!("carom-publish-{:x}", fastrand::u64(..)));
            fs::create_dir(&path).unwrap();
            Home(path)
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap().flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        }
    }

    impl Drop for Home {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_is_replaced_and_nothing_else_is_left() {
        let home = Home::new();
        let path = home.0.join("carom.prom");
        for text in ["first", "second, which is longer", ""] {
            publish(&path, text.as_bytes(), 0o644).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o644);
        }
        assert_eq!(home.names(), ["carom.prom"]);
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there() {
        let home = Home::new();
        let path = home.0.join("report");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        let error = publish(&path, b"text", 0o600).unwrap_err().to_string();
        assert!(error.contains("report") && error.contains("let this user write"), "{error}");
        assert_eq!(home.names(), ["report"]);
        let error = publish(&home.0.join("missing/file"), b"text", 0o600).unwrap_err().to_string();
        assert!(
            error.contains("; make the directory: install -d -o ") && error.ends_with("/missing"),
            "{error}"
        );
    }

    #[test]
    fn a_name_that_is_taken_stays_with_its_file() {
        let home = Home::new();
        let path = home.0.join("kept");
        fs::write(&path, "first").unwrap();
        let mut file = Unfinished::create(&home.0).unwrap();
        file.write_all(b"second").unwrap();
        assert_eq!(file.place(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.place(&home.0.join("other")).unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read(home.0.join("other")).unwrap(), b"second");
        assert_eq!(home.names().len(), 2, "{:?}", home.names());
    }

    #[test]
    fn scraps_of_killed_processes_go_when_they_are_stale_and_nothing_else() {
        let home = Home::new();
        let old = SystemTime::now() - 2 * UNFINISHED_FOR;
        let names = [".12-ff0.tmp", ".99-1.tmp", ".12-xyz.tmp", ".hidden", "12-ff0.tmp", "a.eml"];
        for name in names {
            let file = File::create(home.0.join(name)).unwrap();
            if name != ".99-1.tmp" {
                file.set_modified(old).unwrap();
            }
        }
        remove_scraps(&home.0);
        let mut left = home.names();
        left.sort_unstable();
        assert_eq!(left, [".12-xyz.tmp", ".99-1.tmp", ".hidden", "12-ff0.tmp", "a.eml"]);
    }

    #[test]
    fn a_link_is_replaced_in_one_step() {
        let home = Home::new();
        let link = home.0.join("current");
        for target in ["one", "two"] {
            publish_link(Path::new(target), &link).unwrap();
            assert_eq!(fs::read_link(&link).unwrap(), Path::new(target));
        }
        assert_eq!(home.names(), ["current"]);
    }

    #[test]
    fn readers_see_only_whole_files() {
        let home = Home::new();
        let path = home.0.join("map");
        let versions: Vec<Vec<u8>> = (b'a'..=b'd').map(|letter| vec![letter; 300_000]).collect();
        publish(&path, &versions[0], 0o600).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                versions.iter().cycle().take(20).for_each(|bytes| publish(&path, bytes, 0o600).unwrap())
            });
            while !writer.is_finished() {
                let seen = fs::read(&path).unwrap();
                assert!(versions.contains(&seen), "{} bytes", seen.len());
            }
        });
    }
}
