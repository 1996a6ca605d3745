//! Files that are whole or absent: written and synced under a hidden name, then given their own.
//!
//! The only place that renames into existence. Not here: files that grow (`message_log`).
//! Invariant: under its name a file is whole, or it is the one that was there before, also after a
//! power cut; nothing is left of a write that failed.

use crate::error::{Context, Result};
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// Writes a file with these permissions, whatever the umask, or replaces it. Its directory must
/// exist.
pub(crate) fn publish(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = directory_of(path);
    let written = (|| {
        let mut file = Unfinished::create(directory, 0o600)?;
        file.write_all(bytes)?;
        file.file.set_permissions(Permissions::from_mode(mode))?;
        file.replace(path)
    })();
    written
        .context(path.display())
        .map_err(|error| error.remedy(format_args!("let this user write in {}", directory.display())))
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
    /// Creates the file in the directory where it is to get its name. The umask applies to `mode`.
    pub(crate) fn create(directory: &Path, mode: u32) -> io::Result<Unfinished> {
        let path = directory.join(hidden());
        let file = File::options().write(true).create_new(true).mode(mode).open(&path)?;
        Ok(Unfinished { file, path })
    }

    /// Gives the file this name, durably, in place of any other file of the name.
    pub(crate) fn replace(self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)?;
        sync_directory(directory_of(path))
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

/// Writes a file of a directory that has no name yet: see [`publish_directory`].
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
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

fn hidden() -> String {
    format!(".{}-{:x}.tmp", std::process::id(), fastrand::u64(..))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

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
        assert!(publish(&home.0.join("missing/file"), b"text", 0o600).is_err());
    }

    #[test]
    fn a_name_that_is_taken_stays_with_its_file() {
        let home = Home::new();
        let path = home.0.join("kept");
        fs::write(&path, "first").unwrap();
        let mut file = Unfinished::create(&home.0, 0o600).unwrap();
        file.write_all(b"second").unwrap();
        assert_eq!(file.place(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        file.place(&home.0.join("other")).unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read(home.0.join("other")).unwrap(), b"second");
        assert_eq!(home.names().len(), 2, "{:?}", home.names());
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
