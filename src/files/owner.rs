//! The owner of new files: what root creates in a directory of the mail user belongs to the mail
//! user, so that a command that root runs never locks the mail user out.
//!
//! Not here: who could write a file (`policy::mail_user`). Invariant: only a file or directory that
//! was created here changes its owner.

use rustix::fs::{Gid, Mode, OFlags, Uid, fchown, open};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Creates an empty file if it is missing, for the owner of its directory.
pub(crate) fn make_file(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    match made {
        Ok(file) => give(&file, path),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Creates a directory and its missing parents, each for the owner of its parent.
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
