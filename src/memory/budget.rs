//! THE MEMORY BUDGET of a process: the bytes that messages in work need are counted, and a big one
//! waits until there is room for it.
//!
//! Not here: which messages (`relay/worker`, `journal`). Invariant: a message that is larger than
//! the budget is alone in work, and one that waits is not overtaken.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a process takes besides its messages: policies, the store, threads.
const ITSELF: u64 = 96 << 20;
/// What a message takes besides its bytes.
const A_MESSAGE: u64 = 16 << 10;

pub(crate) struct MemoryBudget {
    whole: u64,
    state: Mutex<Taken>,
    given_back: Condvar,
}

#[derive(Default)]
struct Taken {
    bytes: u64,
    /// Threads that wait for room.
    waiting: usize,
}

/// Room for some bytes, until it is dropped.
pub(crate) struct Room<'b> {
    budget: &'b MemoryBudget,
    bytes: u64,
}

impl MemoryBudget {
    /// For a process that is to take no more than this, in bytes.
    pub(crate) fn of_process(limit: u64) -> MemoryBudget {
        MemoryBudget::new(limit.saturating_sub(ITSELF))
    }

    fn new(whole: u64) -> MemoryBudget {
        MemoryBudget { whole, state: Mutex::default(), given_back: Condvar::new() }
    }

    /// What the work on a message of this size takes: the message, its parsed form, the copy that
    /// signatures are verified on, an answer that returns it.
    pub(crate) fn needed_by(size: u64) -> u64 {
        size.saturating_mul(4).saturating_add(A_MESSAGE)
    }

    /// Room that there is now, unless somebody waits for it.
    pub(crate) fn try_take(&self, bytes: u64) -> Option<Room<'_>> {
        let mut taken = self.taken();
        let fits =
            taken.waiting == 0 && (taken.bytes == 0 || taken.bytes.saturating_add(bytes) <= self.whole);
        fits.then(|| self.room(&mut taken, bytes))
    }

    /// Waits for room. Who waits must hold none.
    pub(crate) fn take(&self, bytes: u64) -> Room<'_> {
        let mut taken = self.taken();
        taken.waiting += 1;
        let full = |taken: &mut Taken| taken.bytes > 0 && taken.bytes.saturating_add(bytes) > self.whole;
        let mut taken = self.given_back.wait_while(taken, full).unwrap_or_else(PoisonError::into_inner);
        taken.waiting -= 1;
        self.room(&mut taken, bytes)
    }

    fn room(&self, taken: &mut Taken, bytes: u64) -> Room<'_> {
        taken.bytes += bytes;
        Room { budget: self, bytes }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room<'_> {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.budget.taken().bytes -= self.bytes;
        self.budget.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_is_alone_and_the_rest_shares() {
        let budget = MemoryBudget::new(10);
        let (four, six) = (budget.try_take(4).unwrap(), budget.try_take(6).unwrap());
        assert!(budget.try_take(1).is_none());
        drop((four, six));
        let large = budget.try_take(100).unwrap();
        assert!(budget.try_take(0).is_none(), "no room beside it");
        std::thread::scope(|scope| {
            scope.spawn(|| drop(budget.take(3)));
            while budget.taken().waiting == 0 {
                std::thread::yield_now();
            }
            drop(large);
        });
        assert!(budget.try_take(10).is_some());
    }
}
