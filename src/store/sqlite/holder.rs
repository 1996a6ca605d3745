//! Which process works on a message: each such process has a file beside the store, and keeps it
//! locked.
//!
//! A lock says more than a process id: it is seen from every container that shares the directory,
//! it needs no /proc, and the system releases it however the process dies. Not here: what is
//! claimed (`step_rows`). Invariant: a process is taken for gone only if its file is gone, or if
//! nobody locks it.

use crate::digest;
use crate::error::{Context, Result};
use crate::files::lock::{self, LockFile};
use crate::files::private;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The files of a store's processes, and our own.
pub(crate) struct Holders {
    directory: PathBuf,
    /// Our name and its lock, once we have claimed something.
    ours: Mutex<Option<(String, LockFile)>>,
}

impl Holders {
    /// `store` is the path of the store.
    pub(crate) fn of(store: &Path) -> Holders {
        Holders { directory: store.with_file_name("running"), ours: Mutex::default() }
    }

    /// The name of this process in the journal.
    pub(crate) fn this_process(&self) -> Result<String> {
        let mut ours = self.ours();
        if let Some((name, _)) = &*ours {
            return Ok(name.clone());
        }
        let taken =
            self.take_name().context(format_args!("the store's directory {}", self.directory.display()));
        let taken = taken.map_err(|error| error.remedy("let the user that runs carom write there"))?;
        let name = taken.0.clone();
        *ours = Some(taken);
        Ok(name)
    }

    fn take_name(&self) -> io::Result<(String, LockFile)> {
        let mut last = ErrorKind::WouldBlock.into();
        for _ in 0..100 {
            private::make_directory(&self.directory)?;
            let name = digest::random_token(8);
            match lock::try_take(&self.directory.join(&name)) {
                Ok(Some(lock)) => return Ok((name, lock)),
                // Another process has taken the new file for that of a dead one.
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Whether a process has ended. One that an older release has named is not judged: its steps
    /// are taken when their lease ends.
    pub(crate) fn is_gone(&self, name: &str) -> bool {
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        match is_name {
            true => self.is_unlocked(name),
            false => !name.contains(':'),
        }
    }

    fn is_unlocked(&self, name: &str) -> bool {
        match lock::is_free(&self.directory.join(name)) {
            Ok(free) => free,
            Err(error) => error.kind() == ErrorKind::NotFound,
        }
    }

    /// Removes the files of processes that were killed.
    pub(crate) fn remove_stale(&self) {
        for entry in std::fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let _ = lock::remove_free(&entry.path());
        }
    }

    /// This process claims nothing more.
    pub(crate) fn leave(&self) {
        if let Some((name, _lock)) = self.ours().take() {
            let _ = std::fs::remove_file(self.directory.join(name));
        }
    }

    fn ours(&self) -> MutexGuard<'_, Option<(String, LockFile)>> {
        self.ours.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_nobody_locks_its_file() {
        let home = std::env::temp_dir().join(format!("carom-holders-{:x}", fastrand::u64(..)));
        let store = home.join("carom.db");
        let (one, other) = (Holders::of(&store), Holders::of(&store));
        let (name, seen) = (one.this_process().unwrap(), other.this_process().unwrap());
        assert_eq!(one.this_process().unwrap(), name);
        assert!(!other.is_gone(&name) && !one.is_gone(&seen) && other.is_gone("00") && other.is_gone(""));
        assert!(!other.is_gone("4711:12345"), "named by an older release");
        // As after kill -9: the file stays, the lock is gone.
        std::fs::write(one.directory.join("dead"), "").unwrap();
        assert!(one.is_gone("dead"));
        one.remove_stale();
        assert_eq!(std::fs::read_dir(&one.directory).unwrap().count(), 2);
        drop(one);
        assert!(other.is_gone(&name));
        let directory = other.directory.clone();
        drop(other);
        std::fs::remove_dir(directory).unwrap();
        std::fs::remove_dir(home).unwrap();
    }

    #[test]
    fn whoever_removes_stale_files_takes_nobodys_name() {
        let home = std::env::temp_dir().join(format!("carom-holders-{:x}", fastrand::u64(..)));
        let store = home.join("carom.db");
        let sweeper = Holders::of(&store);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    scope.spawn(|| {
                        for _ in 0..300 {
                            let one = Holders::of(&store);
                            let name = one.this_process().unwrap();
                            assert!(!sweeper.is_gone(&name));
                        }
                    })
                })
                .collect();
            while workers.iter().any(|worker| !worker.is_finished()) {
                sweeper.remove_stale();
            }
        });
        std::fs::remove_dir(&sweeper.directory).unwrap();
        std::fs::remove_dir(home).unwrap();
    }
}
