//! Files that others read while carom writes them: exports, reports, maps for the mail server.
//!
//! Not here: files that grow (`log`). Invariant: under its name a file is whole or it is the one that was there
//! before, also after a power cut; what is left of a write that failed is removed.

use crate::error::{Context, Result};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Writes a file with these permissions, whatever the umask, by renaming a finished one. Its directory must be there.
///
/// The unfinished file is hidden and ends in `.tmp`, so that nobody who reads a directory of such files takes it up.
pub(crate) fn publish(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let scratch = directory.join(format!(".{}-{:x}.tmp", std::process::id(), fastrand::u64(..)));
    let written = (|| {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&scratch)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&scratch, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&scratch);
    }
    written
        .context(path.display())
        .map_err(|error| error.remedy(format_args!("let this user write in {}", directory.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;
    use std::path::PathBuf;

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
