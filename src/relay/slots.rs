//! A slot for each thread, so that no more files are claimed than there are threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

pub(crate) struct Slots {
    free: Mutex<usize>,
    all: usize,
    freed: Condvar,
}

impl Slots {
    pub(crate) fn new(threads: usize) -> Slots {
        Slots { free: Mutex::new(threads), all: threads, freed: Condvar::new() }
    }

    /// Waits for a free slot and takes it.
    pub(crate) fn take(&self) {
        *self.wait_until(|free| free > 0) -= 1;
    }

    pub(crate) fn give_back(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_all();
    }

    pub(crate) fn wait_for_all(&self) {
        drop(self.wait_until(|free| free == self.all));
    }

    fn wait_until(&self, condition: impl Fn(usize) -> bool) -> MutexGuard<'_, usize> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        self.freed.wait_while(free, |free| !condition(*free)).unwrap_or_else(PoisonError::into_inner)
    }
}
