//! THE RELAY'S BACKOFF: when a file that was deferred is tried again. It lasts as long as the run.
//!
//! Not here: when a step of a promised plan is tried again (`action/doors`), and when a file is
//! given up (`handled_file`). Invariant: the table does not grow with files that are gone.

use crate::clock::HOUR;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The first pause; every further deferral doubles it, up to an hour.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The table is cleaned whenever it has grown by this many files.
const CLEANED_EVERY: usize = 1024;

/// Deferred files: when each may be tried again, and the pause before that.
#[derive(Default)]
pub(crate) struct FileBackoff(Mutex<HashMap<PathBuf, (Instant, Duration)>>);

impl FileBackoff {
    /// The file is deferred, again or for the first time.
    pub(crate) fn defer(&self, path: PathBuf) {
        let mut files = self.files();
        let pause = files.get(&path).map_or(FIRST_PAUSE, |(_, pause)| (*pause * 2).min(HOUR));
        files.insert(path, (Instant::now() + pause, pause));
        if files.len().is_multiple_of(CLEANED_EVERY) {
            let there: HashSet<PathBuf> = files.keys().filter(|path| path.exists()).cloned().collect();
            files.retain(|path, _| there.contains(path));
        }
    }

    /// Whether the file was not deferred, or long enough ago.
    pub(crate) fn may_try(&self, path: &Path) -> bool {
        self.files().get(path).is_none_or(|(until, _)| Instant::now() >= *until)
    }

    pub(crate) fn len(&self) -> usize {
        self.files().len()
    }

    fn files(&self) -> MutexGuard<'_, HashMap<PathBuf, (Instant, Duration)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        let (files, path) = (FileBackoff::default(), Path::new("/no/such/file"));
        assert!(files.may_try(path));
        let pause = || files.files()[path].1;
        for seconds in [5, 10, 20, 40] {
            files.defer(path.to_owned());
            assert_eq!(pause(), Duration::from_secs(seconds));
            assert!(!files.may_try(path));
        }
        (0..20).for_each(|_| files.defer(path.to_owned()));
        assert_eq!((pause(), files.len()), (HOUR, 1));
    }
}
