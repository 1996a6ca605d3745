//! Lanes: the threads that steps are done on, side by side, and no more than there are.
//!
//! A lane does steps as long as it finds some: one job of the pool for each step would wake a
//! thread for each. Not here: which steps (`journal`). Invariants: a thread that waits for
//! something never begins another step on its own stack; where no thread can be started, the steps
//! are done one by one.

use rayon::{Scope, ThreadPool, ThreadPoolBuilder};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// Lanes of a process that handles one message.
const FEW: usize = 4;

pub(crate) struct Lanes {
    one_message: bool,
    many: usize,
    /// Lanes that are free, and runs that wait for one.
    free: Mutex<usize>,
    freed: Condvar,
    wanted: AtomicUsize,
    /// Started with the first step that needs it; `None`: the system lets none start.
    threads: OnceLock<Option<ThreadPool>>,
}

/// Lanes, while steps are begun.
pub(crate) struct LaneScope<'l, 'scope> {
    lanes: &'scope Lanes,
    scope: Option<&'l Scope<'scope>>,
}

impl Lanes {
    /// Lanes for messages that are handled in this many threads.
    pub(crate) fn new(threads: usize) -> Lanes {
        let many = if threads == 1 { FEW } else { threads };
        Lanes {
            one_message: threads == 1,
            many,
            free: Mutex::new(many),
            freed: Condvar::new(),
            wanted: AtomicUsize::new(0),
            threads: OnceLock::new(),
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
    pub(crate) fn side_by_side<'scope, R>(&'scope self, work: impl FnOnce(&LaneScope<'_, 'scope>) -> R) -> R {
        let start = || {
            let name = |index| format!("steps-{index}");
            ThreadPoolBuilder::new().num_threads(self.many).thread_name(name).build()
        };
        let threads = self.threads.get_or_init(|| {
            let alone = "cannot start threads for steps: they are done one by one";
            start().inspect_err(|error| tracing::error!(%error, "{alone}")).ok()
        });
        match threads {
            Some(threads) => {
                threads.in_place_scope(|scope| work(&LaneScope { lanes: self, scope: Some(scope) }))
            }
            None => work(&LaneScope { lanes: self, scope: None }),
        }
    }

    fn free(&self) -> MutexGuard<'_, usize> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give_back(&self) {
        *self.free() += 1;
        self.freed.notify_one();
    }
}

impl<'scope> LaneScope<'_, 'scope> {
    /// Begins to do steps on a lane if one is free within this time; returns whether it has begun.
    /// `steps` is told how many to do at most: where there are no threads, whoever waits for a lane
    /// does one itself, and who does not wait has something else to do first.
    pub(crate) fn start(&self, steps: impl FnOnce(usize) + Send + 'scope, limit: Duration) -> bool {
        let lanes = self.lanes;
        let waits = limit > Duration::ZERO;
        let Some(scope) = self.scope else {
            if waits {
                steps(1);
            }
            return waits;
        };
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
        scope.spawn(move |_| {
            steps(usize::MAX);
            lanes.give_back();
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering::SeqCst;

    #[test]
    fn without_threads_steps_are_done_one_by_one() {
        let lanes = Lanes::new(4);
        assert!(lanes.threads.set(None).is_ok());
        let done = AtomicUsize::new(0);
        lanes.side_by_side(|scope| {
            let steps = |most: usize| _ = done.fetch_add(most, SeqCst);
            let wait = Duration::from_millis(1);
            assert!(
                !scope.start(steps, Duration::ZERO) && scope.start(steps, wait) && scope.start(steps, wait)
            );
        });
        assert_eq!(done.into_inner(), 2);
    }
}
