//! Whose files are: what root makes in a directory of the mail user belongs to the mail user, so
//! that a look at the counters as root never shuts out the mail.
//!
//! Invariant: only a file or directory that was made here changes hands, and it is the very one
//! that was made.

use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, open};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Makes an empty file if there is none, and gives it to the owner of its directory if root makes
/// it.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    match made {
        Ok(file) => give(&file, path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes a directory and those above it where they are missing, each belonging to the owner of the
/// one above it.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        make_directory(above)?;
    }
    match std::fs::create_dir(path) {
        Ok(()) => {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            give(File::from(open(path, flags, Mode::empty())?), path)
        }
        // Another process was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Gives what root has just created to the owner of its directory.
fn give(made: impl AsFd, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let directory = path.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owner = std::fs::metadata(directory)?;
    if owner.uid() != 0 {
        fchown(made, Some(Uid::from_raw(owner.uid())), Some(Gid::from_raw(owner.gid())))?;
    }
    Ok(())
}
