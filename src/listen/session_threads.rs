//! THE THREADS of sessions: made when they are needed, used again, and gone when they were idle for
//! a while.
//!
//! Not here: where connections come from (`server`). Invariant: what goes wrong in one session ends
//! no other, and an admitted connection is served.

use super::client_connection::{ClientConnection, Peer};
use super::client_count::ClientCount;
use super::service::{Service, SessionLimits};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, Scope};
use std::time::Duration;

/// A thread without work ends after this time.
const IDLE_FOR: Duration = Duration::from_secs(10);
/// Sessions run policies, whose stack is theirs.
const STACK: usize = 2 << 20;

pub(super) struct SessionThreads<'s> {
    service: &'s dyn Service,
    limits: SessionLimits,
    state: Mutex<Sessions>,
    offered: Condvar,
    ended: Condvar,
}

#[derive(Default)]
struct Sessions {
    count: ClientCount,
    waiting: VecDeque<ClientConnection>,
    /// Threads that wait for a connection.
    idle: usize,
    closed: bool,
}

impl<'s> SessionThreads<'s> {
    pub(super) fn new(service: &'s dyn Service, limits: SessionLimits) -> SessionThreads<'s> {
        let (state, offered, ended) = (Mutex::default(), Condvar::new(), Condvar::new());
        SessionThreads { service, limits, state, offered, ended }
    }

    /// Has the connection served; gives it back if that would be one too many.
    pub(super) fn serve<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        connection: ClientConnection,
    ) -> Option<ClientConnection> {
        let SessionLimits { sessions, per_client, .. } = self.limits;
        let mut state = self.state();
        let peer = connection.peer();
        if !state.count.admit(peer, sessions, per_client) {
            return Some(connection);
        }
        state.waiting.push_back(connection);
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
                let mut state = self.state();
                let last = state.waiting.pop_back();
                last.iter().for_each(|last| state.count.leave(last.peer()));
                last
            }
        }
    }

    fn work(&self) {
        while let Some(mut connection) = self.next() {
            let peer = connection.peer();
            let served = catch_unwind(AssertUnwindSafe(|| self.service.serve(&mut connection)));
            if served.is_err() {
                tracing::error!(?peer, "carom failed in a session: please report it");
            }
            drop(connection);
            self.leave(peer);
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

    fn leave(&self, peer: Peer) {
        self.state().count.leave(peer);
        self.ended.notify_all();
    }

    /// Waits until no session is under way, no longer than `limit`. Returns whether that is so.
    pub(super) fn are_done_within(&self, limit: Duration) -> bool {
        let busy = |state: &mut Sessions| state.count.sessions() > 0;
        let waited = self.ended.wait_timeout_while(self.state(), limit, busy);
        waited.unwrap_or_else(PoisonError::into_inner).0.count.sessions() == 0
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
