//! THE LOOP: one thread for the sessions that wait for their clients or for the desk.
//!
//! A session that has to wait for something else goes on in a thread for itself. Not here: what a
//! session does (`client_session`). Invariants: each session goes on soon after there is something
//! for it, and at its deadlines; what goes wrong in one ends no other; a loop without anything to
//! do sleeps.

use super::client_session::{ClientSession, WaitsFor};
use super::loop_bell::LoopBell;
use rustix::event::{Timespec, epoll};
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
    /// Those that go on after the others.
    again: Vec<u64>,
    /// Has a session go on in a thread for itself.
    start: &'l dyn Fn(ClientSession<'s, 'h>),
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
    /// itself.
    pub(super) fn run(&self, start: &dyn Fn(ClientSession<'s, 'h>)) {
        let (sessions, again) = (HashMap::new(), Vec::new());
        let mut own = LoopSessions { of: self, sessions, last_key: BELL, again, start };
        let (mut looked, mut events) = (Instant::now(), Vec::with_capacity(TOGETHER));
        loop {
            let may_sleep = self.bell.may_sleep() && own.again.is_empty();
            let limit = match (may_sleep, own.sessions.is_empty()) {
                (false, _) => Some(Duration::ZERO),
                (true, true) => None,
                (true, false) => Some(LOOK),
            };
            events.clear();
            self.wait(limit, &mut events);
            let mut keys = std::mem::take(&mut own.again);
            let is_closed = self.bell.take(&mut keys);
            keys.extend(&events);
            own.come_in();
            keys.into_iter().for_each(|key| own.go_on(key));
            if looked.elapsed() >= LOOK {
                looked = Instant::now();
                let all: Vec<u64> = own.sessions.keys().copied().collect();
                all.into_iter().for_each(|key| own.go_on(key));
            }
            if is_closed && own.sessions.is_empty() && self.coming_in().is_empty() {
                return;
            }
        }
    }

    /// Waits for clients or for the bell. Something is heard of once.
    fn wait(&self, limit: Option<Duration>, keys: &mut Vec<u64>) {
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        let mut events = Vec::with_capacity(TOGETHER);
        let heard = epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), limit.as_ref());
        if heard.is_ok() {
            keys.extend(events.iter().map(|event| event.data.u64()));
        }
    }

    fn coming_in(&self) -> MutexGuard<'_, Vec<ClientSession<'s, 'h>>> {
        self.coming_in.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'s, 'h> LoopSessions<'_, 's, 'h> {
    fn come_in(&mut self) {
        let coming_in = std::mem::take(&mut *self.of.coming_in());
        for session in coming_in {
            self.last_key += 1;
            let (key, socket) = (self.last_key, session.socket());
            let data = epoll::EventData::new_u64(key);
            let added = socket.map(|one| epoll::add(&self.of.epoll, one, data, when_something_comes()));
            if !matches!(added, Some(Ok(()))) {
                (self.start)(session);
                continue;
            }
            self.sessions.insert(key, session);
            self.go_on(key);
        }
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
                (self.start)(session);
            }
        }
    }
}

/// Each time that bytes come, or an end: what is there must be read to its end.
fn when_something_comes() -> epoll::EventFlags {
    epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET
}
