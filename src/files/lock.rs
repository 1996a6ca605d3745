//! Lock files: what only one process may do at a time is done while it holds the file's lock.
//!
//! Not here: locks inside a process, and those of SQLite. Invariant: the system releases the lock
//! of a process that dies, however it dies; the file itself stays.

use super::{private, regular};
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct LockFile {
    open: File,
}

impl LockFile {
    /// What the lock is on. Writes append to it.
    pub(crate) fn file(&self) -> &File {
        &self.open
    }
}

/// Takes the lock, creating the file if it is missing. `None`: another process holds it, looks at
/// it with [`is_free`], or has removed the file.
pub(crate) fn try_take(path: &Path) -> io::Result<Option<LockFile>> {
    private::make_file(path)?;
    try_existing(path)
}

/// The same, without creating the file.
pub(crate) fn try_existing(path: &Path) -> io::Result<Option<LockFile>> {
    locked(regular::open_to_append(path)?)
}

/// The same, with a file whose bytes can be changed.
pub(crate) fn try_take_to_change(path: &Path) -> io::Result<Option<LockFile>> {
    locked(regular::open_to_change(path)?)
}

fn locked(file: File) -> io::Result<Option<LockFile>> {
    match file.try_lock() {
        // The holder before may have removed it, and then nobody else will find this lock.
        Ok(()) if file.metadata()?.nlink() == 0 => Ok(None),
        Ok(()) => Ok(Some(LockFile { open: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether nobody holds the lock of a file. Those who look do not see each other.
pub(crate) fn is_free(path: &Path) -> io::Result<bool> {
    match regular::open(path)?.try_lock_shared() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes a file if nobody holds its lock, and lets nobody take it meanwhile.
pub(crate) fn remove_free(path: &Path) -> io::Result<()> {
    let file = regular::open(path)?;
    match file.try_lock_shared() {
        Ok(()) => std::fs::remove_file(path),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock, creating the file if it is missing, and waits while another process holds it.
pub(crate) fn take(path: &Path) -> io::Result<LockFile> {
    private::make_file(path)?;
    let file = regular::open_to_append(path)?;
    file.lock()?;
    Ok(LockFile { open: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let path = std::env::temp_dir().join(format!("carom-lock-{:x}", fastrand::u64(..)));
        assert_eq!(try_existing(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
        let held = try_take(&path).unwrap();
        assert!(held.is_some() && try_take(&path).unwrap().is_none());
        assert!(try_existing(&path).unwrap().is_none());
        drop(held);
        assert!(try_existing(&path).unwrap().is_some());
        drop(take(&path).unwrap());
        assert!(is_free(&path).unwrap());
        let new = try_take(&path).unwrap();
        assert!(new.is_some() && !is_free(&path).unwrap());
        remove_free(&path).unwrap();
        assert!(path.exists());
        drop(new);
        remove_free(&path).unwrap();
        assert!(!path.exists());
    }
}
