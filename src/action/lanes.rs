//! Lanes: the threads that steps are done on, side by side, and no more than there are.
//!
//! Not here: which steps (`journal`). Invariants: a thread that waits for something never begins
//! another step on its own stack; where no thread can be started, the steps are done one by one.

use rayon::{Scope, ThreadPool, ThreadPoolBuilder};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// Lanes of a process that handles one message.
const FEW: usize = 4;

pub(crate) struct Lanes {
    one_message: bool,
    many: usize,
    /// Lanes that are free.
    free: Mutex<usize>,
    freed: Condvar,
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
        let (free, threads_started) = (Mutex::new(many), OnceLock::new());
        Lanes { one_message: threads == 1, many, free, freed: Condvar::new(), threads: threads_started }
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
    /// Begins a step if a lane is free, or (`wait`) as soon as one is. Returns whether it has
    /// begun.
    pub(crate) fn start(&self, step: impl FnOnce() + Send + 'scope, wait: bool) -> bool {
        let lanes = self.lanes;
        let Some(scope) = self.scope else {
            // Who does not wait has something else to do first.
            if wait {
                step();
            }
            return wait;
        };
        let mut free = lanes.free();
        if wait {
            free = lanes.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        }
        if *free == 0 {
            return false;
        }
        *free -= 1;
        drop(free);
        scope.spawn(move |_| {
            step();
            lanes.give_back();
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[test]
    fn without_threads_steps_are_done_one_by_one() {
        let lanes = Lanes::new(4);
        assert!(lanes.threads.set(None).is_ok());
        let done = AtomicUsize::new(0);
        lanes.side_by_side(|scope| {
            let step = || _ = done.fetch_add(1, SeqCst);
            assert!(!scope.start(step, false) && scope.start(step, true) && scope.start(step, true));
        });
        assert_eq!(done.into_inner(), 2);
    }
}
