//! The suppression list for a process that looks up very much: some connections of their own, so
//! that few threads wait for each other, and none for a write; and the addresses on the list,
//! remembered (`remembered_list`).
//!
//! Not here: SQL (`sqlite/looked_up_list`), and what follows from an entry (`crate::access`).
//! Invariants: an entry that is added or removed is seen by the next look-up, a domain or pattern
//! within a second, and a file that replaces the store too; whoever waits for a connection gets one
//! before whoever comes later.

use super::remembered_list::RememberedList;
use super::sqlite::looked_up_list::LookedUpList;
use super::suppressed::Suppressed;
use super::{ListedAddresses, Store};
use crate::deadline::Deadline;
use crate::error::{Error, Result};
use crate::files::changed;
use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// Connections at one time. To open another one takes longer than to wait for one of these.
const MOST: usize = 8;
/// Of those, how many may wait for the disk while the others have a core.
const WAITING: usize = 2;
/// Time for the turn of a thread. Usually it comes within milliseconds.
const TURN: Duration = Duration::from_secs(2);

pub(crate) struct SuppressionReader {
    store: Arc<Store>,
    lists: Mutex<Lists>,
    /// Connections on this host: each keeps pages in memory.
    most: usize,
    remembered: RememberedList,
}

#[derive(Default)]
struct Lists {
    idle: Vec<OpenList>,
    in_use: usize,
    /// Threads that wait for one, the first to come first.
    waiting: VecDeque<Arc<Turn>>,
}

impl Lists {
    /// A thread waits no more. Returns whether it waited: otherwise its turn has come.
    fn leave(&mut self, turn: &Arc<Turn>) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|one| !Arc::ptr_eq(one, turn));
        self.waiting.len() < before
    }
}

/// The turn of a thread that waits.
struct Turn {
    has_come: AtomicBool,
    thread: Thread,
}

/// One of the connections at one time, until it is dropped.
struct InUse<'r>(&'r SuppressionReader);

/// A connection, and the device and inode of the file that it reads.
struct OpenList {
    rows: LookedUpList,
    file: Option<(u64, u64)>,
}

impl SuppressionReader {
    pub(crate) fn new(store: Arc<Store>) -> SuppressionReader {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (most, remembered) = ((cores + WAITING).min(MOST), RememberedList::default());
        SuppressionReader { store, lists: Mutex::default(), most, remembered }
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
        self.remembered.count(asked.len());
        self.with_list(|list, listed| list.first_of_each(asked, now_ms, listed))
    }

    /// Called each second: remembers the addresses on the list if many are looked up, and learns of
    /// new ones before there are too many.
    pub(crate) fn look_around(&self) {
        let looked = match self.remembered.whole() {
            None => self.remembered.read_on(&self.store.db),
            Some(_) => self.with_list(|_, _| Ok(())),
        };
        if let Err(error) = looked {
            tracing::warn!(%error, "the suppression list cannot be remembered, and is looked up");
            self.remembered.forget();
        }
    }

    /// Works with a connection, and with the addresses on the list if they are remembered.
    fn with_list<T>(
        &self,
        work: impl FnOnce(&LookedUpList, Option<&ListedAddresses>) -> Result<T>,
    ) -> Result<T> {
        let (kept, in_use) = self.take()?;
        let mut list = self.current(kept)?;
        let listed = self.listed(&mut list);
        // After an error, the next look-up opens the file again.
        let done = work(&list.rows, listed.as_deref())?;
        self.lists().idle.push(list);
        drop(in_use);
        Ok(done)
    }

    /// The addresses on the list, as this connection sees it; `None`: they are not remembered.
    fn listed(&self, list: &mut OpenList) -> Option<Arc<ListedAddresses>> {
        let whole = self.remembered.whole()?;
        let is_usable = whole.file == list.file
            && !whole.addresses.is_full()
            && list.rows.completes(&whole.addresses).unwrap_or(false);
        if !is_usable {
            self.remembered.forget();
        }
        is_usable.then_some(whole.addresses)
    }

    /// Waits for its turn; a connection, if one is open. Error: those before it wait for a store
    /// that others lock.
    fn take(&self) -> Result<(Option<OpenList>, InUse<'_>)> {
        let mut lists = self.lists();
        if lists.in_use < self.most {
            lists.in_use += 1;
            return Ok((lists.idle.pop(), InUse(self)));
        }
        let turn = Arc::new(Turn { has_come: AtomicBool::new(false), thread: thread::current() });
        lists.waiting.push_back(turn.clone());
        drop(lists);
        let until = Deadline::after(TURN);
        while !turn.has_come.load(Acquire) {
            if until.passed() && self.lists().leave(&turn) {
                return Err(Error::new("too many look-ups wait for the store").remedy("try again"));
            }
            thread::park_timeout(until.left());
        }
        Ok((self.lists().idle.pop(), InUse(self)))
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
                Ok(OpenList { rows: LookedUpList::open(&self.store.db)?, file })
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
        let Some(next) = lists.waiting.pop_front() else {
            lists.in_use -= 1;
            return;
        };
        drop(lists);
        next.has_come.store(true, Release);
        next.thread.unpark();
    }
}
