//! The connections of a process: a letter to the first host that takes it, over a kept connection
//! if there is one.
//!
//! Not here: the dialogue (`dialogue`). Invariant: a connection to a private host is reused only
//! for the operator's own server.

use super::dialogue::{Broken, Session};
use super::letter::{Letter, SendFailure, SmtpTarget};
use crate::action::doors::guard::{self, TargetHost, Unreachable};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use lettre::transport::smtp::client::SmtpConnection;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Idle connections kept for one host, in all, and for how long.
const KEPT_A_HOST: usize = 64;
const KEPT: usize = 256;
const IDLE: Duration = Duration::from_secs(20);
/// Time to say goodbye to all of them.
const FAREWELL: Duration = Duration::from_millis(500);
/// Sessions past their deadline that a stalling host still holds. With more, nothing is sent.
const MAX_ABANDONED: usize = 64;
/// What a session may take beyond its deadline, so that its own report of the time-out is heard.
const GRACE: Duration = Duration::from_millis(50);
/// Stack of a session's thread.
const STACK: usize = 256 << 10;

/// A connection that waits for the next letter to its host.
struct Idle {
    host: TargetHost,
    connection: SmtpConnection,
    since: Instant,
}

#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
    abandoned: Arc<AtomicUsize>,
}

impl Pool {
    /// Sends the letter to the first host that takes it; returns which. After a host that cannot be
    /// reached or says "not now", the next is tried; a host that refuses the letter has the last
    /// word.
    pub(crate) fn deliver(
        &self,
        letter: &Letter,
        to: &SmtpTarget,
        config: &Config,
        dns: &Dns,
        deadline: Deadline,
    ) -> Result<String, SendFailure> {
        let mut last = SendFailure::permanent("no host to send to");
        for name in &to.hosts {
            if deadline.passed() {
                return Err(SendFailure::temporary(format_args!("not sent in time; last: {}", last.text)));
            }
            let host = TargetHost { name: name.clone(), port: to.port, may_be_private: to.may_be_private };
            let share = deadline.within(Duration::from_secs(u64::from(config.send.timeout.max(1))));
            match self.send(&host, letter, config, dns, share) {
                Ok(()) => return Ok(host.name),
                Err(Broken::Failed(failure)) if !failure.temporary => return Err(failure),
                Err(Broken::NoHost(text)) if !last.temporary => last = SendFailure::permanent(text),
                Err(Broken::NoHost(_)) => {}
                Err(Broken::Failed(failure)) => last = failure,
                Err(Broken::Closed(text) | Broken::Tls(text)) => last = SendFailure::temporary(text),
            }
        }
        Err(last)
    }

    fn send(
        &self,
        host: &TargetHost,
        letter: &Letter,
        config: &Config,
        dns: &Dns,
        deadline: Deadline,
    ) -> Result<(), Broken> {
        let mut session = Session::new(&host.name, letter, config, deadline)?;
        if let Some(kept) = self.take(host) {
            match self.run(host, session.clone(), Some(kept)) {
                Err(Broken::Closed(_)) => {}
                ended => return ended,
            }
        }
        session.addresses =
            guard::resolve(dns, host, &config.network, deadline).map_err(|why| match why {
                Unreachable::Forbidden(text) => Broken::NoHost(text),
                Unreachable::Temporary(text) => Broken::Failed(SendFailure::temporary(text)),
            })?;
        match self.run(host, session.clone(), None) {
            Err(Broken::Tls(_)) => self.run(host, session.in_clear(), None),
            ended => ended,
        }
    }

    /// Runs a session on its own thread and waits for it until the deadline: lettre's time-outs are
    /// for one read, and a host that sends one byte at a time would pass each of them.
    fn run(&self, host: &TargetHost, session: Session, kept: Option<SmtpConnection>) -> Result<(), Broken> {
        let later = |text: String| Err(Broken::Failed(SendFailure::temporary(text)));
        if self.abandoned.load(Ordering::Relaxed) >= MAX_ABANDONED {
            return later("too many stalled SMTP sessions; not sending for now".into());
        }
        let deadline = session.deadline;
        // Without a buffer, an answer is either heard here or known there to be unheard, never
        // both.
        let (answer, answered) = sync_channel(0);
        let abandoned = self.abandoned.clone();
        let talk = move || {
            if answer.send(session.talk(kept)).is_err() {
                abandoned.fetch_sub(1, Ordering::Relaxed);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("smtp".into()).stack_size(STACK).spawn(talk) {
            return later(format!("cannot start a session: {error}"));
        }
        match answered.recv_timeout(deadline.left() + GRACE) {
            Ok((ended, connection)) => {
                if let Some(connection) = connection {
                    self.put(host.clone(), connection);
                }
                ended
            }
            Err(RecvTimeoutError::Timeout) => {
                self.abandoned.fetch_add(1, Ordering::Relaxed);
                later("did not finish in time".into())
            }
            Err(RecvTimeoutError::Disconnected) => later("the session broke off".into()),
        }
    }

    fn take(&self, host: &TargetHost) -> Option<SmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let index = idle.iter().rposition(|idle| idle.host == *host && idle.since.elapsed() < IDLE)?;
        Some(idle.remove(index).connection)
    }

    fn put(&self, host: TargetHost, connection: SmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        let of_host = idle.iter().filter(|idle| idle.host == host).count();
        if of_host < KEPT_A_HOST && idle.len() < KEPT {
            idle.push(Idle { host, connection, since: Instant::now() });
        }
    }
}

impl Drop for Pool {
    /// Says goodbye to the hosts (RFC 5321 section 4.1.1.10). No host can delay us by its answer.
    fn drop(&mut self) {
        let idle = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        if idle.is_empty() {
            return;
        }
        let (done, all_done) = sync_channel::<()>(0);
        let leave = move || {
            for mut idle in idle {
                let _ = idle.connection.set_timeout(Some(FAREWELL / 4));
                let _ = idle.connection.quit();
            }
            drop(done);
        };
        if std::thread::Builder::new().stack_size(STACK).spawn(leave).is_ok() {
            let _ = all_done.recv_timeout(FAREWELL);
        }
    }
}
