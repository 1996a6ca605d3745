//! Lock files: what only one process may do at a time is done while it holds the file's lock.
//!
//! Not here: locks inside a process, and those of SQLite. Invariant: the system releases the lock
//! of a process that dies, however it dies; the file itself stays.

use super::owner;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

/// A lock that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct LockFile {
    _open: File,
}

/// Takes the lock, creating the file if it is missing. `None`: another process holds it.
pub(crate) fn try_take(path: &Path) -> io::Result<Option<LockFile>> {
    owner::make_file(path)?;
    try_existing(path)
}

/// The same, without creating the file.
pub(crate) fn try_existing(path: &Path) -> io::Result<Option<LockFile>> {
    let file = File::options().append(true).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(LockFile { _open: file })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Takes the lock, creating the file if it is missing, and waits while another process holds it.
pub(crate) fn take(path: &Path) -> io::Result<LockFile> {
    owner::make_file(path)?;
    let file = File::options().append(true).open(path)?;
    file.lock()?;
    Ok(LockFile { _open: file })
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
        std::fs::remove_file(&path).unwrap();
    }
}
