//! What waits at the desk, who decides about it, and who may commit.
//!
//! As many threads decide as there are processors, and others for those that are held up. A batch
//! that waits for its commit stays open, and takes what comes in meanwhile. Not here: deciding, and
//! commits (`delivery_desk`). Invariants: what was put in is taken once; a message that takes long
//! to decide keeps only those that are in its batch already; one thread is woken for a message.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Messages of a batch at most.
const TOGETHER: usize = 64;
/// A batch takes no more after this time: what is decided waits no longer for what comes after it.
const OPEN_FOR: Duration = Duration::from_millis(100);
/// A thread that decides about one message for so long is held up by something else than its
/// processor.
const HELD_UP: Duration = Duration::from_millis(3);

pub(super) struct DeskQueue<T> {
    state: Mutex<Waiting<T>>,
    /// Something waits for a thread that has nothing.
    offered: Condvar,
    /// An open batch can take more, or commit.
    opened: Condvar,
    /// A full batch can commit.
    filled: Condvar,
    /// Threads that decide at one time, if none is held up.
    processors: usize,
    /// Batches that commit side by side.
    side_by_side: usize,
    open_for: Duration,
    held_up: Duration,
}

struct Waiting<T> {
    messages: VecDeque<T>,
    /// Since when each thread that decides has been at its message.
    deciding: Vec<Instant>,
    committing: usize,
    /// Threads with an open batch that wait for its commit, and those with a full one.
    open: usize,
    full: usize,
    /// Threads that wait for the first message of a batch, and whether one of them looks for
    /// threads that are held up.
    idle: usize,
    looks_around: bool,
    closed: bool,
}

/// A batch while it is open.
pub(super) struct OpenBatch {
    since: Instant,
    /// Since when its thread has been at its last message.
    message_since: Instant,
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
    /// For this many processors.
    pub(super) fn new(processors: usize) -> DeskQueue<T> {
        let state = Waiting {
            messages: VecDeque::new(),
            deciding: Vec::new(),
            committing: 0,
            open: 0,
            full: 0,
            idle: 0,
            looks_around: false,
            closed: false,
        };
        DeskQueue {
            state: Mutex::new(state),
            offered: Condvar::new(),
            opened: Condvar::new(),
            filled: Condvar::new(),
            processors: processors.max(1),
            side_by_side: processors.clamp(1, 4),
            open_for: OPEN_FOR,
            held_up: HELD_UP,
        }
    }

    pub(super) fn put(&self, message: T) {
        let mut state = self.state();
        state.messages.push_back(message);
        self.pass_on(state);
    }

    /// What was put in is still taken; then threads without work end.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.offered.notify_all();
    }

    /// Waits for the first message of a batch. `None`: it is over, also for those who wait since
    /// the last message was here.
    pub(super) fn first(&self) -> Option<(T, OpenBatch)> {
        let mut state = self.state();
        while !self.may_begin(&state) {
            if state.closed && state.messages.is_empty() {
                self.offered.notify_all();
                return None;
            }
            state = self.stand_by(state);
        }
        let share = state.messages.len().div_ceil(self.side_by_side).min(TOGETHER);
        let first = state.messages.pop_front()?;
        let now = Instant::now();
        state.deciding.push(now);
        self.pass_on(state);
        Some((first, OpenBatch { since: now, message_since: now, taken: 1, share }))
    }

    /// Waits until a batch can begin, perhaps. One thread looks for those that are held up.
    fn stand_by<'s>(&'s self, mut state: MutexGuard<'s, Waiting<T>>) -> MutexGuard<'s, Waiting<T>> {
        let looks_around = !state.messages.is_empty() && !state.looks_around;
        state.idle += 1;
        state = if looks_around {
            state.looks_around = true;
            let waited = self.offered.wait_timeout(state, self.held_up);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.looks_around = false;
            state
        } else {
            self.offered.wait(state).unwrap_or_else(PoisonError::into_inner)
        };
        state.idle -= 1;
        state
    }

    /// The next message of an open batch, or its commit. Waits for one of them.
    pub(super) fn next(&self, batch: &mut OpenBatch) -> BatchTurn<'_, T> {
        let mut state = self.state();
        state.has_decided(batch.message_since);
        loop {
            let is_full = batch.taken >= TOGETHER || batch.since.elapsed() >= self.open_for;
            let may_commit = state.committing < self.side_by_side;
            let takes = !is_full && (batch.taken < batch.share || !may_commit);
            if takes && let Some(more) = state.messages.pop_front() {
                batch.taken += 1;
                batch.message_since = Instant::now();
                state.deciding.push(batch.message_since);
                self.pass_on(state);
                return BatchTurn::More(more);
            }
            if may_commit {
                state.committing += 1;
                self.pass_on(state);
                return BatchTurn::Commit(Committing(self));
            }
            if let Some(who) = self.who_takes_more(&state) {
                who.notify_one();
            }
            let (open, full) = (usize::from(!is_full), usize::from(is_full));
            let changed = if is_full { &self.filled } else { &self.opened };
            (state.open, state.full) = (state.open + open, state.full + full);
            let waited = changed.wait_timeout(state, self.open_for);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            (state.open, state.full) = (state.open - open, state.full - full);
        }
    }

    /// Whether a thread that has nothing takes a message: none with an open batch does, and a
    /// processor is free for it.
    fn may_begin(&self, state: &Waiting<T>) -> bool {
        let at_work = || state.deciding.iter().filter(|since| since.elapsed() < self.held_up).count();
        !state.messages.is_empty() && state.open == 0 && at_work() < self.processors
    }

    /// Wakes who takes what waits, once the state is free for it.
    fn pass_on(&self, state: MutexGuard<'_, Waiting<T>>) {
        let who = self.who_takes_more(&state);
        drop(state);
        if let Some(who) = who {
            who.notify_one();
        }
    }

    /// Where one waits that takes what waits. A wake-up is a system call, also if nobody waits for
    /// it.
    fn who_takes_more(&self, state: &Waiting<T>) -> Option<&Condvar> {
        let wakes_idle = || state.idle > 0 && (!state.looks_around || self.may_begin(state));
        match (state.messages.is_empty(), state.open) {
            (true, _) => None,
            (false, 1..) => Some(&self.opened),
            (false, 0) => wakes_idle().then_some(&self.offered),
        }
    }

    fn state(&self) -> MutexGuard<'_, Waiting<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Waiting<T> {
    fn has_decided(&mut self, since: Instant) {
        if let Some(place) = self.deciding.iter().position(|one| *one == since) {
            self.deciding.swap_remove(place);
        }
    }
}

impl<T> Drop for Committing<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.committing -= 1;
        let (full, open) = (state.full, state.open);
        drop(state);
        match (full, open) {
            (0, 0) => {}
            (0, _) => self.0.opened.notify_one(),
            _ => self.0.filled.notify_one(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

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

    /// What one thread takes until it is over.
    fn work(queue: &DeskQueue<i32>) -> Vec<i32> {
        let mut taken = Vec::new();
        while let Some((first, mut batch)) = queue.first() {
            taken.push(first);
            while let BatchTurn::More(more) = queue.next(&mut batch) {
                taken.push(more);
            }
        }
        taken
    }

    #[test]
    fn every_message_is_taken_once_by_many_threads() {
        let queue = DeskQueue::new(2);
        let taken = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8).map(|_| scope.spawn(|| work(&queue))).collect();
            (0..2000).for_each(|number| queue.put(number));
            queue.close();
            let mut taken: Vec<i32> = workers.into_iter().flat_map(|one| one.join().unwrap()).collect();
            taken.sort_unstable();
            taken
        });
        assert!(taken.into_iter().eq(0..2000));
    }

    #[test]
    fn others_decide_when_a_thread_is_held_up() {
        let queue = DeskQueue::new(1);
        (0..3).for_each(|number| queue.put(number));
        let (first, _held_up) = queue.first().unwrap();
        let taken = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..3).map(|_| scope.spawn(|| work(&queue))).collect();
            queue.close();
            workers.into_iter().flat_map(|one| one.join().unwrap()).collect::<Vec<i32>>()
        });
        assert_eq!((first, taken.len()), (0, 2));
    }

    #[test]
    fn who_waits_when_the_last_message_is_taken_ends_as_well() {
        let queue = Arc::new(DeskQueue { held_up: Duration::from_secs(600), ..DeskQueue::new(1) });
        (0..2).for_each(|number| queue.put(number));
        let (_, mut batch) = queue.first().unwrap();
        let (ended, ends) = mpsc::channel();
        for _ in 0..2 {
            let (queue, ended) = (Arc::clone(&queue), ended.clone());
            std::thread::spawn(move || ended.send(work(&queue)));
        }
        queue.close();
        while queue.state().idle < 2 {
            std::thread::yield_now();
        }
        assert!(matches!(queue.next(&mut batch), BatchTurn::More(1)));
        assert!(matches!(queue.next(&mut batch), BatchTurn::Commit(_)));
        assert!(queue.first().is_none());
        for _ in 0..2 {
            assert!(ends.recv_timeout(Duration::from_secs(60)).unwrap().is_empty());
        }
    }

    #[test]
    fn a_thread_that_has_nothing_leaves_the_rest_to_who_decides() {
        let queue = DeskQueue { held_up: Duration::from_secs(600), ..DeskQueue::new(1) };
        (0..3).for_each(|number| queue.put(number));
        let (_, mut batch) = queue.first().unwrap();
        assert!(!queue.may_begin(&queue.state()), "its processor decides already");
        let more = std::iter::from_fn(|| match queue.next(&mut batch) {
            BatchTurn::More(more) => Some(more),
            BatchTurn::Commit(_) => None,
        });
        assert_eq!(more.collect::<Vec<_>>(), [1, 2]);
        queue.put(3);
        assert!(queue.may_begin(&queue.state()), "nobody decides any more");
    }
}
