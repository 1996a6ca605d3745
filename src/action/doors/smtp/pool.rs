//! The connections of a process: a letter to the first host that takes it, over a kept connection
//! if there is one.
//!
//! Not here: the dialogue (`dialogue`). Invariant: a connection to a private host is reused only
//! for the operator's own server.

use super::dialogue::{Broken, Connection, Session};
use super::letter::{Letter, SendFailure, SmtpTarget};
use crate::action::doors::guard::{self, TargetHost, Unreachable};
use crate::auth::Dns;
use crate::config::Config;
use crate::deadline::Deadline;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Idle connections kept for one host, in all, and for how long.
const KEPT_A_HOST: usize = 64;
const KEPT: usize = 256;
const IDLE: Duration = Duration::from_secs(20);
/// Time to say goodbye to all of them.
const FAREWELL: Duration = Duration::from_millis(300);

/// A connection that waits for the next letter to its host.
struct Idle {
    host: TargetHost,
    connection: Connection,
    since: Instant,
}

#[derive(Default)]
pub(crate) struct Pool {
    idle: Mutex<Vec<Idle>>,
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
                Err(Broken::Failed(failure)) if !failure.temporary => return Err(failure.of_host(name)),
                Err(Broken::NoHost(text)) if !last.temporary => last = SendFailure::permanent(text),
                Err(Broken::NoHost(_)) => {}
                Err(Broken::Failed(failure)) => last = failure.of_host(name),
                Err(Broken::Closed(text) | Broken::Tls(text)) => {
                    last = SendFailure::temporary(text).of_host(name);
                }
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
            match self.run(host, &session, Some(kept)) {
                Err(Broken::Closed(_)) => {}
                ended => return ended,
            }
        }
        session.addresses =
            guard::resolve(dns, host, &config.network, deadline).map_err(|why| match why {
                Unreachable::Temporary(text) => Broken::Failed(SendFailure::temporary(text)),
                never => Broken::NoHost(never.text(&host.name)),
            })?;
        match self.run(host, &session, None) {
            Err(Broken::Tls(_)) => {
                session.starttls = false;
                self.run(host, &session, None)
            }
            ended => ended,
        }
    }

    fn run(&self, host: &TargetHost, session: &Session<'_>, kept: Option<Connection>) -> Result<(), Broken> {
        let (ended, connection) = session.talk(kept);
        if let Some(connection) = connection {
            self.put(host.clone(), connection);
        }
        ended
    }

    fn take(&self, host: &TargetHost) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let index = idle.iter().rposition(|idle| idle.host == *host && idle.since.elapsed() < IDLE)?;
        Some(idle.remove(index).connection)
    }

    fn put(&self, host: TargetHost, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < IDLE);
        let of_host = idle.iter().filter(|idle| idle.host == host).count();
        if of_host < KEPT_A_HOST && idle.len() < KEPT {
            idle.push(Idle { host, connection, since: Instant::now() });
        }
    }
}

impl Drop for Pool {
    /// Says goodbye to the hosts. None can delay us by its answer.
    fn drop(&mut self) {
        let idle = std::mem::take(self.idle.get_mut().unwrap_or_else(PoisonError::into_inner));
        let mut connections: Vec<Connection> = idle.into_iter().map(|idle| idle.connection).collect();
        let farewell = Deadline::after(FAREWELL);
        connections.iter_mut().for_each(|connection| connection.quit(farewell));
        connections.iter_mut().for_each(Connection::closed);
    }
}
