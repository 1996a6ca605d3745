//! THE SERVER: connections are accepted and handed to their service until a signal comes, or
//! another service takes over.
//!
//! Not here: the threads (`session_threads`), what is said on a connection, and the next service
//! (`renewal`). Invariant: nothing that a client does stops the accepting of others, and neither
//! does what a service waits for when it looks around.

use super::client_connection::ClientConnection;
use super::listening_socket::{Doorway, ListeningSocket};
use super::service::Service;
use super::service_manager::{Phase, tell};
use super::session_places::{SessionLimits, SessionPlaces};
use super::session_threads::SessionThreads;
use super::succession::Succession;
use crate::deadline::{Deadline, readiness};
use crate::error::{Context, Result};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, Scope};
use std::time::{Duration, Instant};

/// How often a service looks around, and a wait is looked at.
const SECOND: Duration = Duration::from_secs(1);
/// How soon SIGHUP is noticed.
const SOON: Duration = Duration::from_millis(50);
/// A pause after an error of the system, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that are accepted from one socket before the others have their turn.
const IN_TURN: usize = 64;

/// What signals set.
#[derive(Clone)]
pub(crate) struct ServerSignals {
    pub(crate) stop: Arc<AtomicBool>,
    /// SIGHUP.
    pub(crate) reload: Arc<AtomicBool>,
}

/// Serves until a signal comes, until the client on standard input has gone, or until another
/// service takes over. That one begins when connections are not accepted here any more, and
/// sessions in a request end here meanwhile.
pub(crate) fn run(
    service: &dyn Service,
    doorway: &Doorway,
    limits: SessionLimits,
    signals: &ServerSignals,
    succession: &dyn Succession,
) -> Result<()> {
    let serve = |connection: ClientConnection| service.serve(connection);
    let (threads, places) = (SessionThreads::new(&serve), SessionPlaces::new(limits));
    let over = Arc::new(AtomicBool::new(false));
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let look = || look_around(service, signals, &over, &is_done, succession);
        let looks = Builder::new().name("look-around".into()).spawn_scoped(scope, look);
        let looks = looks.context("cannot start a thread")?;
        let server =
            Server { service, threads: &threads, places: &places, limits, over: &over, stop: &signals.stop };
        let ended = match doorway {
            Doorway::Sockets(sockets) => {
                tell(Phase::Ready);
                server.accept_all(scope, sockets);
                succession.give_way();
                Ok(())
            }
            Doorway::Standard { input, output } => {
                let copied = input.try_clone().and_then(|input| Ok((input, output.try_clone()?)));
                let connection = copied.context("standard input and output").and_then(|(input, output)| {
                    ClientConnection::of_standard(input, output, over.clone(), limits.grace)
                });
                connection.map(|connection| server.admit(scope, connection))
            }
        };
        while !places.are_free_within(SECOND) {}
        // The one client on standard input is not heard by two.
        succession.give_way();
        threads.close();
        is_done.store(true, Relaxed);
        looks.thread().unpark();
        ended
    })
}

/// Has the service look around each second, and soon after SIGHUP, until it `is_done`. Its sessions
/// are `over` when the process is to end, or when another service takes over.
fn look_around(
    service: &dyn Service,
    signals: &ServerSignals,
    over: &AtomicBool,
    is_done: &AtomicBool,
    succession: &dyn Succession,
) {
    let mut looked = Instant::now();
    let end_if_stopped = || {
        if signals.stop.load(Relaxed) && !over.swap(true, Relaxed) {
            tell(Phase::Stopping);
        }
    };
    while !is_done.load(Relaxed) {
        std::thread::park_timeout(SOON);
        end_if_stopped();
        // Who is over leaves SIGHUP to the next one.
        let asked = !over.load(Relaxed) && signals.reload.swap(false, Relaxed);
        if looked.elapsed() < SECOND && !asked {
            continue;
        }
        if asked {
            tell(Phase::Reloading);
        }
        looked = Instant::now();
        service.look_around();
        if !over.load(Relaxed) && succession.is_replaced(asked) {
            over.store(true, Relaxed);
        } else if asked {
            tell(Phase::Ready);
        }
    }
    // A server without sessions may have noticed it first.
    end_if_stopped();
}

struct Server<'s> {
    service: &'s dyn Service,
    threads: &'s SessionThreads<'s, ClientConnection>,
    places: &'s Arc<SessionPlaces>,
    limits: SessionLimits,
    /// Sessions are to end.
    over: &'s Arc<AtomicBool>,
    /// The process is to end.
    stop: &'s AtomicBool,
}

impl<'s> Server<'s> {
    fn accept_all(&self, scope: &'s Scope<'s, '_>, sockets: &[ListeningSocket]) {
        let files: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        while !self.stop.load(Relaxed) && !self.over.load(Relaxed) {
            let ready = readiness::readable(&files, SECOND / 4);
            for (socket, _) in sockets.iter().zip(ready).filter(|(_, ready)| *ready) {
                self.accept_some(scope, socket);
            }
        }
    }

    fn accept_some(&self, scope: &'s Scope<'s, '_>, socket: &ListeningSocket) {
        for _ in 0..IN_TURN {
            // Who connects now waits for what serves next.
            if self.over.load(Relaxed) {
                return;
            }
            match socket.accept() {
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    return std::thread::sleep(PAUSE);
                }
                Ok(Some(accepted)) => {
                    let (over, grace) = (self.over.clone(), self.limits.grace);
                    // An error: the client has gone already.
                    if let Ok(connection) = ClientConnection::of_socket(accepted, over, grace) {
                        self.admit(scope, connection);
                    }
                }
            }
        }
    }

    fn admit(&self, scope: &'s Scope<'s, '_>, mut connection: ClientConnection) {
        if let Some(reply) = self.service.turned_away(connection.peer()) {
            connection.write(reply, Deadline::after(Duration::ZERO));
            return;
        }
        let refused = match self.places.take(connection.peer()) {
            None => Some(connection),
            Some(place) => {
                connection.seat(place);
                self.service.take(connection).and_then(|one| self.threads.serve(scope, one))
            }
        };
        if let Some(mut refused) = refused {
            refused.write(self.service.refusal(), Deadline::after(Duration::ZERO));
        }
    }
}
