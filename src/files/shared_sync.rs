//! Syncing one directory for many threads: those that wait while it is synced share the next sync.
//!
//! Not here: files (`publish`). Invariant: a sync that returns has begun after it was asked for.

use super::publish::sync_directory;
use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// A directory whose names many threads change.
pub(crate) struct SharedSync {
    directory: PathBuf,
    state: Mutex<Syncs>,
    ended: Condvar,
}

#[derive(Default)]
struct Syncs {
    begun: u64,
    running: bool,
    /// The last that succeeded.
    succeeded: u64,
}

impl SharedSync {
    pub(crate) fn of(directory: PathBuf) -> SharedSync {
        SharedSync { directory, state: Mutex::default(), ended: Condvar::new() }
    }

    /// Makes the names that the directory has now survive a power cut.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        let ours = state.begun + 1;
        while state.running {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
            if state.succeeded >= ours {
                return Ok(());
            }
        }
        state.begun += 1;
        state.running = true;
        let this = state.begun;
        drop(state);
        let synced = sync_directory(&self.directory);
        let mut state = self.state();
        state.running = false;
        if synced.is_ok() {
            state.succeeded = this;
        }
        self.ended.notify_all();
        synced
    }

    fn state(&self) -> MutexGuard<'_, Syncs> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_syncs_and_hear_of_those_that_fail() {
        let shared = SharedSync::of(std::env::temp_dir());
        std::thread::scope(|scope| {
            (0..8).for_each(|_| _ = scope.spawn(|| (0..20).for_each(|_| shared.sync().unwrap())));
        });
        let state = shared.state();
        assert!(state.begun <= 160 && state.succeeded == state.begun && !state.running);
        assert!(SharedSync::of("/no/such/directory".into()).sync().is_err());
    }
}
