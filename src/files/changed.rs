//! Whether a file is another one, or says something else, than when it was looked at.
//!
//! Invariant: a file that was replaced or written since differs; one that cannot be looked at is a
//! state too.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Device and inode; `None`: there is no file.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    path.metadata().ok().map(|about| (about.dev(), about.ino()))
}

/// A file at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    /// Device, inode, length, and the time of the last change of it in seconds and nanoseconds.
    about: Option<(u64, u64, u64, i64, i64)>,
}

impl FileState {
    pub(crate) fn of(path: &Path) -> FileState {
        let about = path.metadata().ok();
        let about = about.map(|it| (it.dev(), it.ino(), it.len(), it.ctime(), it.ctime_nsec()));
        FileState { about }
    }
}
