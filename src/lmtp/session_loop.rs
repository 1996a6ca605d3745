//! THE LOOP: one thread for the sessions that wait for their clients or for the desk.
//!
//! A session that has to wait for something else goes on in a thread for itself. Not here: what a
//! session does (`client_session`). Invariants: each session goes on soon after there is something
//! for it, and at its deadlines; what goes wrong in one ends no other; a loop without anything to
//! do sleeps.

use super::client_session::{ClientSession, WaitsFor};
use super::loop_bell::LoopBell;
use rustix::event::{Timespec, epoll};
use rustix::io::Errno;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often deadlines are looked at, and a stop.
const LOOK: Duration = Duration::from_millis(250);
/// Sessions that are heard of at one time.
const TOGETHER: usize = 256;
/// The bell, and sessions that come in: no session has this key.
const BELL: u64 = 0;

/// Has a session go on in a thread for itself, or gives it back.
type StartThread<'l, 's, 'h> = &'l dyn Fn(ClientSession<'s, 'h>) -> Option<ClientSession<'s, 'h>>;

pub(super) struct SessionLoop<'s, 'h> {
    epoll: OwnedFd,
    bell: Arc<LoopBell>,
    coming_in: Mutex<Vec<ClientSession<'s, 'h>>>,
}

/// The sessions of the loop.
struct LoopSessions<'l, 's, 'h> {
    of: &'l SessionLoop<'s, 'h>,
    sessions: HashMap<u64, ClientSession<'s, 'h>>,
    last_key: u64,
    /// Those that have just come in.
    new: Vec<ClientSession<'s, 'h>>,
    /// Those that go on after the others.
    again: Vec<u64>,
    start: StartThread<'l, 's, 'h>,
}

impl<'s, 'h> SessionLoop<'s, 'h> {
    pub(super) fn new() -> std::io::Result<SessionLoop<'s, 'h>> {
        let (epoll, bell) = (epoll::create(epoll::CreateFlags::CLOEXEC)?, LoopBell::new()?);
        epoll::add(&epoll, bell.wake(), epoll::EventData::new_u64(BELL), when_something_comes())?;
        Ok(SessionLoop { epoll, bell, coming_in: Mutex::default() })
    }

    /// Takes a session whose line does not wait.
    pub(super) fn take(&self, session: ClientSession<'s, 'h>) {
        self.coming_in().push(session);
        self.bell.ring(BELL);
    }

    /// No more sessions come: the loop ends with those that it has.
    pub(super) fn close(&self) {
        self.bell.close();
    }

    /// Serves sessions until it is closed and has none. `start` has a session go on in a thread for
    /// itself, or gives it back.
    pub(super) fn run(&self, start: StartThread<'_, 's, 'h>) {
        let (sessions, new, again) = (HashMap::new(), Vec::new(), Vec::new());
        let mut own = LoopSessions { of: self, sessions, last_key: BELL, new, again, start };
        let (mut looked, mut events) = (Instant::now(), Vec::with_capacity(TOGETHER));
        // Those that go on now.
        let mut keys = Vec::with_capacity(TOGETHER);
        loop {
            let may_sleep = self.bell.may_sleep() && own.again.is_empty();
            let limit = match (may_sleep, own.sessions.is_empty()) {
                (false, _) => Some(Duration::ZERO),
                (true, true) => None,
                (true, false) => Some(LOOK),
            };
            self.wait(limit, &mut events);
            std::mem::swap(&mut keys, &mut own.again);
            let is_closed = self.bell.take(&mut keys);
            keys.extend(events.drain(..).map(|event| event.data.u64()));
            own.come_in();
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                keys.clear();
                keys.extend(own.sessions.keys());
            }
            keys.drain(..).for_each(|key| own.go_on(key));
            if is_closed && own.sessions.is_empty() && self.coming_in().is_empty() {
                return;
            }
        }
    }

    /// Waits for clients or for the bell. Something is heard of once.
    fn wait(&self, limit: Option<Duration>, events: &mut Vec<epoll::Event>) {
        let time = limit.and_then(|limit| Timespec::try_from(limit).ok());
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), time.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            // All sessions are looked at after a while, whoever there is something for.
            Err(error) => {
                tracing::error!(%error, "cannot wait for clients: looking at them now and then");
                std::thread::sleep(LOOK);
            }
        }
    }

    fn coming_in(&self) -> MutexGuard<'_, Vec<ClientSession<'s, 'h>>> {
        self.coming_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'s, 'h> LoopSessions<'_, 's, 'h> {
    fn come_in(&mut self) {
        let mut new = std::mem::take(&mut self.new);
        std::mem::swap(&mut new, &mut *self.of.coming_in());
        for session in new.drain(..) {
            match self.key_for(&session) {
                Some(key) => {
                    self.sessions.insert(key, session);
                    self.go_on(key);
                }
                None => self.leave_to_thread(session),
            }
        }
        self.new = new;
    }

    /// A key for a session of the loop; `None`: its client cannot be waited for.
    fn key_for(&mut self, session: &ClientSession<'s, 'h>) -> Option<u64> {
        let key = self.last_key + 1;
        let (socket, data) = (session.socket()?, epoll::EventData::new_u64(key));
        epoll::add(&self.of.epoll, socket, data, when_something_comes()).ok()?;
        self.last_key = key;
        Some(key)
    }

    fn go_on(&mut self, key: u64) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let bell = || Some(self.of.bell.of(key));
        let waits_for = catch_unwind(AssertUnwindSafe(|| session.advance(bell)));
        let waits_for = waits_for.unwrap_or_else(|_| {
            tracing::error!("carom failed in a session: please report it");
            WaitsFor::Nothing
        });
        match waits_for {
            WaitsFor::Client | WaitsFor::Desk => {}
            WaitsFor::Turn => self.again.push(key),
            WaitsFor::Nothing => drop(self.sessions.remove(&key)),
            WaitsFor::Thread => {
                let Some(session) = self.sessions.remove(&key) else { return };
                // What is heard of it from now on is about nobody.
                let _ = session.socket().map(|socket| epoll::delete(&self.of.epoll, socket));
                self.leave_to_thread(session);
            }
        }
    }

    /// Has a session go on in a thread for itself. Where none can be started, its client is sent
    /// away.
    fn leave_to_thread(&mut self, session: ClientSession<'s, 'h>) {
        let Some(mut session) = (self.start)(session) else { return };
        // It comes here twice if the client does not take the reply: then there is nothing to do.
        if session.turn_away()
            && let Some(key) = self.key_for(&session)
        {
            self.sessions.insert(key, session);
            self.again.push(key);
        }
    }
}

/// Each time that bytes come, or an end: what is there must be read to its end.
fn when_something_comes() -> epoll::EventFlags {
    epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_fails_does_not_spin() {
        let mut failing = SessionLoop::new().unwrap();
        // Nothing can be waited for here.
        failing.epoll = std::fs::File::open("/dev/null").unwrap().into();
        let (began, mut events) = (Instant::now(), Vec::with_capacity(TOGETHER));
        failing.wait(Some(Duration::ZERO), &mut events);
        assert!(began.elapsed() >= LOOK && events.is_empty());
    }
}
