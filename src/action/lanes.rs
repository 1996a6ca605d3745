//! Lanes: the threads that steps are done on, side by side, and no more than there are.
//!
//! A thread lives as long as it finds steps: one that waited for more would ask the scheduler for
//! them again and again. Not here: which steps (`journal`). Invariants: a thread that waits for
//! something never begins another step on its own stack; where no thread can be started, the steps
//! are done one by one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

/// Lanes of a process that handles one message.
const FEW: usize = 4;

pub(crate) struct Lanes {
    one_message: bool,
    /// Lanes that are free, and runs that wait for one.
    free: Mutex<usize>,
    freed: Condvar,
    wanted: AtomicUsize,
    /// That no thread starts has been said.
    complained: AtomicBool,
}

/// Lanes, while steps are begun.
pub(crate) struct LaneScope<'scope, 'env> {
    lanes: &'scope Lanes,
    scope: &'scope Scope<'scope, 'env>,
}

impl Lanes {
    /// Lanes for messages that are handled in this many threads.
    pub(crate) fn new(threads: usize) -> Lanes {
        let many = if threads == 1 { FEW } else { threads };
        Lanes {
            one_message: threads == 1,
            free: Mutex::new(many),
            freed: Condvar::new(),
            wanted: AtomicUsize::new(0),
            complained: AtomicBool::new(false),
        }
    }

    /// Whether somebody waits for a lane.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Relaxed) > 0
    }

    /// Whether the process handles one message, and its thread may do a step itself.
    pub(crate) fn one_message(&self) -> bool {
        self.one_message
    }

    /// Lets `work` begin steps; returns when they have all ended.
    pub(crate) fn side_by_side<'env, R>(
        &'env self,
        work: impl for<'scope> FnOnce(&LaneScope<'scope, 'env>) -> R,
    ) -> R {
        std::thread::scope(|scope| work(&LaneScope { lanes: self, scope }))
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self) {
        *self.free() += 1;
        self.freed.notify_one();
    }
}

impl<'scope> LaneScope<'scope, '_> {
    /// Begins to do steps on a lane if one is free within this time; returns whether it has begun.
    /// `steps` is told how many to do at most: where no thread can be started, whoever waits for a
    /// lane does one itself.
    pub(crate) fn start(&self, steps: impl FnOnce(usize) + Copy + Send + 'scope, limit: Duration) -> bool {
        let lanes = self.lanes;
        let waits = limit > Duration::ZERO;
        let mut free = lanes.free();
        if *free == 0 && waits {
            lanes.wanted.fetch_add(1, Relaxed);
            let waited = lanes.freed.wait_timeout_while(free, limit, |free| *free == 0);
            lanes.wanted.fetch_sub(1, Relaxed);
            free = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if *free == 0 {
            return false;
        }
        *free -= 1;
        drop(free);
        let lane = move || {
            steps(usize::MAX);
            lanes.give_back();
        };
        let Err(error) = Builder::new().name("steps".to_owned()).spawn_scoped(self.scope, lane) else {
            return true;
        };
        lanes.give_back();
        if !lanes.complained.swap(true, Relaxed) {
            tracing::error!(%error, "cannot start threads for steps: they are done one by one");
        }
        if waits {
            steps(1);
        }
        waits
    }
}
