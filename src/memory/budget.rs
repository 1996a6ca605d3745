//! THE MEMORY BUDGET of a process: the bytes that messages in work need are counted, and a big one
//! waits until there is room for it.
//!
//! Not here: which messages (`relay/worker`, `journal`, `lmtp`). Invariants: a message that is
//! larger than the budget is alone in work, and one that waits is not overtaken; large messages
//! take nothing of what is kept for small ones of clients.

use crate::deadline::Deadline;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a process takes besides its messages: policies, the store, threads.
const ITSELF: u64 = 96 << 20;
/// What a message takes besides its bytes.
const A_MESSAGE: u64 = 16 << 10;
/// Bytes of a message that is small.
const SMALL: u64 = 64 << 10;
/// Kept for small messages: at least these bytes, and this part of the whole.
const RESERVE: u64 = 4 << 20;
const RESERVE_PART: u64 = 8;

pub(crate) struct MemoryBudget {
    whole: u64,
    /// For small messages, beside the whole.
    reserve: u64,
    state: Mutex<Taken>,
    given_back: Condvar,
}

#[derive(Default)]
struct Taken {
    bytes: u64,
    /// Of the reserve.
    reserved: u64,
    /// Threads that wait for room.
    waiting: usize,
    /// One of them has some, and waits for more.
    growing: bool,
}

/// Room for some bytes, until it is dropped.
pub(crate) struct Room<'b> {
    budget: &'b MemoryBudget,
    bytes: u64,
    /// They are of the reserve.
    is_reserved: bool,
}

impl MemoryBudget {
    /// What messages may take together, besides the reserve.
    pub(crate) fn whole(&self) -> u64 {
        self.whole
    }

    /// For a process that is to take no more than this, in bytes.
    pub(crate) fn of_process(limit: u64) -> MemoryBudget {
        let whole = limit.saturating_sub(ITSELF);
        let reserve = (whole / RESERVE_PART).max(RESERVE);
        MemoryBudget::new(whole.saturating_sub(reserve), reserve)
    }

    fn new(whole: u64, reserve: u64) -> MemoryBudget {
        MemoryBudget { whole, reserve, state: Mutex::default(), given_back: Condvar::new() }
    }

    /// What the work on a message of this size takes: the message, its parsed form, the copy that
    /// signatures are verified on, an answer that returns it.
    pub(crate) fn needed_by(size: u64) -> u64 {
        size.saturating_mul(4).saturating_add(A_MESSAGE)
    }

    /// Whether this is what a small message needs.
    pub(crate) fn is_small(bytes: u64) -> bool {
        bytes <= MemoryBudget::needed_by(SMALL)
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

    /// The same, no longer than until `deadline`. Small messages have room in the reserve too.
    pub(crate) fn take_until(&self, bytes: u64, deadline: Deadline) -> Option<Room<'_>> {
        let mut room = Room { budget: self, bytes: 0, is_reserved: false };
        room.grow_until(bytes, deadline).then_some(room)
    }

    fn room(&self, taken: &mut Taken, bytes: u64) -> Room<'_> {
        taken.bytes += bytes;
        Room { budget: self, bytes, is_reserved: false }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room<'_> {
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Makes it at least this large, if there is room, or nobody else has any. It does not wait.
    pub(crate) fn grow_to(&mut self, bytes: u64) -> bool {
        let budget = self.budget;
        self.grow(&mut budget.taken(), bytes)
    }

    /// Whether it would be waited for. Of those that have some, one waits for more: two would wait
    /// for each other.
    pub(crate) fn may_wait(&self) -> bool {
        self.bytes == 0 || !self.budget.taken().growing
    }

    /// The same, and waits for it no longer than until `deadline`, if it may.
    pub(crate) fn grow_until(&mut self, bytes: u64, deadline: Deadline) -> bool {
        let budget = self.budget;
        let mut taken = budget.taken();
        if self.grow(&mut taken, bytes) {
            return true;
        }
        let has_some = self.bytes > 0;
        if has_some && taken.growing {
            return false;
        }
        taken.growing |= has_some;
        taken.waiting += 1;
        let too_full = |taken: &mut Taken| !self.grow(taken, bytes);
        let waited = budget.given_back.wait_timeout_while(taken, deadline.left(), too_full);
        let (mut taken, ended) = waited.unwrap_or_else(PoisonError::into_inner);
        taken.waiting -= 1;
        taken.growing &= !has_some;
        !ended.timed_out()
    }

    fn grow(&mut self, taken: &mut Taken, bytes: u64) -> bool {
        let (bytes, budget) = (bytes.max(self.bytes), self.budget);
        let (own, own_reserved) = if self.is_reserved { (0, self.bytes) } else { (self.bytes, 0) };
        let (others, others_reserved) = (taken.bytes - own, taken.reserved - own_reserved);
        let is_small = MemoryBudget::is_small(bytes);
        if others == 0 || others.saturating_add(bytes) <= budget.whole {
            (taken.bytes, taken.reserved, self.is_reserved) = (others + bytes, others_reserved, false);
        } else if is_small && others_reserved + bytes <= budget.reserve {
            (taken.bytes, taken.reserved, self.is_reserved) = (others, others_reserved + bytes, true);
        } else {
            return false;
        }
        self.bytes = bytes;
        true
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut taken = self.budget.taken();
        match self.is_reserved {
            true => taken.reserved -= self.bytes,
            false => taken.bytes -= self.bytes,
        }
        // A wake-up is a system call, also if nobody waits.
        let somebody_waits = taken.waiting > 0;
        drop(taken);
        if somebody_waits {
            self.budget.given_back.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_too_large_is_alone_and_the_rest_shares() {
        let budget = MemoryBudget::new(10, 0);
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

    #[test]
    fn room_grows_while_there_is_some_and_a_wait_for_it_ends() {
        let budget = MemoryBudget::new(10, 0);
        let (mut one, mut two) = (budget.try_take(2).unwrap(), budget.try_take(2).unwrap());
        assert!(one.grow_to(8) && one.grow_to(1) && !two.grow_to(3));
        assert_eq!((one.bytes(), two.bytes(), budget.taken().bytes), (8, 2, 10));
        assert!(budget.take_until(1, Deadline::after(Duration::ZERO)).is_none());
        drop(one);
        assert!(two.grow_to(100), "nobody else has any");
        drop(two);
        assert!(
            budget.taken().bytes == 0 && budget.take_until(100, Deadline::after(Duration::ZERO)).is_some()
        );
    }

    #[test]
    fn of_two_that_have_some_one_waits_for_more() {
        let budget = MemoryBudget::new(10, 0);
        let soon = || Deadline::after(Duration::from_secs(600));
        let (mut one, mut two) = (budget.try_take(5).unwrap(), budget.try_take(5).unwrap());
        std::thread::scope(|scope| {
            let grows = scope.spawn(|| one.grow_until(8, soon()));
            while two.may_wait() {
                std::thread::yield_now();
            }
            assert!(!two.grow_until(6, soon()));
            drop(two);
            assert!(grows.join().unwrap());
        });
        assert!(one.may_wait() && !budget.taken().growing);
    }

    #[test]
    fn what_is_small_finds_room_beside_a_large_one_and_moves_when_it_grows() {
        let (small, large) = (MemoryBudget::needed_by(SMALL), 10 << 20);
        let (budget, now) = (MemoryBudget::new(large, 2 * small), Deadline::after(Duration::ZERO));
        let hog = budget.take_until(20 << 20, now).unwrap();
        let (mut one, two) = (budget.take_until(small, now).unwrap(), budget.take_until(small, now).unwrap());
        assert!(budget.take_until(1, now).is_none() && !one.grow_until(small + 1, now));
        std::thread::scope(|scope| {
            let grows = scope.spawn(|| one.grow_until(large, Deadline::after(Duration::from_secs(600))));
            while budget.taken().waiting == 0 {
                std::thread::yield_now();
            }
            drop(hog);
            assert!(grows.join().unwrap());
        });
        let of_all = || {
            let taken = budget.taken();
            (taken.bytes, taken.reserved)
        };
        assert_eq!(of_all(), (large, small));
        drop((one, two));
        assert_eq!(of_all(), (0, 0));
    }
}
