//! The files that wait for a worker: those that were found in the spool, and claims of runs that
//! died.
//!
//! Invariant: what one worker takes no other gets; a file that is not taken keeps its place in the
//! spool.

use crate::intake::claim::Claim;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Files that a worker takes together at most.
const BATCH: usize = 64;

/// Something to work on.
pub(crate) enum QueuedFile {
    /// A file in the spool.
    File(PathBuf),
    /// A claim of a run that died.
    Orphan(Claim),
}

#[derive(Default)]
pub(crate) struct WorkQueue {
    state: Mutex<Queue>,
    /// There is something for a worker, or it is over.
    offered: Condvar,
    /// Something was taken or done.
    taken: Condvar,
    closing: Condvar,
}

#[derive(Default)]
struct Queue {
    orphans: VecDeque<Claim>,
    files: VecDeque<PathBuf>,
    /// Files that a worker may take together, so that all workers get some.
    share: usize,
    /// Workers that have something.
    working: usize,
    closed: bool,
}

impl WorkQueue {
    /// Files to work on, in place of those that are still waiting.
    pub(crate) fn offer(&self, files: Vec<PathBuf>, workers: usize) {
        let mut queue = self.queue();
        queue.share = files.len().div_ceil(workers.max(1)).clamp(1, BATCH);
        let workers = files.len().div_ceil(queue.share);
        queue.files = files.into();
        drop(queue);
        (0..workers).for_each(|_| self.offered.notify_one());
    }

    pub(crate) fn adopt(&self, orphans: Vec<Claim>) {
        if !orphans.is_empty() {
            self.queue().orphans.extend(orphans);
            self.offered.notify_all();
        }
    }

    /// Waits for something to work on, and how much may be taken with it. `None`: it is over.
    pub(crate) fn wait(&self) -> Option<(QueuedFile, usize)> {
        let idle = |queue: &mut Queue| !queue.closed && queue.is_empty();
        let mut queue = self.offered.wait_while(self.queue(), idle).unwrap_or_else(PoisonError::into_inner);
        let next = queue.next()?;
        queue.working += 1;
        self.note(&queue);
        Some((next, queue.share.max(1)))
    }

    /// Something more for a worker.
    pub(crate) fn take(&self) -> Option<QueuedFile> {
        let mut queue = self.queue();
        let next = queue.next();
        self.note(&queue);
        next
    }

    /// A worker has finished what it had.
    pub(crate) fn done(&self) {
        let mut queue = self.queue();
        queue.working -= 1;
        self.note(&queue);
    }

    fn note(&self, queue: &Queue) {
        if queue.is_empty() {
            self.taken.notify_all();
        }
    }

    /// Waits until everything is taken, no longer than `limit`. Returns whether it is.
    pub(crate) fn wait_until_taken(&self, limit: Duration) -> bool {
        let left = |queue: &mut Queue| !queue.is_empty();
        let (queue, _) =
            self.taken.wait_timeout_while(self.queue(), limit, left).unwrap_or_else(PoisonError::into_inner);
        queue.is_empty()
    }

    /// Waits until everything is done.
    pub(crate) fn wait_until_done(&self) {
        let busy = |queue: &mut Queue| queue.working > 0 || !queue.is_empty();
        drop(self.taken.wait_while(self.queue(), busy).unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for this time, or until it is over. Returns whether it is.
    pub(crate) fn closes_within(&self, limit: Duration) -> bool {
        let open = |queue: &mut Queue| !queue.closed;
        let (queue, _) = self
            .closing
            .wait_timeout_while(self.queue(), limit, open)
            .unwrap_or_else(PoisonError::into_inner);
        queue.closed
    }

    /// Nothing more is begun. Orphans stay claimed until the next run.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.files.clear();
        queue.orphans.clear();
        for changed in [&self.offered, &self.taken, &self.closing] {
            changed.notify_all();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.files.is_empty() && self.orphans.is_empty()
    }

    fn next(&mut self) -> Option<QueuedFile> {
        let orphan = self.orphans.pop_front().map(QueuedFile::Orphan);
        orphan.or_else(|| self.files.pop_front().map(QueuedFile::File))
    }
}
