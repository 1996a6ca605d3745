//! The suppression list for a process that looks up very much: some connections of their own, so
//! that few threads wait for each other, and none for a write.
//!
//! Not here: SQL (`sqlite/suppression_look`), and what follows from an entry (`crate::access`).
//! Invariant: an entry that is added or removed is seen by the next look-up, a domain or pattern
//! within a second, and a file that replaces the store too.

use super::Store;
use super::sqlite::suppression_look::SuppressionRows;
use super::suppressed::Suppressed;
use crate::error::Result;
use crate::files::changed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Connections at one time. To open another one takes longer than to wait for one of these.
const MOST: usize = 8;
/// Of those, how many may wait for the disk while the others have a core.
const WAITING: usize = 2;

pub(crate) struct SuppressionReader {
    store: Arc<Store>,
    lists: Mutex<Lists>,
    given_back: Condvar,
    /// Connections on this host: each keeps pages in memory.
    most: usize,
}

#[derive(Default)]
struct Lists {
    idle: Vec<OpenList>,
    in_use: usize,
    /// Threads that wait for one.
    waiting: usize,
}

/// One of the connections at one time, until it is dropped.
struct InUse<'r>(&'r SuppressionReader);

/// A connection, and the device and inode of the file that it reads.
struct OpenList {
    rows: SuppressionRows,
    file: Option<(u64, u64)>,
}

impl SuppressionReader {
    pub(crate) fn new(store: Arc<Store>) -> SuppressionReader {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let most = (cores + WAITING).min(MOST);
        SuppressionReader { store, lists: Mutex::default(), given_back: Condvar::new(), most }
    }

    /// What suppresses mail of a sender domain (second) to an address (first), for each of these
    /// pairs, in order. An error is about all of them.
    pub(crate) fn first_of_each(
        &self,
        asked: &[(String, String)],
        now_ms: i64,
    ) -> Result<Vec<Option<Suppressed>>> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let (kept, in_use) = self.take();
        let list = self.current(kept)?;
        // After an error, the next look-up opens the file again.
        let found = list.rows.first_of_each(asked, now_ms)?;
        self.lists().idle.push(list);
        drop(in_use);
        Ok(found)
    }

    /// Waits for its turn; a connection, if one is open.
    fn take(&self) -> (Option<OpenList>, InUse<'_>) {
        let mut lists = self.lists();
        lists.waiting += 1;
        let all_are_used = |lists: &mut Lists| lists.in_use >= self.most;
        let waited = self.given_back.wait_while(lists, all_are_used);
        let mut lists = waited.unwrap_or_else(PoisonError::into_inner);
        lists.waiting -= 1;
        lists.in_use += 1;
        (lists.idle.pop(), InUse(self))
    }

    /// A connection that knows the newest state.
    fn current(&self, kept: Option<OpenList>) -> Result<OpenList> {
        match kept {
            Some(list) if !list.rows.is_stale() => Ok(list),
            Some(mut list) if list.file.is_some() && list.file == self.file() => {
                list.rows.refresh()?;
                Ok(list)
            }
            _ => {
                let file = self.file();
                Ok(OpenList { rows: SuppressionRows::open(&self.store.db)?, file })
            }
        }
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self) -> Option<(u64, u64)> {
        changed::identity(self.store.db.path())
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        let mut lists = self.0.lists();
        lists.in_use -= 1;
        let somebody_waits = lists.waiting > 0;
        drop(lists);
        if somebody_waits {
            self.0.given_back.notify_one();
        }
    }
}
