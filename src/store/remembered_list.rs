//! The addresses on the suppression list, remembered by a process that looks up very much, so that
//! most look-ups read no rows: when the list is read, a piece at a time, and when it is forgotten.
//!
//! Not here: look-ups (`suppression_reader`). Invariants: only what is complete is used; when
//! another file has replaced the store, or more new addresses came at one time than are noted, the
//! list is read again; what cannot be remembered is looked up.

use super::ListedAddresses;
use super::sqlite::connection::SharedConnection;
use super::sqlite::looked_up_list::LookedUpList;
use super::sqlite::new_suppressions;
use crate::deadline::Deadline;
use crate::error::Result;
use crate::files::changed;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Look-ups after which it is worth reading the list.
const ENOUGH: u64 = 10_000;
/// How long it is read each second. The rest of the time is for look-ups.
const SLICE: Duration = Duration::from_millis(250);
/// Time until it is read again after it was forgotten or could not be read.
const AGAIN: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct RememberedList {
    whole: RwLock<Option<WholeList>>,
    reading: Mutex<Option<Reading>>,
    again: Mutex<Option<Deadline>>,
    looked_up: AtomicU64,
}

/// All its addresses, and the device and inode of the file that it is in.
#[derive(Clone)]
pub(super) struct WholeList {
    pub(super) addresses: Arc<ListedAddresses>,
    pub(super) file: Option<(u64, u64)>,
}

/// A list of which a part is read.
struct Reading {
    list: LookedUpList,
    whole: WholeList,
    /// The last address that was read.
    last: String,
}

impl Reading {
    fn begin(store: &SharedConnection) -> Result<Reading> {
        // What is added from now on is noted.
        let newest = new_suppressions::begin(store)?;
        let (file, list) = (changed::identity(store.path()), LookedUpList::open(store)?);
        let addresses = Arc::new(ListedAddresses::for_list(list.length()?, newest));
        Ok(Reading { list, whole: WholeList { addresses, file }, last: String::new() })
    }

    /// Reads for a while. Returns whether that was all.
    fn go_on(&mut self) -> Result<bool> {
        let until = Deadline::after(SLICE);
        while !until.passed() {
            match self.list.tell_after(&self.last, &self.whole.addresses)? {
                Some(last) => self.last = last,
                None => return Ok(true),
            }
        }
        Ok(false)
    }
}

impl RememberedList {
    /// All of it, if it is remembered.
    pub(super) fn whole(&self) -> Option<WholeList> {
        self.whole.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts addresses that are looked up.
    pub(super) fn count(&self, many: usize) {
        self.looked_up.fetch_add(many as u64, Relaxed);
    }

    /// Whether it is worth reading the list now.
    fn is_worth_it(&self) -> bool {
        let again = *self.again.lock().unwrap_or_else(PoisonError::into_inner);
        self.looked_up.load(Relaxed) >= ENOUGH && again.is_none_or(Deadline::passed)
    }

    /// Reads a piece of the list, if that is worth it and it is not remembered.
    pub(super) fn read_on(&self, store: &SharedConnection) -> Result<()> {
        if !self.is_worth_it() {
            return Ok(());
        }
        let mut kept = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reading = kept.take().map_or_else(|| Reading::begin(store), Ok)?;
        let is_all = reading.go_on()?;
        if !reading.list.completes(&reading.whole.addresses)? {
            self.forget();
        } else if is_all {
            tracing::info!("the addresses on the suppression list are remembered");
            *self.whole.write().unwrap_or_else(PoisonError::into_inner) = Some(reading.whole);
        } else {
            *kept = Some(reading);
        }
        Ok(())
    }

    /// What is remembered cannot be used any more.
    pub(super) fn forget(&self) {
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(Deadline::after(AGAIN));
        *self.whole.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
