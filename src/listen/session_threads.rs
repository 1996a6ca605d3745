//! THE THREADS of sessions: made when they are needed, used again, and gone when they were idle for
//! a while.
//!
//! Not here: where connections come from (`server`). Invariant: what goes wrong in one session ends
//! no other, and an admitted connection is served.

use super::client_connection::ClientConnection;
use super::service::Service;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

/// A thread without work ends after this time.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// Sessions run policies, whose stack is theirs.
pub(crate) const SESSION_STACK: usize = 2 << 20;

pub(super) struct SessionThreads<'s> {
    service: &'s dyn Service,
    state: Mutex<Sessions>,
    offered: Condvar,
}

#[derive(Default)]
struct Sessions {
    waiting: VecDeque<ClientConnection>,
    /// Threads that wait for a connection.
    idle: usize,
    closed: bool,
}

impl<'s> SessionThreads<'s> {
    pub(super) fn new(service: &'s dyn Service) -> SessionThreads<'s> {
        SessionThreads { service, state: Mutex::default(), offered: Condvar::new() }
    }

    /// Has the connection served; gives it back if no thread can be started.
    pub(super) fn serve<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        connection: ClientConnection,
    ) -> Option<ClientConnection> {
        let mut state = self.state();
        state.waiting.push_back(connection);
        if state.idle >= state.waiting.len() {
            drop(state);
            self.offered.notify_one();
            return None;
        }
        drop(state);
        let started = Builder::new().name("session".into()).stack_size(SESSION_STACK);
        match started.spawn_scoped(scope, || self.work()) {
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, "cannot start a thread for a session");
                self.state().waiting.pop_back()
            }
        }
    }

    fn work(&self) {
        while let Some(connection) = self.next() {
            let peer = connection.peer();
            if catch_unwind(AssertUnwindSafe(|| self.service.serve(connection))).is_err() {
                tracing::error!(?peer, "carom failed in a session: please report it");
            }
        }
    }

    fn next(&self) -> Option<ClientConnection> {
        let mut state = self.state();
        state.idle += 1;
        let nothing = |state: &mut Sessions| state.waiting.is_empty() && !state.closed;
        let waited = self.offered.wait_timeout_while(state, IDLE_FOR, nothing);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        state.idle -= 1;
        state.waiting.pop_front()
    }

    /// No more connections come: the threads end with their sessions.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.offered.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, Sessions> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
