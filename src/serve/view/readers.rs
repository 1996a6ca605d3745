//! Open files: the index and the store, for reading, kept for the next request.
//!
//! Not here: what may be read of them (`View`). Invariants: a file that was replaced, or made
//! meanwhile, is opened again; one that is gone, or cannot be looked at, is a failure, and never an
//! empty one.

use crate::config::Config;
use crate::error::Error;
use crate::index::{Index, Interrupter};
use crate::serve::problem::Problem;
use crate::store::Store;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

/// Open files that are kept.
const KEPT: usize = 8;

pub(crate) struct Readers {
    index: WatchedFile,
    store: WatchedFile,
    idle: Mutex<Vec<OpenFiles>>,
}

/// What one request reads.
pub(crate) struct OpenFiles {
    /// `None`: no log was ever read.
    pub(super) index: Option<Index>,
    /// `None`: nothing was ever stored.
    pub(super) store: Option<Store>,
    files: [Option<(u64, u64)>; 2],
}

impl OpenFiles {
    /// What ends a long question from another thread.
    pub(crate) fn interrupter(&self) -> Option<Interrupter> {
        self.index.as_ref().map(Index::interrupter)
    }
}

impl Readers {
    pub(crate) fn new(config: &Config) -> Readers {
        let index = WatchedFile::new("index", config.index_path());
        Readers { index, store: WatchedFile::new("store", config.store_path()), idle: Mutex::default() }
    }

    pub(crate) fn take(&self) -> Result<OpenFiles, Problem> {
        let files = [self.index.look()?, self.store.look()?];
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(kept) = kept.filter(|kept| kept.files == files) {
            return Ok(kept);
        }
        let store = files[1].is_some().then(|| Store::look(&self.store.path)).transpose();
        let store = store.map_err(|error| self.store.unreadable(&error))?;
        let index = Index::read_only(&self.index.path).map_err(|error| self.index.unreadable(&error))?;
        Ok(OpenFiles { index, store, files })
    }

    pub(crate) fn give_back(&self, files: OpenFiles) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < KEPT {
            idle.push(files);
        }
    }
}

/// A file that other processes make, replace or remove.
struct WatchedFile {
    /// `index`, `store`.
    name: &'static str,
    path: PathBuf,
    was_there: AtomicBool,
}

impl WatchedFile {
    fn new(name: &'static str, path: PathBuf) -> WatchedFile {
        let was_there = AtomicBool::new(path.exists());
        WatchedFile { name, path, was_there }
    }

    /// Device and inode; `None`: there never was such a file.
    fn look(&self) -> Result<Option<(u64, u64)>, Problem> {
        match self.path.metadata() {
            Ok(about) => {
                self.was_there.store(true, Relaxed);
                Ok(Some((about.dev(), about.ino())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound && !self.was_there.load(Relaxed) => Ok(None),
            Err(error) => Err(self.unreadable(&Error::new(error))),
        }
    }

    fn unreadable(&self, error: &Error) -> Problem {
        let (name, path) = (self.name, self.path.display());
        tracing::warn!(%error, "the {name} {path} cannot be read");
        let problem = Problem::unavailable(format_args!("the {name} cannot be read"));
        // A fix that names a file is for the log.
        match error.remedy_text().filter(|fix| !fix.contains('/')) {
            Some(fix) => problem.with_fix(fix),
            None => problem,
        }
    }
}
