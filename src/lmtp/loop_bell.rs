//! The bell of the loop: who has something for a session rings, and the loop wakes if it sleeps.
//!
//! Not here: the loop (`session_loop`). Invariant: what was rung for is seen after the next wait,
//! and a loop that is awake costs nobody a system call.

use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct LoopBell {
    rung: Mutex<Rung>,
    /// Readable when the loop is to wake.
    wake: OwnedFd,
}

#[derive(Default)]
struct Rung {
    /// Sessions that something is there for.
    sessions: Vec<u64>,
    /// The loop has seen all, and waits.
    asleep: bool,
    closed: bool,
}

/// Rings for one session.
pub(super) struct SessionBell {
    bell: Arc<LoopBell>,
    session: u64,
}

impl LoopBell {
    pub(super) fn new() -> std::io::Result<Arc<LoopBell>> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(LoopBell { rung: Mutex::default(), wake }))
    }

    pub(super) fn of(self: &Arc<Self>, session: u64) -> SessionBell {
        SessionBell { bell: self.clone(), session }
    }

    /// What the loop waits for beside its clients, each time the loop is rung for in its sleep.
    pub(super) fn wake(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    pub(super) fn ring(&self, session: u64) {
        self.change(|rung| rung.sessions.push(session));
    }

    /// The loop ends when it has no sessions.
    pub(super) fn close(&self) {
        self.change(|rung| rung.closed = true);
    }

    /// Before a wait: whether the loop may sleep, because nobody has rung.
    pub(super) fn may_sleep(&self) -> bool {
        let mut rung = self.rung();
        rung.asleep = rung.sessions.is_empty() && !rung.closed;
        rung.asleep
    }

    /// After a wait: what was rung for goes into `sessions`. Returns whether the loop is closed.
    pub(super) fn take(&self, sessions: &mut Vec<u64>) -> bool {
        let mut rung = self.rung();
        rung.asleep = false;
        sessions.append(&mut rung.sessions);
        rung.closed
    }

    fn change(&self, change: impl FnOnce(&mut Rung)) {
        let mut rung = self.rung();
        change(&mut rung);
        let asleep = std::mem::take(&mut rung.asleep);
        drop(rung);
        if asleep {
            // It fails only when the loop has been told 2^64 times.
            let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
        }
    }

    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionBell {
    pub(super) fn ring(&self) {
        self.bell.ring(self.session);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::readiness;
    use std::time::Duration;

    #[test]
    fn who_sleeps_is_woken_and_who_is_awake_is_not() {
        let bell = LoopBell::new().unwrap();
        let is_woken = || readiness::readable(&[bell.wake()], Duration::ZERO) == [true];
        let mut sessions = Vec::new();
        bell.of(7).ring();
        assert!(!is_woken() && !bell.may_sleep());
        assert!(!bell.take(&mut sessions) && sessions == [7]);
        assert!(bell.may_sleep() && !is_woken());
        bell.ring(8);
        assert!(is_woken());
        bell.close();
        assert!(!bell.may_sleep() && bell.take(&mut sessions) && sessions == [7, 8]);
    }
}
