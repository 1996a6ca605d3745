//! THE THREADS of sessions: made when they are needed, used again, and gone when they were idle for
//! a while.
//!
//! Not here: where sessions come from (`server`, `lmtp`), and what is done in them. Invariant: what
//! goes wrong in one session ends no other; a session that no thread can be started for is given
//! back.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

/// A thread without work ends after this time.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// Sessions run policies, whose stack is theirs.
const STACK: usize = 2 << 20;

/// Serves one session to its end.
pub(crate) type ServeSession<'s, S> = &'s (dyn Fn(S) + Sync);

pub(crate) struct SessionThreads<'s, S> {
    serve: ServeSession<'s, S>,
    state: Mutex<Sessions<S>>,
    offered: Condvar,
}

struct Sessions<S> {
    waiting: VecDeque<S>,
    /// Threads that wait for a session.
    idle: usize,
    closed: bool,
}

impl<'s, S: Send> SessionThreads<'s, S> {
    pub(crate) fn new(serve: ServeSession<'s, S>) -> SessionThreads<'s, S> {
        let state = Mutex::new(Sessions { waiting: VecDeque::new(), idle: 0, closed: false });
        SessionThreads { serve, state, offered: Condvar::new() }
    }

    /// Has the session served; gives one back if no thread can be started.
    pub(crate) fn serve<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>, session: S) -> Option<S> {
        let mut state = self.state();
        state.waiting.push_back(session);
        if state.idle >= state.waiting.len() {
            drop(state);
            self.offered.notify_one();
            return None;
        }
        drop(state);
        let started = Builder::new().name("session".into()).stack_size(STACK);
        match started.spawn_scoped(scope, || self.work()) {
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "cannot start a thread for a session");
                self.state().waiting.pop_back()
            }
        }
    }

    fn work(&self) {
        while let Some(session) = self.next() {
            if catch_unwind(AssertUnwindSafe(|| (self.serve)(session))).is_err() {
                tracing::error!("carom failed in a session: please report it");
            }
        }
    }

    fn next(&self) -> Option<S> {
        let mut state = self.state();
        state.idle += 1;
        let nothing = |state: &mut Sessions<S>| state.waiting.is_empty() && !state.closed;
        let waited = self.offered.wait_timeout_while(state, IDLE_FOR, nothing);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.idle -= 1;
        state.waiting.pop_front()
    }

    /// No more sessions come: the threads end with those that they have.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.offered.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, Sessions<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
