//! What waits at the desk, and who may commit: a few batches at one time. A batch that waits for
//! that stays open, and takes what comes in meanwhile.
//!
//! Not here: deciding, and commits (`delivery_desk`). Invariants: what was put in is taken once; a
//! message that takes long to decide keeps only those that are in its batch already.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Messages of a batch at most.
const TOGETHER: usize = 64;
/// A batch takes no more after this time: what is decided waits no longer for what comes after it.
const OPEN_FOR: Duration = Duration::from_millis(100);

pub(super) struct DeskQueue<T> {
    state: Mutex<Waiting<T>>,
    /// Something waits for a thread that has nothing.
    offered: Condvar,
    /// An open batch can take more, or commit.
    changed: Condvar,
    /// Batches that commit side by side.
    side_by_side: usize,
    open_for: Duration,
}

struct Waiting<T> {
    messages: VecDeque<T>,
    committing: usize,
    /// Threads with an open batch that wait for its commit, and those with a full one.
    open: usize,
    full: usize,
    /// Threads that wait for the first message of a batch.
    idle: usize,
    closed: bool,
}

/// A batch while it is open.
pub(super) struct OpenBatch {
    since: Instant,
    taken: usize,
    /// What it takes even if it could commit: the rest is left for other threads.
    share: usize,
}

/// What an open batch does next.
pub(super) enum BatchTurn<'q, T> {
    More(T),
    Commit(Committing<'q, T>),
}

/// Held by a batch until it is on record.
pub(super) struct Committing<'q, T>(&'q DeskQueue<T>);

impl<T> DeskQueue<T> {
    pub(super) fn new(side_by_side: usize) -> DeskQueue<T> {
        let state =
            Waiting { messages: VecDeque::new(), committing: 0, open: 0, full: 0, idle: 0, closed: false };
        let (offered, changed) = (Condvar::new(), Condvar::new());
        let (side_by_side, open_for) = (side_by_side.max(1), OPEN_FOR);
        DeskQueue { state: Mutex::new(state), offered, changed, side_by_side, open_for }
    }

    pub(super) fn put(&self, message: T) {
        let mut state = self.state();
        state.messages.push_back(message);
        self.pass_on(&state);
    }

    /// What was put in is still taken; then threads without work end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.offered.notify_all();
    }

    /// Waits for the first message of a batch. `None`: it is over.
    pub(super) fn first(&self) -> Option<(T, OpenBatch)> {
        let mut state = self.state();
        while state.messages.is_empty() || state.open > 0 {
            if state.closed && state.messages.is_empty() {
                return None;
            }
            state.idle += 1;
            state = self.offered.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
        let share = state.messages.len().div_ceil(self.side_by_side).min(TOGETHER);
        let first = state.messages.pop_front()?;
        self.pass_on(&state);
        Some((first, OpenBatch { since: Instant::now(), taken: 1, share }))
    }

    /// The next message of an open batch, or its commit. Waits for one of them.
    pub(super) fn next(&self, batch: &mut OpenBatch) -> BatchTurn<'_, T> {
        let mut state = self.state();
        loop {
            let is_full = batch.taken >= TOGETHER || batch.since.elapsed() >= self.open_for;
            let may_commit = state.committing < self.side_by_side;
            let takes = !is_full && (batch.taken < batch.share || !may_commit);
            if takes && let Some(more) = state.messages.pop_front() {
                batch.taken += 1;
                self.pass_on(&state);
                return BatchTurn::More(more);
            }
            if may_commit {
                state.committing += 1;
                self.pass_on(&state);
                return BatchTurn::Commit(Committing(self));
            }
            if is_full {
                self.pass_on(&state);
            }
            let (open, full) = (usize::from(!is_full), usize::from(is_full));
            (state.open, state.full) = (state.open + open, state.full + full);
            let waited = self.changed.wait_timeout(state, self.open_for);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            (state.open, state.full) = (state.open - open, state.full - full);
        }
    }

    /// Wakes who takes what waits. A wake-up is a system call, also if nobody waits for it.
    fn pass_on(&self, state: &Waiting<T>) {
        match (state.messages.is_empty(), state.open, state.idle) {
            (true, ..) | (false, 0, 0) => {}
            (false, 0, _) => self.offered.notify_one(),
            (false, ..) => self.changed.notify_all(),
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiting<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Committing<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.committing -= 1;
        if state.open + state.full > 0 {
            self.0.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_in_during_commits_shares_the_next() {
        let queue = DeskQueue { open_for: Duration::from_secs(600), ..DeskQueue::new(1) };
        queue.put(1);
        let (first, mut batch) = queue.first().unwrap();
        let BatchTurn::Commit(under_way) = queue.next(&mut batch) else { panic!() };
        (2..5).for_each(|number| queue.put(number));
        let (second, mut batch) = queue.first().unwrap();
        let mut together = vec![second];
        while together.len() < 3
            && let BatchTurn::More(more) = queue.next(&mut batch)
        {
            together.push(more);
        }
        assert_eq!((first, together), (1, vec![2, 3, 4]));
        std::thread::scope(|scope| {
            // One more comes while the batch waits for its commit, and another after that.
            let waits = scope.spawn(|| {
                let mut more = Vec::new();
                loop {
                    match queue.next(&mut batch) {
                        BatchTurn::More(one) => more.push(one),
                        BatchTurn::Commit(_) => return more,
                    }
                }
            });
            while queue.state().open == 0 && !waits.is_finished() {
                std::thread::yield_now();
            }
            drop(under_way);
            assert!(waits.join().unwrap().is_empty());
        });
        queue.put(5);
        queue.close();
        assert!(queue.first().is_some() && queue.first().is_none());
    }

    #[test]
    fn every_message_is_taken_once_by_many_threads() {
        let queue = DeskQueue::new(2);
        let taken = std::thread::scope(|scope| {
            let work = || {
                let mut taken = Vec::new();
                while let Some((first, mut batch)) = queue.first() {
                    taken.push(first);
                    while let BatchTurn::More(more) = queue.next(&mut batch) {
                        taken.push(more);
                    }
                }
                taken
            };
            let workers: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
            (0..2000).for_each(|number| queue.put(number));
            queue.close();
            let mut taken: Vec<i32> = workers.into_iter().flat_map(|one| one.join().unwrap()).collect();
            taken.sort_unstable();
            taken
        });
        assert!(taken.into_iter().eq(0..2000));
    }
}
